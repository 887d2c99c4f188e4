import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictBase64urlJson, parseStrictJson } from '../../src/gate/strict-json.ts';

function problemOf(input: Uint8Array | string): string | undefined {
  const parsed = parseStrictJson(input);
  return parsed.kind === 'problem' ? parsed.detail : undefined;
}

describe('strict JSON', () => {
  test.each([
    ['at the root', '{"sub":"a","sub":"b"}'],
    ['in a nested object', '{"user":{"id":1,"id":1}}'],
    ['in an object in a list', '[{"a":1},{"b":1,"b":2}]'],
    ['spelled with an escape', String.raw`{"sub":"a","s\u0075b":"b"}`],
    ['spelled with an escaped solidus', String.raw`{"a/b":1,"a\/b":2}`],
    ['with equal values', '{"a":null,"a":null}'],
    ['that are empty', '{"":1,"":2}'],
    ['that look like list positions', '{"0":1,"0":2}'],
    ['three times', '{"a":1,"a":2,"a":3}'],
    ['where a value holds colons and braces', String.raw`{"a":"}:{\"","a":":"}`],
  ])('refuses duplicate member names %s', (_where, text) => {
    expect(problemOf(text)).toBe('a member name occurs twice in one object');
  });

  test.each([
    ['the same name in different objects', '{"a":{"id":1},"b":{"id":2},"id":3}'],
    ['names that differ in case', '{"a":1,"A":2}'],
    ['names that differ in normalisation', String.raw`{"\u00e9":1,"e\u0301":2}`],
    ['colons, braces and quotes in strings', String.raw`{"a:b":"{\":[","c":"\\"}`],
    ['an empty object', '{}'],
    ['scalars', '"a:b"'],
    ['members called constructor and toString', '{"constructor":1,"toString":2,"hasOwnProperty":3}'],
  ])('accepts %s', (_what, text) => {
    expect(parseStrictJson(text)).toEqual({ kind: 'value', value: JSON.parse(text) });
  });

  test.each([
    ['truncated', '{"a":1'],
    ['a trailing comma', '{"a":1,}'],
    ['a comment', '{"a":1}//'],
    ['single quotes', "{'a':1}"],
    ['NaN', '{"a":NaN}'],
    ['a byte order mark', '\ufeff{}'],
    ['two values', '{}{}'],
    ['nothing', ''],
    ['a leading zero', '{"a":01}'],
    ['a raw line break in a string', '{"a":"\n"}'],
    ['an unfinished escape', '"\\'],
    ['an unfinished string', '{"a":"'],
  ])('refuses %s', (_what, text) => {
    expect(problemOf(text)).toBe('not JSON');
  });

  test('refuses __proto__ as a member name at any depth, and no prototype changes', () => {
    expect(problemOf('{"__proto__":{"admin":true}}')).toBe('a member is named __proto__');
    expect(problemOf(String.raw`{"a":[{"__pr\u006fto__":1}]}`)).toBe('a member is named __proto__');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test.each([
    ['an overlong encoding', [0x22, 0xc0, 0xaf, 0x22]],
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a cut-off sequence', [0x22, 0xe2, 0x82, 0x22]],
    ['a code point beyond Unicode', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x22, 0x00, 0x22, 0x00]],
  ])('refuses invalid UTF-8: %s', (_what, bytes) => {
    expect(problemOf(Uint8Array.from(bytes))).toBe('not valid UTF-8');
  });

  test('refuses lone surrogates, which would make two different ids one when written as UTF-8', () => {
    expect(problemOf(String.raw`{"sub":"\ud800"}`)).toBe('a string holds a lone surrogate');
    expect(problemOf(String.raw`{"\udfff":1}`)).toBe('a member name holds a lone surrogate');
    expect(parseStrictJson(String.raw`{"sub":"\ud83d\ude00"}`)).toEqual({ kind: 'value', value: { sub: '😀' } });
  });

  test.each([
    ['lists', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('refuses deep nesting of %s without growing the stack', (_what, open, close) => {
    const nested = (depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
    expect(problemOf(nested(64))).toBeUndefined();
    expect(problemOf(nested(65))).toBe('nested deeper than 64 levels');
    expect(problemOf(nested(200_000))).toBe('nested deeper than 64 levels');
    expect(problemOf(open.repeat(200_000))).toBe('nested deeper than 64 levels');
  });

  test('keeps two integers apart that a double would make equal', () => {
    expect(parseStrictJson('{"id":9007199254740993,"other":9007199254740992}')).toEqual({
      kind: 'value',
      value: { id: '9007199254740993', other: '9007199254740992' },
    });
    expect(parseStrictJson('[-9007199254740993,{"a":[12345678901234567890]}]')).toEqual({
      kind: 'value',
      value: ['-9007199254740993', { a: ['12345678901234567890'] }],
    });
  });

  test('leaves every other number a number', () => {
    const text = '[9007199254740991,-9007199254740991,0.1234567890123456789,1e3,1732339200,1234567890123456.5,-0]';
    expect(parseStrictJson(text)).toEqual({ kind: 'value', value: JSON.parse(text) });
  });

  test('refuses a number that becomes infinite', () => {
    expect(problemOf('{"exp":1e999}')).toBe('a number is too large');
    expect(problemOf('[[-1e400]]')).toBe('a number is too large');
  });

  test('reads bytes in the middle of a larger buffer', () => {
    const bytes = Buffer.from('xx{"a":"é"}yy');
    expect(parseStrictJson(new Uint8Array(bytes.buffer, bytes.byteOffset + 2, bytes.length - 4))).toEqual({
      kind: 'value',
      value: { a: 'é' },
    });
  });

  test('property: reads whatever JSON.stringify wrote of unsurprising values as JSON.parse does', () => {
    const name = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__proto__');
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof({ maxDepth: 5 }, tie('scalar'), fc.array(tie('json')), fc.dictionary(name, tie('json'))),
      scalar: fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.maxSafeInteger(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n)),
        fc.boolean(),
        fc.constant(null),
      ),
    }));
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(parseStrictJson(Buffer.from(text))).toEqual({ kind: 'value', value: JSON.parse(text) });
      }),
    );
  });

  test('property: a duplicate anywhere is found', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.string(), fc.json({ maxDepth: 2 }), (before, name, value) => {
        const member = `${JSON.stringify(name)}:${value}`;
        expect(parseStrictJson(`{"deep":[${before},{${member},${member}}]}`).kind).toBe('problem');
      }),
    );
  });

  test('property: never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(['value', 'problem']).toContain(parseStrictJson(bytes).kind);
      }),
    );
  });

  test.each([
    ['a quote behind a backslash at the end', '"a\\"'],
    ['a backslash behind a backslash at the end', String.raw`{"a":"b\\","c":1}`],
    ['a string that looks like a list of members', String.raw`{"a":"\",\"b\":\"1","c":{}}`],
    ['a path of another system', String.raw`{"home":"C:\\users\\u"}`],
    ['a colon behind an unfinished string', '{"a":"b:c'],
  ])('finds the ends of strings: %s', (_what, text) => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      expect(problemOf(text)).toBe('not JSON');
      return;
    }
    expect(parseStrictJson(text)).toEqual({ kind: 'value', value });
  });
});

