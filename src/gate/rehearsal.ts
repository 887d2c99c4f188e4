import type { BindableRequest, BindRule } from './bind.ts';
import type { Case } from './case.ts';
import type { ClaimCheck } from './claims.ts';
import type { LocatedToken } from './locate.ts';
import type { Target } from './path.ts';
import type { Route, Tenant } from './policy.ts';
import type { MatchAlternative } from './recognise.ts';
import type { Rule } from './rule.ts';
import type { UnverifiedToken } from './token.ts';

/** Steps of a decision, in the order in which they come; no request takes all of them. */
export const steps = [
  'request',
  'tenant',
  'route',
  'preflight',
  'path',
  'token',
  'basic',
  'shape',
  'algorithm',
  'expiry',
  'key',
  'signature',
  'time',
  'type',
  'issuer',
  'subject',
  'audience',
  'match',
  'claim',
  'bind',
  'rule',
  'revocation',
  'body',
  'headers',
  'replay',
  'rate',
  'provision',
  'sign',
] as const;

export type Step = (typeof steps)[number];

/** What decide has in its hands at a step. Of an unverified token, as of all else, nothing is copied. */
export interface Seen {
  readonly target?: Target;
  readonly host?: string | undefined;
  readonly tenant?: Tenant;
  readonly alternative?: MatchAlternative | undefined;
  readonly route?: Route | undefined;
  readonly case?: Case;
  readonly located?: LocatedToken;
  readonly token?: UnverifiedToken;
  readonly check?: ClaimCheck;
  readonly bind?: BindRule;
  readonly rule?: Rule;
  /** What `bind` or `rule` is held against. */
  readonly request?: BindableRequest;
}

/**
 * Makes of a decision a rehearsal: it is judged as any other, each step says itself, and what would have an effect (a
 * token's one use, a share of a rate, a call to provision, a token for the upstream) is left out. For those who ask why.
 */
export interface Rehearsal {
  /** Said as a step begins: where the request is refused, the last one said is the one that refused it. */
  at(step: Step, seen?: Seen): void;
  /** `ask`: whether the token was used before, without using it. `use`: it is used, in a store that is the rehearsal's own. */
  readonly replay: 'ask' | 'skip' | 'use';
  /** `take`: a share is taken, of a limit that is the rehearsal's own. */
  readonly rate: 'take' | 'skip';
  /** `gone`: the body was not kept, so that nothing is bound to it, and no rule reads it. */
  readonly body: 'read' | 'gone';
}
