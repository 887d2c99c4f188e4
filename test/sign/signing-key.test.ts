import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify, importJWK, type JWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { isKeyProblem, type KeyProblem } from '../../src/keys/key-problem.ts';
import { encodePart, joseHeader, signCompact } from '../../src/sign/compact-jws.ts';
import { importSigningKey, type SigningKey, type SigningKeySpec } from '../../src/sign/signing-key.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsa3072 = generateKeyPairSync('rsa', { modulusLength: 3072 });
const keys: Record<string, KeyObject> = {
  RSA: rsa.privateKey,
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  'P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  Ed25519: generateKeyPairSync('ed25519').privateKey,
  'ML-DSA-44': generateKeyPairSync('ml-dsa-44').privateKey,
};
const pem = (key: KeyObject | undefined) => (key as KeyObject).export({ format: 'pem', type: 'pkcs8' }).toString();

async function keyOf(spec: SigningKeySpec): Promise<SigningKey> {
  const key = await importSigningKey(spec);
  if (isKeyProblem(key)) throw new Error(key.detail);
  return key;
}

async function problemOf(spec: SigningKeySpec): Promise<KeyProblem> {
  const key = await importSigningKey(spec);
  if (!isKeyProblem(key)) throw new Error('expected a problem');
  return key;
}

describe('a token of each algorithm verifies with jose', () => {
  test.each([
    ['RS256', 'RSA'],
    ['RS384', 'RSA'],
    ['RS512', 'RSA'],
    ['PS256', 'RSA'],
    ['PS384', 'RSA'],
    ['PS512', 'RSA'],
    ['ES256', 'P-256'],
    ['ES384', 'P-384'],
    ['ES512', 'P-521'],
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'Ed25519'],
    ['ML-DSA-44', 'ML-DSA-44'],
  ])('%s', async (algorithm, type) => {
    const key = await keyOf({ algorithm, privateKey: pem(keys[type]) });
    const token = await signCompact(key, encodePart(joseHeader(key, {})), encodePart({ sub: 'zoë' }));
    const { payload, protectedHeader } = await compactVerify(token, await importJWK(key.publicJwk as JWK, algorithm));
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({ sub: 'zoë' });
    expect(protectedHeader).toEqual({ typ: 'JWT', alg: algorithm, kid: key.kid });
  });

  test.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])('%s', async (algorithm, bytes) => {
    const secret = Buffer.alloc(bytes, 7);
    const key = await keyOf({ algorithm, secret });
    const token = await signCompact(key, encodePart(joseHeader(key, {})), encodePart({ sub: 'u1' }));
    await expect(compactVerify(token, secret)).resolves.toMatchObject({ protectedHeader: { alg: algorithm } });
  });

  test('RS256 with 3072 bits, which signs off thread', async () => {
    const key = await keyOf({ algorithm: 'RS256', privateKey: pem(rsa3072.privateKey) });
    const signature = key.sign('input');
    expect(signature).toBeInstanceOf(Promise);
    expect(verify('sha256', Buffer.from('input'), rsa3072.publicKey, await signature)).toBe(true);
  });
});

describe('what is published of a key', () => {
  test.each(Object.entries({ RS256: 'RSA', ES256: 'P-256', EdDSA: 'Ed25519', 'ML-DSA-44': 'ML-DSA-44' }))(
    '%s: no private member, and the thumbprint of RFC 7638 for a kid',
    async (algorithm, type) => {
      const { publicJwk } = await keyOf({ algorithm, privateKey: pem(keys[type]) });
      const members = Object.keys(publicJwk ?? {}).filter((name) => !['alg', 'kid', 'use'].includes(name));
      expect(members.filter((name) => !['kty', 'crv', 'x', 'y', 'n', 'e', 'pub'].includes(name))).toEqual([]);
      expect(publicJwk).toMatchObject({ alg: algorithm, use: 'sig' });
      expect(publicJwk?.kid).toBe(await calculateJwkThumbprint(publicJwk as JWK));
    },
  );

  test('a configured kid takes the place of the thumbprint', async () => {
    const key = await keyOf({ algorithm: 'ES256', privateKey: pem(keys['P-256']), kid: '2026-11' });
    expect([key.kid, key.publicJwk?.kid]).toEqual(['2026-11', '2026-11']);
  });

  test('kid: null leaves it out of tokens, not out of the set', async () => {
    const key = await keyOf({ algorithm: 'ES256', privateKey: pem(keys['P-256']), kid: null });
    expect(key.kid).toBeUndefined();
    expect(key.publicJwk?.kid).toMatch(/^[\w-]{43}$/);
  });

  test('nothing of a secret', async () => {
    const key = await keyOf({ algorithm: 'HS256', secret: Buffer.from('s'.repeat(40)) });
    expect(key.publicJwk).toBeUndefined();
    expect(key.kid).toBeUndefined();
    expect(JSON.stringify(key)).not.toContain('ssss');
    expect(JSON.stringify(key)).not.toContain(Buffer.from('s'.repeat(40)).toString('base64url').slice(0, 12));
  });
});

