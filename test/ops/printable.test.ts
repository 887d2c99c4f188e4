import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printableText, quoteJson, quotePlain, redactTokens } from '../../src/ops/printable.ts';

const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

test('a quoted text is one line of printable ASCII that reads back as what it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => {
      fc.pre(!text.includes('eyJ'));
      for (const quoted of [quoteJson(text), quotePlain(text)]) {
        expect(quoted).toMatch(/^[ -~]*$/);
        expect(JSON.parse(quoted)).toBe(text);
      }
    }),
  );
});

test.each([
  ['terminal escapes', '\x1b]0;owned\x07\x1b[2J'],
  ['C1 controls', '\x9b31m'],
  ['line breaks', 'a\r\nb\u2028c\u0085d'],
  ['a change of reading direction', 'user\u202egnp.exe'],
])('%s never reach a terminal', (_what, text) => {
  expect(printableText(text)).toMatch(/^[ -~]*$/);
});

test.each([
  ['a path segment', `/x/${token}/y`, '/x/[redacted]/y'],
  ['a bearer credential', `Bearer ${token}`, 'Bearer [redacted]'],
  ['an unsecured token with an empty signature', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.', '[redacted]'],
  ['an encrypted token', 'eyJh.a.b.c.d', '[redacted]'],
  ['two at once', `${token} ${token}`, '[redacted] [redacted]'],
])('a token in %s is cut out', (_where, text, expected) => {
  expect(redactTokens(text)).toBe(expected);
  expect(JSON.parse(quoteJson(text))).toBe(expected);
  expect(printableText(text)).toBe(expected);
});

test('a token that is cut off by the length limit is cut out all the same', () => {
  const long = `${'a'.repeat(500)}${token}`;
  expect(quoteJson(long)).not.toContain('eyJhbG');
  expect(printableText(long)).not.toContain('eyJhbG');
});

test('long text is cut and marked', () => {
  expect(JSON.parse(quoteJson('x'.repeat(10_000)))).toBe(`${'x'.repeat(512)}...`);
});
