import { describe, expect, test } from 'vitest';
import { evaluate, problemsOf } from './speak.ts';

describe('JSON as CEL sees it', () => {
  test('a number without a fraction is an int, any other a double', () => {
    const numbers = { whole: 3, fraction: 3.5, zero: -0, large: 1e21 };
    expect(evaluate('type(v.whole) == int && type(v.fraction) == double', numbers)).toBe(true);
    expect(evaluate('v.whole + 1 == 4 && v.zero == 0 && type(v.zero) == int', numbers)).toBe(true);
    expect(evaluate('type(v.large) == double && v.large > 9007199254740993', numbers)).toBe(true);
    expect(evaluate('v.list[0] + 1 == 2 && v.list.all(n, type(n) == int)', { list: [1, 2] })).toBe(true);
  });

  test('int and double are compared by their worth, and never added', () => {
    expect(evaluate('v.n == 3.0 && v.n < 3.5 && v.n in [1.0, 3.0]', { n: 3 })).toBe(true);
    expect(evaluate('v.n + 0.5 > 3.0', { n: 3 })).toBe('v.n + 0.5: is not there for values of these types');
    expect(evaluate('double(v.n) + 0.5 > 3.0', { n: 3 })).toBe(true);
  });

  test('null is there, and missing is not', () => {
    expect(evaluate('v.a == null', { a: null })).toBe(true);
    expect(evaluate('has(v.a)', { a: null })).toBe(true);
    expect(evaluate('v.a == null', {})).toBe('v.a: is missing');
    expect(evaluate('has(v.a)', {})).toBe(false);
    expect(evaluate('has(v.a.b)', {})).toBe('v.a: is missing');
    expect(evaluate('has(v.a.b)', { a: 'text' })).toBe('v.a.b: asks for a member of what is no map');
    expect(evaluate('has(v.a) && has(v.a.b)', {})).toBe(false);
  });

  test('values of different types are unequal, which is no fault; they have no order, which is one', () => {
    expect(evaluate('v.a == "1" || v.a == true || v.a == [1] || v.a == null', { a: 1 })).toBe(false);
    expect(evaluate('v.a != "1"', { a: 1 })).toBe(true);
    expect(evaluate('v.a < 2', { a: '1' })).toBe('v.a < 2: is not there for values of these types');
    expect(evaluate('v.a == v.b && v.a != v.c', { a: [1, { x: [2] }], b: [1, { x: [2] }], c: [1, { x: [3] }] })).toBe(
      true,
    );
    expect(evaluate('v.a == {"x": [1, "y"]}', { a: { x: [1, 'y'] } })).toBe(true);
  });

  test('what an operator needs it gets, or there is no value', () => {
    const whole = { text: 'a', n: 1, list: [1], map: { a: 1 } };
    for (const expression of [
      'v.text && true',
      '!v.n',
      'v.n ? true : false',
      '-v.text == 1',
      'v.text[0] == "a"',
      'v.list["0"] == 1',
      'v.list[0.5] == 1',
      'v.map[0] == 1',
      'v.list[1] == 1',
      'v.list[-1] == 1',
      'v.map.b == 1',
      'v.n.all(x, true)',
      'v.list.all(x, x)',
      'v.n.startsWith("a")',
      'size(v.n) == 1',
      '"a" in v.text',
      'v.n / 0 == 1',
      'v.n % 0 == 1',
      'int(v.text) == 1',
      'duration(v.text) > duration("1s")',
      'timestamp(v.text) > timestamp(0)',
      'v.list.join(",") == "1"',
      '9223372036854775807 + v.n > 0',
      '{v.text: 1, "a": 2}.a == 1',
    ]) {
      expect(evaluate(expression, whole), expression).toBeTypeOf('string');
    }
  });

  test('a value that is no bool holds nothing', () => {
    expect(evaluate('v.admin', { admin: true })).toBe(true);
    for (const admin of ['true', 1, [true], { a: true }, null]) {
      expect(evaluate('v.admin', { admin })).toBe('its value is not true or false');
    }
  });
});