describe('a key tells itself from others', () => {
  const key = pem(keys['P-256']);

  test('by its material, algorithm and kid', async () => {
    const ids = await Promise.all(
      [
        { algorithm: 'ES256', privateKey: key },
        { algorithm: 'ES256', privateKey: key, kid: 'a' },
        { algorithm: 'RS256', privateKey: pem(rsa.privateKey) },
        { algorithm: 'PS256', privateKey: pem(rsa.privateKey) },
        { algorithm: 'HS256', secret: Buffer.alloc(32, 1) },
        { algorithm: 'HS256', secret: Buffer.alloc(32, 2) },
      ].map(async (spec) => (await keyOf(spec)).id),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('however it is written', async () => {
    const sec1 = keys['P-256']?.export({ format: 'pem', type: 'sec1' }).toString() as string;
    const [a, b] = await Promise.all([key, sec1].map((privateKey) => keyOf({ algorithm: 'ES256', privateKey })));
    expect(a?.id).toBe(b?.id);
  });
});

describe('a key that is not fit for its algorithm is refused:', () => {
  const weakRsa = () => pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey);
  const pssOnly = () => pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey);
  const otherCurve = () => pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey);
  const encryptionKey = () => pem(generateKeyPairSync('x25519').privateKey);

  test.each<[string, () => SigningKeySpec, KeyProblem['code'], string]>([
    ['an algorithm nobody knows', () => ({ algorithm: 'HS1', secret: Buffer.alloc(64) }), 'unsupported', 'HS512'],
    ['none', () => ({ algorithm: 'none', secret: Buffer.alloc(64) }), 'unsupported', '"none"'],
    ['a short secret', () => ({ algorithm: 'HS256', secret: Buffer.alloc(31) }), 'weak', 'HS256 needs 32'],
    [
      'an empty secret',
      () => ({ algorithm: 'HS256', secret: Buffer.alloc(0), allowWeakSecret: true }),
      'weak',
      'empty',
    ],
    [
      'no secret',
      () => ({ algorithm: 'HS256', privateKey: pem(rsa.privateKey) }),
      'algorithmMismatch',
      'with a secret',
    ],
    ['no private key', () => ({ algorithm: 'RS256', secret: Buffer.alloc(64) }), 'algorithmMismatch', 'a private key'],
    [
      'secret and private key',
      () => ({ algorithm: 'RS256', secret: Buffer.alloc(64), privateKey: pem(rsa.privateKey) }),
      'algorithmMismatch',
      'not both',
    ],
    ['RSA of 1024 bits', () => ({ algorithm: 'RS256', privateKey: weakRsa() }), 'weak', '1024 bits'],
    ['an RSA key for PSS alone', () => ({ algorithm: 'PS256', privateKey: pssOnly() }), 'unsupported', 'kind'],
    ['RSA for ES256', () => ({ algorithm: 'ES256', privateKey: pem(rsa.privateKey) }), 'algorithmMismatch', 'RS256'],
    ['P-256 for ES384', () => ({ algorithm: 'ES384', privateKey: pem(keys['P-256']) }), 'algorithmMismatch', 'ES256'],
    ['secp256k1', () => ({ algorithm: 'ES256', privateKey: otherCurve() }), 'unsupported', 'secp256k1'],
    ['X25519', () => ({ algorithm: 'EdDSA', privateKey: encryptionKey() }), 'unsupported', 'X25519'],
  ])('%s', async (_, spec, code, detail) => {
    const problem = await problemOf(spec());
    expect(problem.code).toBe(code);
    expect(problem.detail).toContain(detail);
  });

  test('a short secret passes with allowWeakSecret', async () => {
    await expect(
      keyOf({ algorithm: 'HS256', secret: Buffer.from('abc'), allowWeakSecret: true }),
    ).resolves.toBeDefined();
  });

  test('an EC key that carries the public part of another', async () => {
    const [one, other] = [0, 1].map(() => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return privateKey.export({ format: 'der', type: 'sec1' });
    }) as [Buffer, Buffer];
    // RFC 5915: the uncompressed point stands last.
    const mixed = Buffer.concat([one.subarray(0, -65), other.subarray(-65)]).toString('base64');
    const privateKey = `-----BEGIN EC PRIVATE KEY-----\n${mixed}\n-----END EC PRIVATE KEY-----\n`;
    const problem = await problemOf({ algorithm: 'ES256', privateKey });
    expect(problem.detail).toContain('do not belong together');
  });
});
