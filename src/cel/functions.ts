import { int, join, overflow } from './arithmetic.ts';
import { charactersAStep } from './compare.ts';
import { type Frame, outOfSteps, spend } from './frame.ts';
import { parseDuration, parseTimestamp, secondsOf, timestampOf } from './time.ts';
import { typeNames } from './type-names.ts';
import {
  Duration,
  Fault,
  isList,
  isMap,
  itemOf,
  kindOf,
  List,
  namesOf,
  sizeOfList,
  Timestamp,
  type Value,
} from './value.ts';

/** Called with as many arguments as it has parameters; undefined: it is not there for values of these kinds. */
export interface Func {
  readonly parameters: number;
  readonly call: (frame: Frame, ...values: readonly Value[]) => Value | Fault | undefined;
}

type Call = Func['call'];
const one = (call: (frame: Frame, value: Value) => Value | Fault | undefined): Func => ({
  parameters: 1,
  call: call as Call,
});

const notAnInt = new Fault('is no int');
const notADouble = new Fault('is no double');
const notABool = new Fault('is no bool');

const toInt = one((_frame, value) => {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? int(BigInt(Math.trunc(value))) : overflow;
  if (typeof value === 'string')
    return /^[+-]?\d{1,19}$/.test(value) ? int(BigInt(value.replace(/^\+/, ''))) : notAnInt;
  return value instanceof Timestamp ? secondsOf(value) : undefined;
});

const toDouble = one((_frame, value) => {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string') return undefined;
  if (value.length <= 64 && /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(value)) return Number(value);
  return value === 'NaN' ? Number.NaN : notADouble;
});

const toText = one((_frame, value) => {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (value instanceof Timestamp) {
    const { nanoseconds } = value;
    const fraction = (((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).toString().padStart(9, '0');
    const shown = fraction.replace(/0+$/, '');
    const text = new Date(Number(secondsOf(value)) * 1000).toISOString().slice(0, 19);
    return `${text}${shown === '' ? '' : `.${shown}`}Z`;
  }
  if (!(value instanceof Duration)) return undefined;
  const magnitude = value.nanoseconds < 0n ? -value.nanoseconds : value.nanoseconds;
  const fraction = (magnitude % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${value.nanoseconds < 0n ? '-' : ''}${magnitude / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}s`;
});

const boolTexts: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

const toBool = one((_frame, value) => {
  if (typeof value === 'boolean') return value;
  return typeof value === 'string' ? (boolTexts.get(value) ?? notABool) : undefined;
});

/** Of text in code points. */
const size = one((frame, value) => {
  if (typeof value === 'string') return spend(frame, value.length / 8) ? BigInt(codePoints(value)) : outOfSteps;
  if (isList(value)) return BigInt(sizeOfList(value));
  if (!isMap(value)) return undefined;
  const count = namesOf(value).length;
  return spend(frame, count) ? BigInt(count) : outOfSteps;
});

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

const stepsOfTime = 10;

export const functions: Readonly<Record<string, Func>> = {
  size,
  int: toInt,
  double: toDouble,
  string: toText,
  bool: toBool,
  dyn: one((_frame, value) => value),
  type: one((_frame, value) => typeNames[kindOf(value)]),
  timestamp: one((frame, value) => {
    if (typeof value === 'string') return spend(frame, stepsOfTime) ? parseTimestamp(value) : outOfSteps;
    if (typeof value === 'bigint' || typeof value === 'number') return timestampOf(value);
    return value instanceof Timestamp ? value : undefined;
  }),
  duration: one((frame, value) => {
    if (typeof value === 'string') return spend(frame, stepsOfTime) ? parseDuration(value) : outOfSteps;
    return value instanceof Duration ? value : undefined;
  }),
};

const onText = (parameters: number, call: (frame: Frame, text: string, other: string) => Value | Fault): Func => ({
  parameters,
  call: (frame, text, other = '') =>
    typeof text === 'string' && typeof other === 'string' ? call(frame, text, other) : undefined,
});

/** Letter case of ASCII alone: with all of Unicode, the Kelvin sign would become a "k". */
const recased = (range: RegExp, change: (letters: string) => string): Func =>
  onText(1, (frame, text) => (spend(frame, 1 + text.length / 8) ? text.replace(range, change) : outOfSteps));

/** Methods: the first parameter is what stands before the dot. */
export const methods: Readonly<Record<string, readonly Func[]>> = {
  size: [size],
  contains: [
    onText(2, (frame, text, part) => {
      // The search may begin anew at every character.
      const steps = 1 + (text.length * Math.max(part.length, 1)) / charactersAStep;
      return spend(frame, steps) ? text.includes(part) : outOfSteps;
    }),
  ],
  startsWith: [
    onText(2, (frame, text, start) =>
      spend(frame, 1 + start.length / charactersAStep) ? text.startsWith(start) : outOfSteps,
    ),
  ],
  endsWith: [
    onText(2, (frame, text, end) => (spend(frame, 1 + end.length / charactersAStep) ? text.endsWith(end) : outOfSteps)),
  ],
  lowerAscii: [recased(/[A-Z]+/g, (letters) => letters.toLowerCase())],
  upperAscii: [recased(/[a-z]+/g, (letters) => letters.toUpperCase())],
  trim: [onText(1, (frame, text) => (spend(frame, 1 + text.length / 8) ? text.trim() : outOfSteps))],
  split: [
    onText(2, (frame, text, separator) => {
      const steps = 1 + (text.length * Math.max(separator.length, 4)) / charactersAStep;
      if (!spend(frame, steps)) return outOfSteps;
      const parts = separator === '' ? [...text] : text.split(separator);
      return spend(frame, parts.length) ? new List(parts) : outOfSteps;
    }),
  ],
  join: [
    { parameters: 1, call: (frame, list) => joinList(frame, list as Value, '') },
    { parameters: 2, call: (frame, list, separator) => joinList(frame, list as Value, separator as Value) },
  ],
};

function joinList(frame: Frame, list: Value, separator: Value): Value | Fault | undefined {
  if (!isList(list) || typeof separator !== 'string') return undefined;
  const count = sizeOfList(list);
  if (!spend(frame, count)) return outOfSteps;
  const texts: string[] = [];
  for (let index = 0; index < count; index++) {
    const item = itemOf(list, index);
    if (typeof item !== 'string') return undefined;
    texts.push(item);
  }
  return join(texts, separator, frame);
}