describe('and, or, all, exists', () => {
  test('the operand that settles it does so, wherever it stands', () => {
    expect(evaluate('v.missing == 1 || true')).toBe(true);
    expect(evaluate('true || v.missing == 1')).toBe(true);
    expect(evaluate('v.missing == 1 && false')).toBe(false);
    expect(evaluate('v.missing == 1 || false')).toBe('v.missing: is missing');
    expect(evaluate('v.missing == 1 && true')).toBe('v.missing: is missing');
  });

  test('one that holds is enough for exists, one that does not for all; else what has no value counts', () => {
    const list = { list: [{ a: 1 }, {}, { a: 2 }] };
    expect(evaluate('v.list.exists(x, x.a == 2)', list)).toBe(true);
    expect(evaluate('v.list.exists(x, x.a == 3)', list)).toBe('x.a: is missing');
    expect(evaluate('v.list.all(x, x.a < 2)', list)).toBe(false);
    expect(evaluate('v.list.all(x, x.a < 3)', list)).toBe('x.a: is missing');
    expect(evaluate('v.list.exists_one(x, x.a == 1)', list)).toBe('x.a: is missing');
    expect(evaluate('v.list.filter(x, has(x.a)).map(x, x.a * 2) == [2, 4]', list)).toBe(true);
    expect(evaluate('v.list.map(x, has(x.a), x.a) == [1, 2]', list)).toBe(true);
  });

  test('loops stand in loops, each with a variable of its own', () => {
    const tree = { rows: [[1, 2], [3], []] };
    expect(evaluate('v.rows.exists(row, row.exists(n, n == 3)) && !v.rows.all(row, row.all(n, n < 3))', tree)).toBe(
      true,
    );
    expect(evaluate('v.rows.map(x, x.map(x, x + 1)) == [[2, 3], [4], []]', tree)).toBe(true);
    expect(evaluate('v.map.all(name, v.map[name] > 0) && "a" in v.map', { map: { a: 1, b: 2 } })).toBe(true);
  });
});

describe('text', () => {
  test('matches finds a part, as CEL has it, unless ^ and $ say otherwise', () => {
    expect(evaluate('v.t.matches("b+")', { t: 'abbc' })).toBe(true);
    expect(evaluate('v.t.matches("^b+$")', { t: 'abbc' })).toBe(false);
    // RE2 as CEL: "$" is the very end, not the end before a last line break.
    expect(evaluate('v.t.matches("^admin$")', { t: 'admin\n' })).toBe(false);
  });

  test('letter case is that of ASCII alone: the Kelvin sign is no k, the long s no s', () => {
    expect(evaluate('v.t.lowerAscii() == "kelvin"', { t: '\u212aELVIN' })).toBe(false);
    expect(evaluate('v.t.lowerAscii() == "kelvin" && v.t.upperAscii() == "KELVIN"', { t: 'KeLViN' })).toBe(true);
    expect(evaluate('v.t.upperAscii() == "SS"', { t: '\u017f\u017f' })).toBe(false);
  });

  test('size counts code points, and order goes by them', () => {
    expect(evaluate('size(v.t) == 2 && v.t.size() == 2', { t: 'a\u{1f600}' })).toBe(true);
    expect(evaluate('v.a < v.b', { a: '\uff5e', b: '\u{1f600}' })).toBe(true);
  });

  test('text is cut and joined', () => {
    expect(evaluate('v.t.split("@")[1] == "example.com"', { t: 'joe@example.com' })).toBe(true);
    expect(evaluate('"read" in v.t.split(" ")', { t: 'write read' })).toBe(true);
    expect(
      evaluate('["a", "b"].join("-") == "a-b" && " a ".trim() == "a" && v.t.split("").size() == 2', { t: 'xy' }),
    ).toBe(true);
    expect(evaluate('v.t.contains("b") && v.t.startsWith("a") && v.t.endsWith("c")', { t: 'abc' })).toBe(true);
  });
});

describe('times', () => {
  test('NumericDates, with a fraction or without, are times', () => {
    const claims = { iat: 1_700_000_000, exp: 1_700_003_600.5 };
    expect(evaluate('timestamp(v.exp) - timestamp(v.iat) > duration("1h")', claims)).toBe(true);
    expect(evaluate('timestamp(v.iat) == timestamp("2023-11-14T22:13:20Z")', claims)).toBe(true);
    expect(
      evaluate('timestamp(v.iat).getHours() == 22 && timestamp(v.iat).getHours("Europe/Berlin") == 23', claims),
    ).toBe(true);
    expect(
      evaluate('timestamp(v.iat).getHours("+05:30") == 3 && timestamp(v.iat).getDayOfWeek("+05:30") == 3', claims),
    ).toBe(true);
  });

  test('a time zone has its summer, and its days', () => {
    const text = 'timestamp(v.t).getHours("Europe/Berlin") == 1 && timestamp(v.t).getDate("Europe/Berlin") == 1';
    expect(evaluate(text, { t: '2026-06-30T23:30:00Z' })).toBe(true);
    expect(evaluate('timestamp(v.t).getDayOfYear("Europe/Berlin") == 0', { t: '2026-12-31T23:30:00Z' })).toBe(true);
  });

  test.each([
    '2026-02-30T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01',
    '2026-01-01T00:00:00',
    '0000-01-01T00:00:00Z',
    'Jan 1 2026 00:00:00 GMT',
    '1',
    '',
  ])('%s is no time', (t) => {
    expect(evaluate('timestamp(v.t) > timestamp(0)', { t })).toContain('is no time');
  });

  test.each([1e300, -1e300, 1e12, 253_402_300_800])('%d is no time', (t) => {
    expect(evaluate('timestamp(v.t) > timestamp(0)', { t })).toContain('is no time');
  });
});

