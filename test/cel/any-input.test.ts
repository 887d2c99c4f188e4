import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileExpression } from '../../src/cel/expression.ts';
import { Fault, type Raw } from '../../src/cel/value.ts';
import { startCpuTime } from '../support/cpu-time.ts';
import { oneMap } from './speak.ts';

/** Expressions out of small parts, most of which compile, and few of which have a value for any input. */
const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie('expression');
  const pair = fc.tuple(inner, inner);
  return {
    expression: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(
        'v',
        'v.a',
        'v.a.b',
        'v["a"]',
        '1',
        '-1',
        '2.5',
        '"a"',
        'true',
        'null',
        '[]',
        '[1, "a"]',
        '{"a": 1}',
        'x',
      ),
      fc
        .tuple(pair, fc.constantFrom('==', '!=', '<', '>=', '+', '-', '*', '/', '%', 'in', '&&', '||'))
        .map(([[a, b], op]) => `(${a} ${op} ${b})`),
      fc.tuple(pair, inner).map(([[a, b], c]) => `(${a} ? ${b} : ${c})`),
      inner.map((a) => `!(${a})`),
      inner.map((a) => `-(${a})`),
      pair.map(([a, b]) => `${a}[${b}]`),
      fc
        .tuple(inner, fc.constantFrom('size', 'int', 'double', 'string', 'type', 'timestamp', 'duration', 'dyn'))
        .map(([a, f]) => `${f}(${a})`),
      fc
        .tuple(pair, fc.constantFrom('all', 'exists', 'exists_one', 'map', 'filter'))
        .map(([[a, b], f]) => `${a}.${f}(x, ${b})`),
      fc
        .tuple(pair, fc.constantFrom('contains', 'startsWith', 'endsWith', 'split', 'join'))
        .map(([[a, b], f]) => `${a}.${f}(${b})`),
      fc
        .tuple(inner, fc.constantFrom('lowerAscii', 'trim', 'size', 'getHours', 'getSeconds'))
        .map(([a, f]) => `${a}.${f}()`),
    ),
  };
});

test('whatever is compiled and whatever it is asked about: true, false or a fault, and never long', () => {
  let compiled = 0;
  fc.assert(
    fc.property(
      expression,
      fc.dictionary(fc.constantFrom('a', 'b', 'constructor', '__proto__'), fc.jsonValue({ maxDepth: 4 })),
      (text, input) => {
        const one = compileExpression(`dyn(${text})`, oneMap);
        if ('problems' in one) {
          for (const { start, end } of one.problems)
            expect(start >= 0 && start <= end && end <= text.length + 5).toBe(true);
          return;
        }
        compiled++;
        const cpuMs = startCpuTime();
        const value = one.holds(input as Readonly<Record<string, Raw>>);
        expect(cpuMs()).toBeLessThan(2000);
        expect(typeof value === 'boolean' || value instanceof Fault).toBe(true);
        if (value instanceof Fault) expect(value.detail).not.toBe('it cannot be evaluated');
      },
    ),
    { numRuns: 3000 },
  );
  expect(compiled).toBeGreaterThan(300);
});
