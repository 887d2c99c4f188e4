import { createHash, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { algorithmNames } from '../../src/keys/algorithms.ts';
import { importJwk } from '../../src/keys/import-jwk.ts';
import { importPem } from '../../src/keys/import-pem.ts';
import { importSecret } from '../../src/keys/import-secret.ts';
import type { ImportedKey } from '../../src/keys/imported-key.ts';
import { isKeyProblem, type KeyProblem } from '../../src/keys/key-problem.ts';
import { asymmetricAlgorithms, keyPair } from '../support/key-pairs.ts';
import { encodePart, hs256Token, rawToken, signedToken } from '../support/raw-token.ts';
import { emptyCache, judge, reasonOf, verifierOf } from '../support/verifier.ts';

const secret = Buffer.alloc(32, 7);
const claims = { sub: 'admin' };

function must(key: ImportedKey | KeyProblem): ImportedKey {
  if (isKeyProblem(key)) throw new Error(key.detail);
  return key;
}

const hmacOnly = new Set(['HS256']);
const secretKey = must(importSecret(secret, { kid: 'shared' }, hmacOnly));
const hmacTenant = verifierOf([secretKey], { algorithms: hmacOnly });

describe('algorithm confusion: a public key as HMAC secret', () => {
  const pair = keyPair('RS256', 'rsa');
  const spellings: [string, Uint8Array | string][] = [
    ['PEM', pair.publicPem],
    ['PEM without its last line break', pair.publicPem.trimEnd()],
    ['PEM with CRLF', pair.publicPem.replaceAll('\n', '\r\n')],
    ['PEM with leading white space', ` \n${pair.publicPem}`],
    ['DER', pair.publicKey.export({ type: 'spki', format: 'der' })],
    ['PKCS #1 PEM', pair.publicKey.export({ type: 'pkcs1', format: 'pem' })],
    ['JWK text', JSON.stringify(pair.jwk)],
    ['modulus', Buffer.from(pair.jwk.n as string, 'base64url')],
  ];

  test.each(spellings)('as %s, where both algorithms are accepted', async (_what, bytes) => {
    const accepted = new Set(['RS256', 'HS256']);
    const tenant = verifierOf(
      [must(await importPem(pair.publicPem, { kid: 'rsa' }, accepted)), must(importSecret(secret, {}, accepted))],
      { algorithms: accepted, kid: 'optional' },
    );
    for (const header of [{ alg: 'HS256', kid: 'rsa' }, { alg: 'HS256' }]) {
      expect(await reasonOf(hs256Token(header, claims, bytes), tenant)).not.toBe('verified');
    }
  });

  test.each(spellings)('as %s, where only RS256 is accepted', async (_what, bytes) => {
    const accepted = new Set(['RS256']);
    const tenant = verifierOf([must(await importPem(pair.publicPem, {}, accepted))], { algorithms: accepted });
    expect(await reasonOf(hs256Token({ alg: 'HS256' }, claims, bytes), tenant)).toBe('algorithmRefused');
  });

  test.each(asymmetricAlgorithms)('an HMAC algorithm never goes with a key of %s', async (name) => {
    const { jwk, publicPem } = keyPair(name);
    const { alg: _, ...anonymous } = jwk;
    for (const hs of ['HS256', 'HS384', 'HS512']) {
      const fromPem = await importPem(publicPem, {}, new Set([hs]));
      expect(fromPem).toMatchObject({ kind: 'problem', code: 'algorithmMismatch' });
      const pinned = await importJwk({ ...anonymous, alg: hs }, { allowSecret: true }, new Set([hs]));
      expect(pinned).toMatchObject({ kind: 'problem', code: 'algorithmMismatch' });
    }
  });

  test('a secret never verifies a public-key algorithm', () => {
    for (const name of asymmetricAlgorithms) {
      expect(importSecret(Buffer.alloc(64, 1), { alg: name }, new Set([name]))).toMatchObject({ kind: 'problem' });
      expect(secretKey.verify(name, 'a.b', Buffer.alloc(64))).toBe(false);
    }
  });
});

describe('algorithm none', () => {
  const spellings = ['none', 'None', 'NONE', 'nOnE', 'NoNe', 'none ', ' none', 'n\u043ene', '', 'null', 'HS256none'];

  test.each(spellings)('spelled %j, unsigned or with a signature', async (alg) => {
    for (const signature of ['', 'AAAA', createHash('sha256').update('x').digest('base64url')]) {
      for (const kid of [undefined, 'shared']) {
        expect(await reasonOf(rawToken({ alg, kid }, claims, signature), hmacTenant)).toBe('algorithmRefused');
      }
    }
  });

  test('even if a config had let it in', async () => {
    const tenant = verifierOf([secretKey], { algorithms: ['none', 'HS256'], kid: 'optional' });
    expect(await reasonOf(rawToken({ alg: 'none' }, claims, ''), tenant)).toBe('keyUnknown');
  });

  test('is no entry of the table', () => {
    expect(algorithmNames.filter((name) => /none/i.test(name))).toEqual([]);
  });
});

describe('the header picks nothing', () => {
  test.each(['hs256', 'Hs256', 'HS256 ', 'HS-256', 'HMACSHA256', 'ＨＳ256'])('an algorithm spelled %j', async (alg) => {
    expect(await reasonOf(hs256Token({ alg, kid: 'shared' }, claims, secret), hmacTenant)).toBe('algorithmRefused');
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('an algorithm named %s', async (alg) => {
    expect(await reasonOf(hs256Token({ alg, kid: 'shared' }, claims, secret), hmacTenant)).toBe('algorithmRefused');
  });

  test('a key of RS256 does not verify PS256, RS384 or RS512 where its alg says RS256', async () => {
    const accepted = new Set(['RS256', 'RS384', 'RS512', 'PS256']);
    const tenant = verifierOf([must(await importJwk(keyPair('RS256', 'k').jwk, {}, accepted))], {
      algorithms: accepted,
    });
    for (const name of ['RS384', 'RS512', 'PS256']) {
      expect(await reasonOf(keyPair(name, 'k').sign(claims), tenant)).toBe('keyUnknown');
    }
  });

  test('a key without alg verifies what its type can, and only what the tenant accepts', async () => {
    const { alg: _, ...jwk } = keyPair('RS256', 'k').jwk;
    const accepted = new Set(['RS256', 'PS256']);
    const tenant = verifierOf([must(await importJwk(jwk, {}, accepted))], { algorithms: accepted });
    expect(await reasonOf(keyPair('RS256', 'k').sign(claims), tenant)).toBe('verified');
    expect(await reasonOf(keyPair('PS256', 'k').sign(claims), tenant)).toBe('verified');
    expect(await reasonOf(keyPair('RS512', 'k').sign(claims), tenant)).toBe('algorithmRefused');
  });

  test('a PKCS #1 v1.5 signature is none for PS256, nor the other way round', async () => {
    const { privateKey, jwk } = keyPair('PS256', 'k');
    const accepted = new Set(['PS256']);
    const tenant = verifierOf([must(await importJwk(jwk, {}, accepted))], { algorithms: accepted });
    expect(await reasonOf(signedToken({ alg: 'PS256', kid: 'k' }, claims, 'sha256', privateKey), tenant)).toBe(
      'signatureInvalid',
    );
  });
});

describe('ECDSA', () => {
  const sizes = [
    ['ES256', 64, 'sha256'],
    ['ES384', 96, 'sha384'],
    ['ES512', 132, 'sha512'],
  ] as const;

  async function tenantOf(name: string) {
    const accepted = new Set([name]);
    const key = must(await importJwk(keyPair(name).jwk, {}, accepted));
    return verifierOf([key], { algorithms: accepted });
  }

  test.each(sizes)(
    'psychic signature (CVE-2022-21449): %s with r = s = 0, and other empty values',
    async (name, size) => {
      const tenant = await tenantOf(name);
      const half = size / 2;
      const one = Buffer.alloc(half);
      one[half - 1] = 1;
      const zero = Buffer.alloc(half);
      const full = Buffer.alloc(half, 0xff);
      for (const signature of [
        ...[Buffer.alloc(size), Buffer.concat([one, zero]), Buffer.concat([zero, one]), Buffer.concat([full, full])],
        ...[Buffer.concat([one, one]), Buffer.alloc(0), Buffer.alloc(2), Buffer.from([0x30, 6, 2, 1, 0, 2, 1, 0])],
      ]) {
        expect(await reasonOf(rawToken({ alg: name }, claims, signature), tenant)).toBe('signatureInvalid');
      }
    },
  );

  test.each(sizes)('DER instead of P1363: %s', async (name, _size, digest) => {
    const pair = keyPair(name);
    const accepted = new Set([name]);
    const tenant = verifierOf([must(await importJwk(pair.jwk, {}, accepted))], { algorithms: accepted });
    const inDer = signedToken({ alg: name }, claims, digest, { key: pair.privateKey, dsaEncoding: 'der' });
    expect(await reasonOf(inDer, tenant)).toBe('signatureInvalid');
    expect(await reasonOf(pair.sign(claims), tenant)).toBe('verified');
  });

  test.each(sizes)('a signature with a byte more or less: %s', async (name, size) => {
    const pair = keyPair(name);
    const accepted = new Set([name]);
    const tenant = verifierOf([must(await importJwk(pair.jwk, {}, accepted))], { algorithms: accepted });
    const raw = pair.sign(claims);
    const dot = raw.lastIndexOf('.');
    const signature = Buffer.from(raw.slice(dot + 1), 'base64url');
    expect(signature.length).toBe(size);
    for (const spoiled of [
      Buffer.concat([signature, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), signature]),
      signature.subarray(1),
      signature.subarray(0, -1),
      Buffer.concat([signature, signature]),
    ]) {
      const respelled = `${raw.slice(0, dot)}.${spoiled.toString('base64url')}`;
      expect(await reasonOf(respelled, tenant)).toBe('signatureInvalid');
    }
  });

  test('a key of another curve is no key for the algorithm', async () => {
    expect(await importJwk({ ...keyPair('ES384').jwk, alg: 'ES256' }, {}, new Set(['ES256']))).toMatchObject({
      code: 'algorithmMismatch',
    });
    expect(await importPem(keyPair('ES384').publicPem, {}, new Set(['ES256']))).toMatchObject({
      code: 'algorithmMismatch',
    });
  });
});

describe('a token that brings its own key', () => {
  const attacker = keyPair('ES256', 'shared');
  const accepted = new Set(['ES256', 'HS256']);
  const tenant = verifierOf([secretKey], { algorithms: accepted, kid: 'optional' });

  test.each([
    ['jwk', attacker.jwk],
    ['jku', 'https://attacker.example/jwks.json'],
    ['x5u', 'https://attacker.example/cert.pem'],
    ['x5c', [attacker.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')]],
  ])('by %s', async (name, value) => {
    expect(await reasonOf(attacker.sign(claims, { [name]: value }), tenant)).toBe('tokenMalformed');
  });

  test('by crit, b64 and unencoded payloads', async () => {
    for (const header of [{ crit: ['b64'], b64: false }, { b64: false }, { crit: ['x'], x: 1 }, { crit: [] }]) {
      const raw = hs256Token({ alg: 'HS256', kid: 'shared', ...header }, claims, secret);
      expect(await reasonOf(raw, tenant)).toBe('tokenMalformed');
    }
  });
});

describe('kid injection', () => {
  const kids = [
    '../../../../dev/null',
    '/dev/null',
    "' UNION SELECT 'key' --",
    '| sleep 10',
    'shared\0',
    'shared ',
    'SHARED',
    '__proto__',
    'constructor',
    'https://attacker.example/key',
    'ＳＨＡＲＥＤ',
    '',
    '0',
  ];

  test.each(kids)('%j is nothing but a name that no key has', async (kid) => {
    for (const bytes of [secret, Buffer.alloc(0), 'key']) {
      expect(await reasonOf(hs256Token({ alg: 'HS256', kid }, claims, bytes), hmacTenant)).toBe('keyUnknown');
    }
  });

  test('what the log gets of it is short and printable', async () => {
    const kid = `\u001b[31mx\r\n"${'y'.repeat(1000)}`;
    const verdict = await judge(hs256Token({ alg: 'HS256', kid }, claims, secret), hmacTenant);
    expect(verdict).toMatchObject({ reason: 'keyUnknown' });
    const { detail } = verdict as { detail: string };
    expect(detail).toMatch(/^[\x20-\x7e]+$/);
    expect(detail.length).toBeLessThan(200);
  });

  test('what the log gets of an algorithm is short and printable', async () => {
    const verdict = await judge(rawToken({ alg: `\n${'z'.repeat(5000)}` }, claims), hmacTenant);
    expect((verdict as { detail: string }).detail).toMatch(/^[\x20-\x7e]{1,200}$/);
  });
});

describe('one token has one spelling', () => {
  test('spare bits, padding, white space and the other alphabet never verify, cached or not', async () => {
    const verdicts = emptyCache();
    const good = hs256Token({ alg: 'HS256', kid: 'shared' }, claims, secret);
    expect(await reasonOf(good, hmacTenant, verdicts)).toBe('verified');
    const last = good.at(-1) as string;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // 32 bytes leave two spare bits in the last letter: its three neighbours decode to the same bytes.
    const index = alphabet.indexOf(last);
    const neighbours = [index ^ 1, index ^ 2, index ^ 3].map((i) => good.slice(0, -1) + alphabet[i]);
    const others = [`${good}=`, ` ${good}`, `${good} `, `${good}\n`, `${good}.`, good.replace('.', '..')];
    for (const raw of [...neighbours, ...others]) {
      expect(await reasonOf(raw, hmacTenant, verdicts), raw.slice(-4)).toBe('tokenMalformed');
    }
  });

  test('duplicate members are refused even when correctly signed', async () => {
    for (const [header, payload] of [
      ['{"alg":"HS256","kid":"shared","kid":"other"}', '{"sub":"a"}'],
      ['{"alg":"HS256","kid":"shared"}', '{"sub":"user","sub":"admin"}'],
      ['{"alg":"HS256","kid":"shared"}', String.raw`{"sub":"user","\u0073ub":"admin"}`],
    ] as const) {
      expect(await reasonOf(hs256Token(header, payload, secret), hmacTenant)).toBe('tokenMalformed');
    }
  });

  test('a JWE, nested or not, is refused', async () => {
    const five = `${encodePart({ alg: 'dir', enc: 'A128GCM' })}..AAAA.AAAA.AAAA`;
    expect(await reasonOf(five, hmacTenant)).toBe('tokenMalformed');
    const nested = hs256Token({ alg: 'HS256', kid: 'shared', cty: 'JWT' }, five, secret);
    expect(await reasonOf(nested, hmacTenant)).toBe('tokenMalformed');
  });
});

describe('a signature made for something else', () => {
  test('with a public key of the wrong kind throws nothing', async () => {
    for (const name of asymmetricAlgorithms) {
      const accepted = new Set([name]);
      const tenant = verifierOf([must(await importJwk(keyPair(name).jwk, {}, accepted))], { algorithms: accepted });
      for (const length of [0, 1, 31, 32, 63, 64, 65, 96, 128, 132, 255, 256, 257, 512, 2420, 3309, 4627]) {
        const raw = rawToken({ alg: name }, claims, Buffer.alloc(length, 0xa5));
        expect(await reasonOf(raw, tenant), `${name} ${length}`).toBe('signatureInvalid');
      }
    }
  });

  test('the right key with the wrong hash is refused', async () => {
    const pair = keyPair('ES256');
    const accepted = new Set(['ES256']);
    const tenant = verifierOf([must(await importPem(pair.publicPem, {}, accepted))], { algorithms: accepted });
    const input = `${encodePart({ alg: 'ES256' })}.${encodePart(claims)}`;
    const wrongHash = sign('sha384', Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
    expect(await reasonOf(`${input}.${wrongHash.toString('base64url')}`, tenant)).toBe('signatureInvalid');
  });
});
