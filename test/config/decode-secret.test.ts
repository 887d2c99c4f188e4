import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSecret, findLikelyEncoding } from '../../src/config/decode-secret.ts';

const bytes = fc.uint8Array({ minLength: 0, maxLength: 80 });

describe.each(['hex', 'base64', 'base64url'] as const)('%s', (encoding) => {
  test('gives back whatever was encoded', () => {
    fc.assert(
      fc.property(bytes, (secret) => {
        const text = Buffer.from(secret).toString(encoding);
        expect(Buffer.from(decodeSecret(text, encoding) as Uint8Array)).toEqual(Buffer.from(secret));
      }),
    );
  });

  test('takes no two texts for one secret, but for letter case in hex and padding in base64url', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const decoded = decodeSecret(text, encoding);
        if (!(decoded instanceof Uint8Array)) return;
        const again = Buffer.from(decoded).toString(encoding);
        expect(encoding === 'hex' ? text.toLowerCase() : text.replace(/=+$/, '')).toBe(again.replace(/=+$/, ''));
      }),
    );
  });
});

test.each([
  ['base64', 'YQ', 'its padding ("=" at the end) is missing'],
  ['base64', 'YR==', 'leave encoding out where the secret is plain text'],
  ['base64', 'YQ==\n', 'write it on one line (openssl base64 -A)'],
  ['base64', `${'_-'.repeat(16)}`, 'it would be base64url'],
  ['base64url', `${'+/'.repeat(16)}`, 'it would be base64'],
  ['hex', 'abc', 'leave encoding out where the secret is plain text'],
  ['hex', '0x41', 'leave encoding out where the secret is plain text'],
] as const)('as %s, %j is a problem: %s', (encoding, text, hint) => {
  expect(decodeSecret(text, encoding)).toMatchObject({ hint });
});

test.each([
  ['hex', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
  ['base64', 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg='],
  ['base64url', 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg'],
] as const)('plain text that looks like a key in %s is noticed', (encoding, text) => {
  expect(findLikelyEncoding(text)).toBe(encoding);
});

test.each([
  'correct horse battery staple 12345',
  'x'.repeat(64),
  'a-secret-with-dashes-and-1-digit-XY',
  '12345678'.repeat(8),
])('plain text such as %j is not taken for an encoded key', (text) => {
  expect(findLikelyEncoding(text)).toBeUndefined();
});
