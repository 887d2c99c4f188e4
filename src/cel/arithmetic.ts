import { mostText } from './bounds.ts';
import { charactersAStep } from './compare.ts';
import { type Frame, outOfSteps, spend } from './frame.ts';
import { inDurationRange, inTimestampRange } from './time.ts';
import { Duration, Fault, isList, itemOf, List, sizeOfList, Timestamp, type Value } from './value.ts';

/** Undefined: the operator is not there for values of these kinds. */
export type Binary = (a: Value, b: Value, frame: Frame) => Value | Fault | undefined;

const leastInt = -(2n ** 63n);
const greatestInt = 2n ** 63n - 1n;

export const overflow = new Fault('an int is beyond 64 bits');
const byZero = new Fault('division by zero');
const tooLong = new Fault(`text of more than ${mostText} characters`);

export function int(value: bigint): bigint | Fault {
  return value >= leastInt && value <= greatestInt ? value : overflow;
}

export const arithmetic: Readonly<Record<'+' | '-' | '*' | '/' | '%', Binary>> = {
  '+': (a, b, frame) => {
    if (typeof a === 'bigint' && typeof b === 'bigint') return int(a + b);
    if (typeof a === 'number' && typeof b === 'number') return a + b;
    if (typeof a === 'string' && typeof b === 'string') return concatenate(a, b, frame);
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return undefined;
    if (isList(a) && isList(b)) return concatenateLists(a, b, frame);
    if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanoseconds + b.nanoseconds);
    if (a instanceof Duration && b instanceof Timestamp) return timestamp(a.nanoseconds + b.nanoseconds);
    if (a instanceof Duration && b instanceof Duration) return duration(a.nanoseconds + b.nanoseconds);
    return undefined;
  },
  '-': (a, b) => {
    if (typeof a === 'bigint' && typeof b === 'bigint') return int(a - b);
    if (typeof a === 'number' && typeof b === 'number') return a - b;
    if (a instanceof Timestamp && b instanceof Timestamp) return duration(a.nanoseconds - b.nanoseconds);
    if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanoseconds - b.nanoseconds);
    if (a instanceof Duration && b instanceof Duration) return duration(a.nanoseconds - b.nanoseconds);
    return undefined;
  },
  '*': (a, b) => {
    if (typeof a === 'bigint' && typeof b === 'bigint') return int(a * b);
    return typeof a === 'number' && typeof b === 'number' ? a * b : undefined;
  },
  '/': (a, b) => {
    if (typeof a === 'bigint' && typeof b === 'bigint') return b === 0n ? byZero : int(a / b);
    return typeof a === 'number' && typeof b === 'number' ? a / b : undefined;
  },
  '%': (a, b) => {
    if (typeof a !== 'bigint' || typeof b !== 'bigint') return undefined;
    return b === 0n ? byZero : a % b;
  },
};

export function negate(value: Value): Value | Fault | undefined {
  if (typeof value === 'bigint') return int(-value);
  return typeof value === 'number' ? -value : undefined;
}

function concatenate(a: string, b: string, frame: Frame): string | Fault {
  if (a.length + b.length > mostText) return tooLong;
  return spend(frame, 1 + (a.length + b.length) / charactersAStep) ? a + b : outOfSteps;
}

/** Text that an operation makes of several. */
export function join(texts: readonly string[], separator: string, frame: Frame): string | Fault {
  const length = texts.reduce((sum, text) => sum + text.length + separator.length, 0);
  if (length > mostText) return tooLong;
  return spend(frame, 1 + texts.length + length / charactersAStep) ? texts.join(separator) : outOfSteps;
}

type AnyList = Parameters<typeof sizeOfList>[0];

function concatenateLists(a: AnyList, b: AnyList, frame: Frame): List | Fault {
  const [first, second] = [sizeOfList(a), sizeOfList(b)];
  if (!spend(frame, 1 + first + second)) return outOfSteps;
  return new List(
    Array.from({ length: first + second }, (_, at) => (at < first ? itemOf(a, at) : itemOf(b, at - first))),
  );
}

const farTime = new Fault('a time is before the year 1 or after the year 9999');
const farDuration = new Fault('a duration is longer than 10,000 years');

function timestamp(nanoseconds: bigint): Timestamp | Fault {
  return inTimestampRange(nanoseconds) ? new Timestamp(nanoseconds) : farTime;
}

function duration(nanoseconds: bigint): Duration | Fault {
  return inDurationRange(nanoseconds) ? new Duration(nanoseconds) : farDuration;
}