describe('strict JSON in base64url', () => {
  const encoded = (bytes: Uint8Array | string) => Buffer.from(bytes as string).toString('base64url');

  test('U+FFFD is a character, and no sign of invalid UTF-8, where the bytes spell it', () => {
    expect(parseStrictBase64urlJson(encoded('{"a":"\ufffd"}'))).toEqual({ kind: 'value', value: { a: '\ufffd' } });
    const overlong = Buffer.concat([Buffer.from('{"a":"\ufffd'), Buffer.of(0xc0, 0xaf), Buffer.from('"}')]);
    expect(parseStrictBase64urlJson(encoded(overlong))).toEqual({ kind: 'problem', detail: 'not valid UTF-8' });
  });

  test('another spelling of the same bytes is none', () => {
    expect(parseStrictBase64urlJson('e30')).toEqual({ kind: 'value', value: {} });
    for (const text of ['e30=', 'e31', 'e30\n', ' e30']) expect(parseStrictBase64urlJson(text)).toBeUndefined();
  });

  test('property: reads what the bytes themselves read as, valid UTF-8 or not', () => {
    const piece = fc.oneof(
      fc
        .constantFrom(
          '{',
          '}',
          '[',
          ']',
          ':',
          ',',
          '"',
          '\\',
          'u',
          'd800',
          '12345678901234567890',
          '1e999',
          '__proto__',
          '\ufffd',
          'é',
        )
        .map((text) => Buffer.from(text)),
      fc.json().map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const bytes = Buffer.concat(pieces);
        expect(parseStrictBase64urlJson(encoded(bytes))).toEqual(parseStrictJson(bytes));
      }),
      { numRuns: 1000 },
    );
  });
});