describe('names that JavaScript gives a meaning to have none', () => {
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__'];

  test.each(names)('%s', (name) => {
    expect(evaluate(`"${name}" in v`, { a: 1 })).toBe(false);
    expect(evaluate(`v["${name}"] == v["${name}"]`, { a: 1 })).toContain('is missing');
    expect(evaluate(`v.a["${name}"] == 1`, { a: [1] })).toContain('a list is indexed by an int');
    expect(evaluate(`"${name}" in {"a": 1}`)).toBe(false);
    expect(evaluate(`{"a": 1}["${name}"] == 1`)).toContain('is missing');
    if (name !== '__proto__') expect(evaluate(`v.a.${name} == 1 || true`, { a: 'text' })).toBe(true);
  });

  test('a claim that is called so is a claim like any other', () => {
    const claims = JSON.parse('{"constructor": "x", "a": {"constructor": null, "toString": 1, "valueOf": {}}}');
    expect(evaluate('v.constructor == "x" && v.a.constructor == null && v.a.toString == 1', claims)).toBe(true);
    expect(evaluate('v.a == {"constructor": null, "toString": 1, "valueOf": {}} && size(v.a) == 3', claims)).toBe(true);
    expect(evaluate('v.a.exists(name, name == "constructor") && type(v.a) == map', claims)).toBe(true);
    expect(evaluate('{"__proto__": 1}["__proto__"] == 1 && size({"__proto__": 1}) == 1')).toBe(true);
  });

  test('JSON that looks like what we make is JSON', () => {
    for (const like of [
      { items: [1] },
      { members: {} },
      { nanoseconds: 1 },
      { detail: 'x', final: true },
      { name: 'int' },
    ]) {
      expect(evaluate('type(v.x) == map', { x: like })).toBe(true);
    }
  });
});

describe('what is wrong is found when it is compiled', () => {
  test.each([
    ['w.a == 1', 'w: there is no w here'],
    ['v.a == 1 &&', ': ends before it is complete'],
    ['(v.a == 1', ': ends before it is complete'],
    ['v.a ++ 1', '+: unexpected token: plus'],
    ['1 + "a" == 2', '1 + "a": no such overload: int + string'],
    ['size(v)', 'size(v): must be true or false, and is int'],
    ['v.a == 1u', '1u: bytes and unsigned numbers are not there: no claim is one'],
    ['v.a == b"x"', 'b"x": bytes and unsigned numbers are not there: no claim is one'],
    ['v.a == 9223372036854775808', '9223372036854775808: an int is beyond 64 bits'],
    ['v.a.matches("(a")', '"(a": is no RE2 expression: error parsing regexp: missing closing ): `(a`'],
    [
      'v.a.matches("(?=a)")',
      '"(?=a)": is no RE2 expression: error parsing regexp: invalid or unsupported Perl syntax: `(?=`',
    ],
    [
      'v.a.matches("(a)\\\\1")',
      '"(a)\\\\1": is no RE2 expression: error parsing regexp: invalid escape sequence: `\\1`',
    ],
    ['v.a.matches(v.b)', 'v.b: must be a regular expression in quotes'],
    ['v.a.matches("a" + "b")', '"a" + "b": must be a regular expression in quotes'],
    ['cel.bind(x, v.a, x == 1)', 'cel.bind(x, v.a, x == 1): there is no bind() of a value here'],
    ['v.a.substring(1) == "a"', 'v.a.substring(1): there is no substring() of a value here'],
    ['duration("1x") > duration("1s")', 'duration("1x"): duration("1x"): is no duration such as 90s, 1h30m or 250ms'],
    [
      'timestamp(v.t).getHours("Mars/Base") == 1',
      '"Mars/Base": must be a time zone in quotes: "Europe/Berlin" or "+02:00"',
    ],
    ['v.list.exists(v, v == 1)', 'v: v means something else already: take another name'],
    ['v.list.exists(list, list == 1)', 'list: list means something else already: take another name'],
    ['v.list.exists(1, true)', '1: exists(var, predicate) invalid predicate iteration variable'],
    ['has(v["a"])', 'v["a"]: has() invalid argument'],
    ['has(v)', 'v: has() invalid argument'],
  ])('%s', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });
});
