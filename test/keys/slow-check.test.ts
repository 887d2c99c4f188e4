import { constants, type KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import { checkOffThread } from '../../src/keys/slow-check.ts';
import { keyPair } from '../support/key-pairs.ts';

const pair = keyPair('ES512', 'k');

function checkOf(raw: string, key: KeyObject = pair.publicKey) {
  const cut = raw.lastIndexOf('.');
  return {
    digest: 'sha512',
    input: { key, dsaEncoding: 'ieee-p1363' } as const,
    signingInput: raw.slice(0, cut),
    signature: Buffer.from(raw.slice(cut + 1), 'base64url'),
  };
}

test('one check serves all who ask for it while it is under way; then it is made anew', async () => {
  const raw = pair.sign({ sub: 'a' });
  const first = checkOffThread(checkOf(raw));
  expect(checkOffThread(checkOf(raw))).toBe(first);
  expect(await first).toBe(true);
  const second = checkOffThread(checkOf(raw));
  expect(second).not.toBe(first);
  expect(await second).toBe(true);
});

test('nobody gets the answer to another question: of another key, text, signature or padding', async () => {
  const raw = pair.sign({ sub: 'a' });
  const other = pair.sign({ sub: 'b' });
  const forged = `${raw.slice(0, raw.lastIndexOf('.'))}${other.slice(other.lastIndexOf('.'))}`;
  const stranger = keyPair('ES512', 'k').publicKey;
  const answers = [checkOf(raw), checkOf(other), checkOf(forged), checkOf(raw, stranger)].map(checkOffThread);
  expect(new Set(answers).size).toBe(4);
  expect(await Promise.all(answers)).toEqual([true, true, false, false]);

  const rsa = keyPair('RS256', 'r');
  const rsaCheck = { ...checkOf(rsa.sign({ sub: 'a' })), digest: 'sha256' };
  const padded = (padding: number) => checkOffThread({ ...rsaCheck, input: { key: rsa.publicKey, padding } });
  const [pkcs1, pss] = [padded(constants.RSA_PKCS1_PADDING), padded(constants.RSA_PKCS1_PSS_PADDING)];
  expect(await Promise.all([pkcs1, pss])).toEqual([true, false]);
});
