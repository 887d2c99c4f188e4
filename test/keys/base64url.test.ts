import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64url, decodeBase64urlText } from '../../src/keys/base64url.ts';

/** The rule as such: what an encoder writes is the one canonical text of the bytes that a lenient decoder finds in it. */
function isWhatAnEncoderWrites(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}

function goesByTheRule(text: string): boolean {
  const bytes = isWhatAnEncoderWrites(text) ? Buffer.from(text, 'base64url') : undefined;
  const decoded = decodeBase64url(text);
  const same = bytes === undefined ? decoded === undefined : decoded?.equals(bytes) === true;
  return same && decodeBase64urlText(text) === bytes?.toString('utf8');
}

function expectRule(text: string): void {
  if (!goesByTheRule(text)) expect.fail(JSON.stringify(text));
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('base64url is accepted in its canonical spelling alone', () => {
  test('all bytes, of every length, come back from what an encoder writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const text = Buffer.from(bytes).toString('base64url');
        expect(decodeBase64url(text)).toEqual(Buffer.from(bytes));
        expect(decodeBase64urlText(text)).toBe(Buffer.from(bytes).toString('utf8'));
      }),
    );
  });

  test('every text of one or two characters below U+0180 goes by the rule', () => {
    for (let first = 0; first < 0x180; first++) {
      expectRule(String.fromCharCode(first));
      for (let second = 0; second < 0x180; second++) expectRule(String.fromCharCode(first, second));
    }
  });

  test('every last character after one, two and three others goes by the rule: spare bits are refused', () => {
    for (const before of ['A', '_', 'Zz', 'AAA', 'AAAA', 'A-_9a']) {
      for (let last = 0; last < 0x180; last++) expectRule(before + String.fromCharCode(last));
    }
  });

  test.each([
    ['padding', 'QQ=='],
    ['padding of three characters', 'QUE='],
    ['padding where none is due', 'QUFB='],
    ['a padding sign inside', 'QQ==QUFB'],
    ['the other alphabet', 'ab+/'],
    ['one letter of the other alphabet among many', `${'A'.repeat(399)}/`],
    ['a line break', 'QUFB\r\nQUFB'],
    ['a space, a tab or a form feed at an end', 'QUFB '],
    ['NUL', 'QUFB\0QUFB'],
    ['a length that no bytes have', 'QUFBQ'],
    ['a letter whose last eight bits are those of one of the alphabet', '\u0141\u0141\u0141\u0141'],
    ['one such letter among many', `${'A'.repeat(200)}\u0141${'A'.repeat(199)}`],
    ['a full-width letter', 'QUF\uff22'],
    ['a surrogate pair', 'QU\ud83d\ude00'],
    ['a Latin-1 letter', 'QUF\u00e4'],
  ])('%s is refused', (_what, text) => {
    expect(isWhatAnEncoderWrites(text)).toBe(false);
    expect(decodeBase64url(text)).toBeUndefined();
    expect(decodeBase64urlText(text)).toBeUndefined();
  });

  test('texts made of near misses go by the rule', () => {
    const nearMiss = fc.constantFrom(...alphabet, ...'+/= \n\r\t\f\0.~', '\u0141', '\u00e4', '\uff22', '\ufeff', '😀');
    const text = fc.array(fc.oneof({ weight: 40, arbitrary: fc.constantFrom(...alphabet) }, nearMiss), {
      maxLength: 90,
    });
    fc.assert(
      fc.property(text, (characters) => expectRule(characters.join(''))),
      { numRuns: 3000 },
    );
  });

  test('a canonical text with one character changed, put in or taken out goes by the rule', () => {
    const changed = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }),
      at: fc.nat(),
      by: fc.oneof(fc.constantFrom(...alphabet, '+', '/', '=', ' ', '\n', '\u0141'), fc.constant('')),
      replaced: fc.nat({ max: 1 }),
    });
    fc.assert(
      fc.property(changed, ({ bytes, at, by, replaced }) => {
        const text = Buffer.from(bytes).toString('base64url');
        const place = at % (text.length + 1);
        expectRule(text.slice(0, place) + by + text.slice(place + replaced));
      }),
      { numRuns: 3000 },
    );
  });
});

test('a long text after a short one, and a short one after it, are each read whole', () => {
  const long = Buffer.from('ö'.repeat(50_000)).toString('base64url');
  for (const text of ['QUFB', long, 'QUFB', long, '']) {
    expect(decodeBase64urlText(text)).toBe(Buffer.from(text, 'base64url').toString('utf8'));
  }
});
