import { type Frame, outOfSteps, spend } from './frame.ts';
import {
  Duration,
  type Fault,
  isList,
  isMap,
  itemOf,
  kindOf,
  memberOf,
  namesOf,
  sizeOfList,
  Timestamp,
  type Value,
} from './value.ts';

/** Characters that are compared or copied in the time of one step. */
export const charactersAStep = 32;

/**
 * CEL's equality: numbers by what they are worth, lists and maps by their members, and values of different kinds are
 * unequal, which is no fault.
 */
export function equals(a: Value, b: Value, frame: Frame): boolean | Fault {
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length !== b.length) return false;
    return spend(frame, 1 + a.length / charactersAStep) ? a === b : outOfSteps;
  }
  if (!spend(frame, 1)) return outOfSteps;
  if (a === b) return true;
  if (isNumber(a) && isNumber(b)) {
    // biome-ignore lint/suspicious/noDoubleEquals: a bigint and a number, compared exactly (ECMA-262 section 7.2.13)
    return a == b;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isList(a)) return isList(b) && equalLists(a, b, frame);
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanoseconds === b.nanoseconds;
  if (a instanceof Duration) return b instanceof Duration && a.nanoseconds === b.nanoseconds;
  return isMap(a) && isMap(b) && equalMaps(a, b, frame);
}

type AnyList = Parameters<typeof sizeOfList>[0];
type AnyMap = Parameters<typeof namesOf>[0];

function equalLists(a: AnyList, b: AnyList, frame: Frame): boolean | Fault {
  const size = sizeOfList(a);
  if (size !== sizeOfList(b)) return false;
  for (let index = 0; index < size; index++) {
    const same = equals(itemOf(a, index), itemOf(b, index), frame);
    if (same !== true) return same;
  }
  return true;
}

function equalMaps(a: AnyMap, b: AnyMap, frame: Frame): boolean | Fault {
  const names = namesOf(a);
  const others = namesOf(b).length;
  if (!spend(frame, names.length + others)) return outOfSteps;
  if (names.length !== others) return false;
  for (const name of names) {
    const other = memberOf(b, name);
    if (other === undefined) return false;
    const same = equals(memberOf(a, name) as Value, other, frame);
    if (same !== true) return same;
  }
  return true;
}

/** `item in list`. */
export function includes(list: AnyList, item: Value, frame: Frame): boolean | Fault {
  const size = sizeOfList(list);
  for (let index = 0; index < size; index++) {
    const same = equals(itemOf(list, index), item, frame);
    if (same !== false) return same;
  }
  return false;
}

/** Below, at or above zero as `a` stands before, at or after `b`; NaN where neither; undefined where they have no order. */
export function order(a: Value, b: Value, frame: Frame): number | undefined | Fault {
  if (isNumber(a) && isNumber(b)) {
    if (a < b) return -1;
    if (a > b) return 1;
    return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : 0;
  }
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return undefined;
  switch (kind) {
    case 'string':
      if (!spend(frame, 1 + Math.min((a as string).length, (b as string).length) / 8)) return outOfSteps;
      return orderTexts(a as string, b as string);
    case 'bool':
      return Number(a) - Number(b);
    case 'google.protobuf.Timestamp':
    case 'google.protobuf.Duration': {
      const [left, right] = [a as Timestamp | Duration, b as Timestamp | Duration];
      return left.nanoseconds < right.nanoseconds ? -1 : Number(left.nanoseconds > right.nanoseconds);
    }
    default:
      return undefined;
  }
}

/** By code points, where `<` goes by UTF-16 units. */
function orderTexts(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    const [left, right] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (left === right) continue;
    const [leftHigh, rightHigh] = [isSurrogate(left), isSurrogate(right)];
    // A surrogate stands for a code point above all that are none.
    return leftHigh === rightHigh ? left - right : leftHigh ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'bigint' || typeof value === 'number';
}
