import { describe, expect, test } from 'vitest';
import { mostCharacters, mostLevels, mostNodes, mostText } from '../../src/cel/bounds.ts';
import type { Raw } from '../../src/cel/value.ts';
import { startCpuTime } from '../support/cpu-time.ts';
import { evaluate, problemsOf } from './speak.ts';

const tooManySteps = 'it takes too many steps on this request';
const letters = (count: number) => 'a'.repeat(count);
const ones = (count: number): Raw => Array.from({ length: count }, () => 1);

/** Far more than any of them takes, and far less than what it would take unbounded. */
const longMs = 2000;

function timed<T>(work: () => T): T {
  const cpuMs = startCpuTime();
  const result = work();
  expect(cpuMs()).toBeLessThan(longMs);
  return result;
}

describe('an expression is small', () => {
  test('long text, many parts and deep nesting are refused before they are looked at', () => {
    expect(problemsOf(`v.a == "${letters(mostCharacters)}"`)[0]).toContain('is longer than 4096 characters');
    const parts = Array.from({ length: mostNodes / 2 }, () => 'v.a').join('+');
    expect(problemsOf(parts)[0]).toContain('has more than 500 parts');
    for (const [open, close] of ['()', '[]'] as const) {
      const nested = `${(open as string).repeat(mostLevels + 1)}1${(close as string).repeat(mostLevels + 1)} == 1`;
      expect(problemsOf(nested)[0]).toContain('nested more than 40 levels deep');
    }
    expect(problemsOf(`v${'.a'.repeat(mostLevels + 1)} == 1`)[0]).toContain('nested more than 40 levels deep');
  });

  test('a thousand brackets, signs or negations are no way to overflow the stack', () => {
    for (const mark of ['(', '[', '{', '!', '-', 'v.', 'v[', 'size(', 'v?']) {
      expect(timed(() => problemsOf(mark.repeat(1000)))).not.toEqual([]);
      expect(timed(() => problemsOf(`${mark.repeat(1000)}v.a`))).not.toEqual([]);
    }
  });

  test('a regular expression has a bounded program', () => {
    expect(problemsOf('v.t.matches("(a?){500}a{500}")')[0]).toContain('too large a regular expression');
    expect(problemsOf('v.t.matches("(\\\\pL|\\\\pN){900}")')[0]).toContain('too large a regular expression');
    expect(problemsOf('v.t.matches("((a{100}){100}){100}")')[0]).toContain('is no RE2 expression');
  });
});

describe('no value makes it long', () => {
  test.each(['^(a+)+$', '^(a|a)*$', '^(a|aa)+$', '(.*)*b', '^(([a-z])+.)+[A-Z]([a-z])+$', '(a?){20}a{20}b'])(
    'a pattern that drives backtracking engines into the ground: %s',
    (pattern) => {
      const outcome = timed(() => evaluate(`v.t.matches("${pattern}")`, { t: `${letters(30_000)}!` }));
      expect([false, tooManySteps]).toContain(outcome);
    },
  );

  const long: Readonly<Record<string, Raw>> = {
    list: ones(4000),
    lists: Array.from({ length: 2000 }, () => []),
    text: letters(16_000),
    part: `${letters(200)}b`,
    map: Object.fromEntries(Array.from({ length: 800 }, (_, index) => [`k${index}`, index])),
  };

  test.each([
    'v.list.all(x, v.list.all(y, y == 1))',
    'v.list.all(x, v.list.all(y, v.list.all(z, z == 1)))',
    'v.list.exists(x, 2 in v.list)',
    'v.list.map(x, v.list.map(y, v.list)) == []',
    'v.list.filter(x, v.list.filter(y, true) != []) == []',
    'v.list.exists_one(x, v.list.exists_one(y, false))',
    'v.list.all(x, v.list + v.list != [])',
    'v.list.all(x, v.list == v.list + [])',
    'v.list.exists(x, v.text.contains(v.part))',
    'v.list.all(x, v.text.split("") != [])',
    'v.list.all(x, v.text.split("a").join("b") != "")',
    'v.list.all(x, v.text.lowerAscii() != "")',
    'v.list.all(x, size(v.text) > 0)',
    'v.list.all(x, v.text < v.text + "b")',
    'v.list.all(x, v.text + v.text != "")',
    'v.list.exists(x, v.text.matches("b"))',
    'v.list.all(x, size(v.map) > 0)',
    'v.list.all(x, {"a": v.map} == {"a": {"b": 1}} || v.map != {})',
    'v.list.all(x, v.map.exists(name, name == "none") || true)',
    'v.list.all(x, v.map.exists(name, true))',
    'v.list.all(x, v.map != {})',
    'v.list.all(x, timestamp(x).getHours("Europe/Berlin") >= 0)',
    'v.lists.all(x, v.lists.all(y, true))',
  ])('%s', (text) => {
    expect(timed(() => evaluate(text, long))).toBe(tooManySteps);
  });

  test('running out of steps settles nothing: no true beside it makes it true', () => {
    const costly = 'v.list.all(x, v.list.all(y, y == 1))';
    for (const text of [`${costly} || true`, `true && (${costly} || true)`, `[1].exists(x, ${costly}) || true`]) {
      expect(evaluate(text, long)).toBe(tooManySteps);
    }
    expect(evaluate(`[1, 2].exists(n, n == 2 ? true : ${costly})`, long)).toBe(tooManySteps);
    expect(evaluate(`!(${costly} && false)`, long)).toBe(tooManySteps);
  });

  test('text does not grow without end', () => {
    const text = letters(mostText / 2 + 1);
    expect(evaluate('v.t + v.t != ""', { t: text })).toContain('text of more than 65536 characters');
    expect(evaluate('[v.t, v.t].join(",") != ""', { t: text })).toContain('text of more than 65536 characters');
  });

  test('what real rules ask of real tokens is far from the end', () => {
    const claims = {
      scope: Array.from({ length: 50 }, (_, index) => `resource-${index}:read`).join(' '),
      roles: ones(100),
    };
    expect(evaluate('"resource-49:read" in v.scope.split(" ") && v.roles.all(r, r in [1, 2, 3])', claims)).toBe(true);
    expect(evaluate('v.roles.all(r, v.roles.exists(s, s == r))', claims)).toBe(true);
    expect(evaluate('v.scope.matches("(^| )resource-4\\\\d:read( |$)")', claims)).toBe(true);
  });
});
