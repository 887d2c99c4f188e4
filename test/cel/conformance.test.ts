import { tests } from '@bufbuild/cel-spec/testdata/conformance.js';
import { describe, expect, test } from 'vitest';
import { compileExpression } from '../../src/cel/expression.ts';
import { Fault } from '../../src/cel/value.ts';

/*
 * The cases of the CEL specification's own conformance suite (cel-spec v0.25.1) that speak of what claims and requests are
 * made of. Of each, what the suite expects is compared in CEL itself. What is left out by its nature is messages,
 * bytes, unsigned numbers and extensions; what differs on purpose is listed with its reason, and must still differ.
 */

interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly { readonly original: Case }[];
}

interface Case {
  readonly name?: string;
  readonly expr: string;
  readonly value?: Readonly<Record<string, unknown>>;
  readonly evalError?: unknown;
  readonly typeEnv?: unknown;
  readonly bindings?: unknown;
}

const covered =
  /^(?:basic|comparisons|conversions|fields|integer_math|fp_math|lists|logic|macros|parse|string|timestamps|plumbing)\//;

/** Asks for what is not there: it has to be refused when it is compiled, as it is. */
const absent: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /[A-Z]\w*\s*\{|\.Value\b|TestAll/s, why: 'protocol buffer messages' },
  { pattern: /\b(?:b|rb|br)?[bB][rR]?["']|bytes\(/, why: 'bytes' },
  { pattern: /\b(?:0x[\da-f]+|\d+)u\b|uint/i, why: 'unsigned numbers' },
  { pattern: /\.`/, why: 'names in backticks: claims["a-b"]' },
  { pattern: /google\.protobuf|type\((?:timestamp|duration)/, why: 'names of the types of times' },
  { pattern: /\bbytes\b/, why: 'the name of the type of bytes' },
  { pattern: /has\(\{/, why: 'has() of what was made in the expression' },
];

/** Expressions whose outcome differs from the suite's. */
const differing: ReadonlyMap<string, string> = new Map([
  ...[
    'dyn(9223372036854775807) < 9223372036854775808.0',
    'dyn(9223372036854775808.0) > 9223372036854775807',
    'dyn(9223372036854775808.0) <= 9223372036854775807',
    'dyn(9223372036854775807) >= 9223372036854775808.0',
  ].map((expr) => [expr, 'an int and a double are compared exactly, the suite rounds the int'] as const),
  ['int(-9223372036854775808.0)', 'the least int is one'],
  ...[
    "timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z')",
    "timestamp('0001-01-01T00:00:00Z') - timestamp('9999-12-31T23:59:59Z')",
  ].map((expr) => [expr, 'durations are not bounded by 64 bits of nanoseconds'] as const),
]);

interface Outcome {
  readonly where: string;
  readonly expr: string;
  readonly result: 'as the suite says' | 'otherwise' | 'refused at load';
  readonly detail: string;
}

const outcomes: Outcome[] = [];

function walk(suite: Suite, path: string): void {
  for (const { original } of suite.tests ?? []) {
    if (covered.test(path) && original.typeEnv === undefined && original.bindings === undefined) judge(original, path);
  }
  for (const inner of suite.suites ?? []) walk(inner, path === '' ? inner.name : `${path}/${inner.name}`);
}

function judge({ expr, value, evalError }: Case, where: string): void {
  const wanted = value === undefined ? (evalError === undefined ? 'true' : undefined) : celOf(value);
  if (wanted === undefined && evalError === undefined) return;
  const text = wanted === undefined ? `[dyn(${expr}\n)] == []` : `dyn(${expr}\n) == dyn(${wanted})`;
  const compiled = compileExpression(text, {});
  if ('problems' in compiled) {
    // What must fail may do so at once.
    const result = wanted === undefined ? 'as the suite says' : 'refused at load';
    outcomes.push({ where, expr, result, detail: compiled.problems[0]?.message ?? '' });
    return;
  }
  const holds = compiled.holds({});
  const asSaid =
    wanted === undefined ? holds instanceof Fault : wanted.includes('NaN') ? holds === false : holds === true;
  const detail = holds instanceof Fault ? holds.detail : String(holds);
  outcomes.push({ where, expr, result: asSaid ? 'as the suite says' : 'otherwise', detail });
}

/** The suite's values, in CEL. */
function celOf(value: Readonly<Record<string, unknown>>): string | undefined {
  const [kind, of] = Object.entries(value)[0] as [string, never];
  switch (kind) {
    case 'int64Value':
    case 'boolValue':
      return String(of);
    case 'doubleValue':
      return doubleOf(of);
    case 'stringValue':
      return JSON.stringify(of);
    case 'nullValue':
      return 'null';
    case 'typeValue':
      return of;
    case 'listValue': {
      const items = ((of as { values?: never[] }).values ?? []).map(celOf);
      return items.includes(undefined) ? undefined : `[${items.join(', ')}]`;
    }
    case 'mapValue': {
      const entries = (of as { entries?: { key: never; value: never }[] }).entries ?? [];
      const pairs = entries.map((entry) => [celOf(entry.key), celOf(entry.value)]);
      return pairs.flat().includes(undefined) ? undefined : `{${pairs.map((pair) => pair.join(': ')).join(', ')}}`;
    }
    case 'objectValue': {
      const { '@type': type, value: text } = of as { '@type': string; value: string };
      const name = /\.(Timestamp|Duration)$/.exec(type)?.[1]?.toLowerCase();
      return name === undefined ? undefined : `${name}(${JSON.stringify(text)})`;
    }
    default:
      return undefined;
  }
}

function doubleOf(value: number | string): string {
  if (typeof value === 'number') return Number.isInteger(value) ? value.toFixed(1) : String(value);
  return { NaN: 'double("NaN")', Infinity: '(1.0/0.0)', '-Infinity': '(-1.0/0.0)' }[value] ?? value;
}

walk(tests as Suite, '');

/** CEL's maps may have keys of other types than text: no JSON has. */
const isTextless = ({ detail }: Outcome) => detail.includes('a key is no text');

describe("the specification's own cases", () => {
  test('more than 700 of them come out as it says', () => {
    expect(outcomes.filter(({ result }) => result === 'as the suite says').length).toBeGreaterThan(700);
  });

  test('none comes out otherwise, but for what is meant to', () => {
    const otherwise = outcomes.filter((one) => one.result === 'otherwise' && !isTextless(one));
    expect(otherwise.map(({ expr }) => expr).toSorted()).toEqual([...differing.keys()].toSorted());
  });

  test('what is refused at load asks for what is not there, or mixes types that are known', () => {
    const refused = outcomes.filter(({ result }) => result === 'refused at load');
    const unexplained = refused.filter(
      ({ expr, detail }) => !absent.some(({ pattern }) => pattern.test(expr)) && !mixesTypes(expr, detail),
    );
    expect(unexplained.map(({ expr, detail }) => `${expr}: ${detail}`).toSorted()).toEqual([
      '.99 > 9.9e-1: unexpected token: "."',
      '[].all(e, e > 0): its types cannot be told',
    ]);
  });
});

/** The checker is stricter than the suite, which evaluates some cases without checking them. */
function mixesTypes(expr: string, detail: string): boolean {
  return (
    /no such overload|must have the same type|requires bool operands|found no matching overload|^there is no [axf]/.test(
      detail,
    ) && expr !== ''
  );
}
