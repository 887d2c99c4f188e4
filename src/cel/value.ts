/** JSON as it came. Nothing in it was looked at, so its numbers are neither int nor double yet: see `read`. */
export type Raw = null | boolean | number | string | readonly Raw[] | { readonly [name: string]: Raw };

/**
 * A CEL value: an int is a bigint, a double a number. Lists and maps are JSON as it came, or were made by the
 * expression; what was made has a class, which no JSON can pretend to have.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | readonly Raw[]
  | { readonly [name: string]: Raw }
  | List
  | Dict
  | Timestamp
  | Duration
  | TypeName;

export class List {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

export class Dict {
  readonly members: ReadonlyMap<string, Value>;
  constructor(members: ReadonlyMap<string, Value>) {
    this.members = members;
  }
}

export class Timestamp {
  /** Since the epoch. */
  readonly nanoseconds: bigint;
  constructor(nanoseconds: bigint) {
    this.nanoseconds = nanoseconds;
  }
}

export class Duration {
  readonly nanoseconds: bigint;
  constructor(nanoseconds: bigint) {
    this.nanoseconds = nanoseconds;
  }
}

export class TypeName {
  readonly name: Kind;
  constructor(name: Kind) {
    this.name = name;
  }
}

/** Why an expression has no value. It names what stands in the expression, never what stood in the request. */
export class Fault {
  readonly detail: string;
  /** Out of steps: no `||` may go on as if it were nothing. */
  readonly final: boolean;
  constructor(detail: string, final = false) {
    this.detail = detail;
    this.final = final;
  }
}

export type Kind =
  | 'null_type'
  | 'bool'
  | 'int'
  | 'double'
  | 'string'
  | 'list'
  | 'map'
  | 'google.protobuf.Timestamp'
  | 'google.protobuf.Duration'
  | 'type';

export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
  }
  if (value === null) return 'null_type';
  if (value instanceof List || Array.isArray(value)) return 'list';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  return value instanceof TypeName ? 'type' : 'map';
}

/** A member of JSON as a value: a number without a fraction is an int as long as a double holds it exactly. */
export function read(raw: Raw): Value {
  return typeof raw === 'number' && Number.isSafeInteger(raw) ? BigInt(raw) : raw;
}

export function isList(value: Value): value is List | readonly Raw[] {
  return value instanceof List || Array.isArray(value);
}

export function isMap(value: Value): value is Dict | { readonly [name: string]: Raw } {
  return typeof value === 'object' && kindOf(value) === 'map';
}

export function sizeOfList(list: List | readonly Raw[]): number {
  return list instanceof List ? list.items.length : list.length;
}

/** The item at an index within the list. */
export function itemOf(list: List | readonly Raw[], index: number): Value {
  return list instanceof List ? (list.items[index] as Value) : read(list[index] as Raw);
}

/** Undefined where there is no such member; inherited ones (`constructor`, `__proto__`) are none. */
export function memberOf(map: Dict | { readonly [name: string]: Raw }, name: string): Value | undefined {
  if (map instanceof Dict) return map.members.get(name);
  return Object.hasOwn(map, name) ? read(map[name] as Raw) : undefined;
}

export function namesOf(map: Dict | { readonly [name: string]: Raw }): readonly string[] {
  return map instanceof Dict ? [...map.members.keys()] : Object.keys(map);
}
