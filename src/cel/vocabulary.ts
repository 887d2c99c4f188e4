import type { Fault, Value } from './value.ts';

/** A name that stands for one value. */
export interface Variable<Input> {
  /** As CEL writes it: `string`, `map<string, dyn>`, `dyn`. */
  readonly type: string;
  /** Undefined: this input does not have it. */
  readonly read: (input: Input) => Value | undefined;
}

/**
 * A name behind which single texts are found by literal names (`request.headers["x-team"]`), so that no map of them is
 * made for every request, and it is known beforehand which are asked for.
 */
export interface Lookup<Input> {
  /** Undefined: there is none; a fault where there is no telling which is meant. */
  readonly find: (name: string) => (input: Input) => string | undefined | Fault;
}

/** A name that is only there for its members. */
export interface Namespace<Input> {
  readonly members: Readonly<Record<string, Variable<Input> | Lookup<Input>>>;
}

/** What expressions can speak of. */
export type Vocabulary<Input> = Readonly<Record<string, Variable<Input> | Namespace<Input>>>;
