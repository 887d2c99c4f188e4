import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { generateKeyPair } from 'jose';
import { describe, expect, test } from 'vitest';
import { algorithmNames, algorithms } from '../../src/keys/algorithms.ts';
import { importJwk } from '../../src/keys/import-jwk.ts';
import { importKeySet } from '../../src/keys/import-key-set.ts';
import { importPem } from '../../src/keys/import-pem.ts';
import { findWeakAlgorithms, importSecret } from '../../src/keys/import-secret.ts';
import type { ImportedKey } from '../../src/keys/imported-key.ts';
import { isKeyProblem, type KeyProblem } from '../../src/keys/key-problem.ts';
import { isRocaModulus } from '../../src/keys/roca.ts';
import { testCertificates } from '../support/certificates.ts';
import { asymmetricAlgorithms, keyPair } from '../support/key-pairs.ts';

const all = new Set(algorithmNames);

function algorithmsOf(key: ImportedKey | KeyProblem): string[] {
  return isKeyProblem(key) ? [key.code] : [...key.algorithms];
}

describe('the table of algorithms', () => {
  test('is exactly what jose verifies', async () => {
    const tried = [
      ...['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'],
      ...['ES256K', 'EdDSA', 'Ed25519', 'Ed448', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87', 'SLH-DSA-SHA2-128s', 'none'],
    ];
    const known: string[] = [];
    for (const name of tried) {
      const supported =
        name.startsWith('HS') ||
        (await generateKeyPair(name)
          .then(() => true)
          .catch(() => false));
      if (supported) known.push(name);
    }
    expect([...all].toSorted()).toEqual(known.toSorted());
  });
});

describe('a secret', () => {
  test.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])('for %s needs %i bytes', (name, bytes) => {
    const accepted = new Set([name]);
    expect(algorithmsOf(importSecret(Buffer.alloc(bytes, 1), {}, accepted))).toEqual([name]);
    expect(importSecret(Buffer.alloc(bytes - 1, 1), {}, accepted)).toMatchObject({
      code: 'weak',
      detail: `the secret has ${bytes - 1} bytes, ${name} needs ${bytes} (RFC 7518 section 3.2)`,
    });
    expect(algorithmsOf(importSecret(Buffer.alloc(5, 1), { allowWeakSecret: true }, accepted))).toEqual([name]);
  });

  test('must be long enough for every HMAC algorithm that is accepted', () => {
    expect(findWeakAlgorithms(48, ['HS256', 'HS384', 'HS512', 'RS256'])).toEqual(['HS512']);
    expect(importSecret(Buffer.alloc(48, 1), {}, new Set(['HS256', 'HS512', 'RS256']))).toMatchObject({ code: 'weak' });
    expect(algorithmsOf(importSecret(Buffer.alloc(48, 1), { alg: 'HS384' }, all))).toEqual(['HS384']);
  });

  test('is never empty, not even where weak ones are allowed', () => {
    expect(importSecret(Buffer.alloc(0), { allowWeakSecret: true }, all)).toMatchObject({ code: 'weak' });
  });

  test('goes with no public-key algorithm', () => {
    expect(importSecret(Buffer.alloc(64, 1), {}, new Set(['RS256']))).toMatchObject({
      code: 'algorithmMismatch',
      detail: 'a secret goes with HS256, HS384 or HS512, not "RS256"',
    });
    expect(importSecret(Buffer.alloc(64, 1), { alg: 'RS256' }, all)).toMatchObject({ code: 'algorithmMismatch' });
  });

  test('is identified without being given away', () => {
    const one = importSecret(Buffer.alloc(32, 1), {}, all) as KeyProblem;
    expect(one.code).toBe('weak');
    const a = importSecret(Buffer.alloc(64, 1), {}, all) as ImportedKey;
    const b = importSecret(Buffer.alloc(64, 1), {}, all) as ImportedKey;
    const c = importSecret(Buffer.alloc(64, 2), {}, all) as ImportedKey;
    expect(a.thumbprint).toBe(b.thumbprint);
    expect(a.thumbprint).not.toBe(c.thumbprint);
    expect(JSON.stringify(a)).not.toContain(Buffer.alloc(64, 1).toString('base64').slice(0, 20));
  });
});

describe('PEM', () => {
  test.each(asymmetricAlgorithms)('public key of %s', async (name) => {
    const { publicPem, jwk } = keyPair(name);
    const key = (await importPem(publicPem, { kid: 'k', alg: name }, all)) as ImportedKey;
    expect([...key.algorithms]).toEqual([name]);
    expect(key.kid).toBe('k');
    expect(key.thumbprint).toBe(((await importJwk(jwk, {}, all)) as ImportedKey).thumbprint);
  });

  test('without alg goes with everything that its type permits and the tenant accepts', async () => {
    const rsa = keyPair('RS256').publicPem;
    expect(algorithmsOf(await importPem(rsa, {}, all))).toEqual(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']);
    expect(algorithmsOf(await importPem(rsa, {}, new Set(['PS256', 'ES256', 'HS256'])))).toEqual(['PS256']);
    expect(algorithmsOf(await importPem(keyPair('EdDSA').publicPem, {}, all))).toEqual(['EdDSA', 'Ed25519']);
    expect(algorithmsOf(await importPem(keyPair('ES512').publicPem, {}, all))).toEqual(['ES512']);
  });

  test('for none of the accepted algorithms says what it would go with', async () => {
    expect(await importPem(keyPair('ES256').publicPem, {}, new Set(['RS256', 'HS256']))).toMatchObject({
      code: 'algorithmMismatch',
      detail: '"EC" "P-256" key goes with ES256, not with "RS256", "HS256"',
    });
  });

  test('PKCS #1 public key', async () => {
    const pem = keyPair('RS256').publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    expect(algorithmsOf(await importPem(pem, {}, new Set(['RS256'])))).toEqual(['RS256']);
  });

  const rsa = keyPair('RS256');
  const ec = keyPair('ES256');
  const privateKeys = [
    ['PKCS #8', rsa.privatePem],
    ['PKCS #1', rsa.privateKey.export({ type: 'pkcs1', format: 'pem' })],
    ['SEC 1', ec.privateKey.export({ type: 'sec1', format: 'pem' })],
    [
      'encrypted PKCS #8',
      ec.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' }),
    ],
    [
      'encrypted PKCS #1',
      rsa.privateKey.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' }),
    ],
    ['OpenSSH', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----'],
  ] as const;

  test.each(privateKeys)('of a private key is refused as such: %s', async (_form, pem) => {
    const problem = (await importPem(pem.toString(), {}, all)) as KeyProblem;
    expect(problem).toMatchObject({ kind: 'problem', code: 'privateKey' });
    expect(problem.detail).toContain('openssl pkey -pubout');
  });

  test('a private key that calls itself public is refused too', async () => {
    const pem = rsa.privatePem.replaceAll('PRIVATE', 'PUBLIC');
    expect(await importPem(pem, {}, all)).toMatchObject({ code: 'malformed' });
  });

  test.each([
    ['leading white space and text', (pem: string) => `\n  Bag Attributes: x\n${pem}`],
    ['CRLF line ends', (pem: string) => pem.replaceAll('\n', '\r\n')],
    ['indentation', (pem: string) => pem.replaceAll(/^/gm, '    ')],
    ['line breaks written as \\n', (pem: string) => pem.trim().replaceAll('\n', '\\n')],
    ['line breaks written as \\r\\n', (pem: string) => pem.trim().replaceAll('\n', '\\r\\n')],
    ['no last line break', (pem: string) => pem.trim()],
  ])('with %s is read all the same', async (_what, change) => {
    expect(algorithmsOf(await importPem(change(ec.publicPem), {}, all))).toEqual(['ES256']);
  });

  test.each([
    ['without BEGIN', ec.publicPem.split('\n').slice(1).join('\n'), 'BEGIN'],
    ['without END', ec.publicPem.split('\n').slice(0, -2).join('\n'), '-----END PUBLIC KEY-----'],
    ['with another END', ec.publicPem.replace('END PUBLIC KEY', 'END CERTIFICATE'), '-----END PUBLIC KEY-----'],
    ['on one line', ec.publicPem.trim().replaceAll('\n', ' '), 'block scalar'],
    ['as bare base64', ec.publicPem.split('\n')[1] ?? '', 'BEGIN'],
    ['twice', ec.publicPem + rsa.publicPem, '2 PEM blocks'],
    ['of something else', '-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----', 'X509 CRL is neither'],
    ['with garbage inside', ec.publicPem.replace('M', '!'), 'not base64'],
    ['cut short', '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI\n-----END PUBLIC KEY-----', "can't be parsed"],
    ['that is empty', '', 'BEGIN'],
  ])('%s is named in the problem', async (_what, text, words) => {
    const problem = (await importPem(text, {}, all)) as KeyProblem;
    expect(problem.kind).toBe('problem');
    expect(problem.detail).toContain(words);
  });

  test('kinds of key that JOSE has no name for are refused, not guessed', async () => {
    const pem = (key: { export: (o: { type: 'spki'; format: 'pem' }) => string | Buffer }) =>
      key.export({ type: 'spki', format: 'pem' }).toString();
    for (const { publicKey } of [
      generateKeyPairSync('ed448'),
      generateKeyPairSync('x25519'),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
      generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }),
    ]) {
      expect(await importPem(pem(publicKey), {}, all), publicKey.asymmetricKeyType).toMatchObject({
        kind: 'problem',
        code: 'unsupported',
      });
    }
  });
});

/** Self-signed, of 2001, P-256; its private key was thrown away. */
const expired = `-----BEGIN CERTIFICATE-----
MIIBLTCB06ADAgECAgkByexahkoPjp4wCgYIKoZIzj0EAwIwETEPMA0GA1UEAwwG
c2lnbmVyMCIYDzIwMDEwMTAxMDAwMDAwWhgPMjAwMjAxMDEwMDAwMDBaMBExDzAN
BgNVBAMMBnNpZ25lcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJ/1ZZo+VA9D
RXA57J5m2kJ/8xqTQx+cKQT2fKNn6z5BCYj1KyQCz1PWSaFOU2dt3+owZu8B8SBv
1LbOFcufby6jEDAOMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSQAwRgIhAJv6
z8zd/Rag3AWxia8Kai63rgciNfa9iiggXk3zp8ZVAiEA/ClMKU8nrq+HNR7PooeR
k/WCOIwQ2DE3adpD4J08hnw=
-----END CERTIFICATE-----
`;

describe('an X.509 certificate', () => {
  test('gives its key', async () => {
    const { cert, key: privatePem } = testCertificates().server;
    const jwk = createPublicKey(privatePem).export({ format: 'jwk' });
    const key = (await importPem(cert, { kid: 'c' }, all)) as ImportedKey;
    expect(key.thumbprint).toBe(((await importJwk(jwk, {}, all)) as ImportedKey).thumbprint);
    expect([...key.algorithms]).toEqual(['ES256']);
  });

  test('is pinned by its config: its dates end nothing', async () => {
    expect(new X509Certificate(expired).validToDate.getTime()).toBeLessThan(Date.now());
    expect(algorithmsOf(await importPem(expired, {}, all))).toEqual(['ES256']);
  });

  test('with its issuers is refused: which of the keys is meant is for the config to say', async () => {
    const { ca, server } = testCertificates();
    expect(await importPem(server.cert + ca, {}, all)).toMatchObject({ code: 'malformed' });
  });
});

describe('a JWK', () => {
  const { jwk, privateKey } = keyPair('ES256', 'k');
  const rsa = keyPair('RS256', 'r').jwk;

  test.each(asymmetricAlgorithms)('of %s', async (name) => {
    const pair = keyPair(name, 'k');
    const key = (await importJwk(pair.jwk, {}, all)) as ImportedKey;
    expect([...key.algorithms]).toEqual([name]);
    expect(key.kid).toBe('k');
    expect(await key.verify(name, 'a.b', Buffer.alloc(64))).toBe(false);
  });

  test.each([
    ['private', { ...privateKey.export({ format: 'jwk' }) }, 'privateKey'],
    ['for encryption by use', { ...jwk, use: 'enc' }, 'notForVerifying'],
    ['for encryption by key_ops', { ...jwk, key_ops: ['encrypt', 'wrapKey'] }, 'notForVerifying'],
    ['with key_ops that is no list', { ...jwk, key_ops: 'verify' }, 'notForVerifying'],
    ['with an algorithm of encryption', { ...rsa, alg: 'RSA-OAEP' }, 'unsupported'],
    ['with an algorithm of another type', { ...jwk, alg: 'RS256' }, 'algorithmMismatch'],
    ['with an algorithm of another curve', { ...jwk, alg: 'ES384' }, 'algorithmMismatch'],
    ['with an algorithm that is no text', { ...jwk, alg: 1 }, 'malformed'],
    ['with alg none', { ...jwk, alg: 'none' }, 'unsupported'],
    ['of an unknown type', { kty: 'XYZ', kid: 'k' }, 'unsupported'],
    ['of an unknown curve', { ...jwk, alg: undefined, crv: 'secp256k1' }, 'unsupported'],
    ['without type', { ...jwk, kty: undefined }, 'malformed'],
    ['without coordinates', { kty: 'EC', crv: 'P-256' }, 'malformed'],
    ['off its curve', { ...jwk, y: jwk.x }, 'malformed'],
    ['with a short coordinate', { ...jwk, x: 'AAAA' }, 'malformed'],
    ['with members of the wrong type', { ...jwk, x: 1 }, 'malformed'],
    ['with a kid that is an object', { ...jwk, kid: {} }, 'malformed'],
    ['an AKP key without alg', { kty: 'AKP', pub: 'AAAA' }, 'malformed'],
    ['a shared secret in a public set', { kty: 'oct', k: Buffer.alloc(32).toString('base64url') }, 'secretKey'],
    ['text', 'kty', 'malformed'],
    ['null', null, 'malformed'],
    ['a list', [jwk], 'malformed'],
  ])('that is %s is refused', async (_what, value, code) => {
    expect(await importJwk(value, {}, all)).toMatchObject({ kind: 'problem', code });
  });

  test('with a numeric kid is named by its decimal text', async () => {
    expect(await importJwk({ ...jwk, kid: 7 }, {}, all)).toMatchObject({ kid: '7' });
  });

  test('takes kid and alg of the config over its own, and a contradiction is a problem', async () => {
    const { alg: _, ...plain } = rsa;
    expect(await importJwk(plain, { kid: 'mine', alg: 'PS256' }, all)).toMatchObject({ kid: 'mine' });
    expect(algorithmsOf(await importJwk(plain, { alg: 'PS256' }, all))).toEqual(['PS256']);
    expect(await importJwk(rsa, { alg: 'PS256' }, all)).toMatchObject({ code: 'algorithmMismatch' });
  });

  test('with odd but harmless members is imported', async () => {
    const odd = { ...jwk, ext: 'yes', x5t: 'AAAA', x5c: ['AAAA'], iat: 1, key_ops: ['verify', 'verify'] };
    expect(algorithmsOf(await importJwk(odd, {}, all))).toEqual(['ES256']);
  });

  test('says nothing of a private key in its problem', async () => {
    const secret = privateKey.export({ format: 'jwk' });
    const problem = (await importJwk(secret, {}, all)) as KeyProblem;
    expect(problem.detail).not.toContain(secret.d);
  });

  describe('that is a secret', () => {
    const secretJwk = (bytes: number, more: object = {}) => ({
      kty: 'oct',
      k: Buffer.alloc(bytes, 5).toString('base64url'),
      ...more,
    });

    test('is for the algorithms that it is long enough for', async () => {
      const options = { allowSecret: true };
      expect(algorithmsOf(await importJwk(secretJwk(32), options, all))).toEqual(['HS256']);
      expect(algorithmsOf(await importJwk(secretJwk(64), options, all))).toEqual(['HS256', 'HS384', 'HS512']);
      expect(algorithmsOf(await importJwk(secretJwk(64, { alg: 'HS384' }), options, all))).toEqual(['HS384']);
      expect(algorithmsOf(await importJwk(secretJwk(31), options, all))).toEqual(['weak']);
      expect(algorithmsOf(await importJwk(secretJwk(0), options, all))).toEqual(['weak']);
      expect(
        algorithmsOf(await importJwk(secretJwk(5), { ...options, allowWeakSecret: true }, new Set(['HS256']))),
      ).toEqual(['HS256']);
    });

    test('is refused where its k is not canonical base64url', async () => {
      const { k } = secretJwk(32);
      for (const respelled of [`${k}=`, ` ${k}`, k.replace('BQ', '+/'), 5, undefined]) {
        expect(await importJwk({ kty: 'oct', k: respelled }, { allowSecret: true }, all)).toMatchObject({
          code: 'malformed',
        });
      }
    });
  });
});

describe('a weak RSA key', () => {
  test.each([512, 1024, 2047])('of %i bits is refused', async (bits) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
    expect(await importJwk(publicKey.export({ format: 'jwk' }), {}, all)).toMatchObject({ code: 'weak' });
  });

  test('of more than 8192 bits is refused, for the time that a check would take', async () => {
    const n = Buffer.alloc(1025, 0xff).toString('base64url');
    expect(await importJwk({ kty: 'RSA', n, e: 'AQAB' }, {}, all)).toMatchObject({ kind: 'problem' });
  });

  test.each(['AQ', 'Ag', 'AA', 'BA'])('with public exponent %s is refused', async (e) => {
    const { alg: _, ...jwk } = keyPair('RS256').jwk;
    const problem = await importJwk({ ...jwk, e }, {}, all);
    expect(problem).toMatchObject({ kind: 'problem' });
  });

  test('with a public exponent that makes every check slow is refused', async () => {
    const { alg: _, ...jwk } = keyPair('RS256').jwk;
    const e = Buffer.alloc(255, 0xff).toString('base64url');
    expect(await importJwk({ ...jwk, e }, {}, all)).toMatchObject({ kind: 'problem' });
    expect(await importJwk({ ...jwk, e: 'AQAAAAE' }, {}, all)).toMatchObject({ code: 'unsupported' });
    expect(algorithmsOf(await importJwk({ ...jwk, e: 'Aw' }, {}, new Set(['RS256'])))).toEqual(['RS256']);
  });

  test('made by the ROCA library is refused, and no other', () => {
    // A modulus of that library's form: any power of 65537 modulo the product of the small primes is one.
    const product = [3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n, 43n, 47n, 53n, 59n, 61n, 67n, 71n, 73n];
    const more = [
      79n,
      83n,
      89n,
      97n,
      101n,
      103n,
      107n,
      109n,
      113n,
      127n,
      131n,
      137n,
      139n,
      149n,
      151n,
      157n,
      163n,
      167n,
    ];
    const m = [...product, ...more].reduce((a, b) => a * b);
    expect(isRocaModulus(m * (1n << 1800n) + 65537n ** 5n)).toBe(true);
    for (let i = 0; i < 3; i++) {
      const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const { n } = publicKey.export({ format: 'jwk' });
      expect(isRocaModulus(BigInt(`0x${Buffer.from(n as string, 'base64url').toString('hex')}`))).toBe(false);
    }
  });
});

describe('a JWK set', () => {
  const good = keyPair('RS256', 'good').jwk;
  const also = keyPair('ES256', 'also').jwk;
  const import_ = (keys: unknown, options = {}) => importKeySet({ keys }, options, all);

  test('keeps its sound keys, and counts every odd one with its reason', async () => {
    const set = await import_([
      good,
      null,
      'text',
      { kty: 'EC' },
      { ...also, kid: 'enc', use: 'enc' },
      { kty: 'oct', kid: 'shared', k: 'AAAA' },
      { kty: 'OKP', crv: 'Ed448', kid: 'new', x: 'AAAA' },
      { ...also, kid: 'private', d: 'AAAA' },
      also,
    ]);
    expect(set).toMatchObject({
      keys: [{ kid: 'good' }, { kid: 'also' }],
      skipped: [
        { index: 1, kid: undefined, code: 'malformed' },
        { index: 2, kid: undefined, code: 'malformed' },
        { index: 3, kid: undefined, code: 'unsupported' },
        { index: 4, kid: '"enc"', code: 'notForVerifying' },
        { index: 5, kid: '"shared"', code: 'secretKey' },
        { index: 6, kid: '"new"', code: 'unsupported' },
        { index: 7, kid: '"private"', code: 'privateKey' },
      ],
    });
  });

  test('counts the same key twice once, and keeps two keys of one kid apart', async () => {
    const set = await import_([good, { ...good }, { ...also, kid: 'good' }, { ...good, kid: 'other' }]);
    expect(set).toMatchObject({
      keys: [{ kid: 'good' }, { kid: 'good' }, { kid: 'other' }],
      skipped: [{ index: 1, code: 'duplicate' }],
    });
  });

  test('survives any member of any type, nested as deep as it likes', async () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    for (const name of ['kty', 'crv', 'use', 'key_ops', 'alg', 'kid', 'x', 'y', 'd', 'k']) {
      for (const value of [deep, {}, 1, true, null, '']) {
        const set = await import_([{ ...also, [name]: value }, good], { allowSecret: true });
        expect(set, name).toMatchObject({ keys: expect.arrayContaining([expect.objectContaining({ kid: 'good' })]) });
      }
    }
  });

  test('property: any JSON is either a set or a problem', async () => {
    const member = fc.constantFrom('kty', 'crv', 'use', 'alg', 'kid', 'key_ops', 'n', 'e', 'x', 'y', 'k', 'pub');
    const value = fc.oneof(
      fc.constantFrom('RSA', 'EC', 'oct', 'OKP', 'AKP', 'P-256', 'sig', 'RS256', 'AQAB'),
      fc.jsonValue(),
    );
    const jwk = fc.oneof(fc.dictionary(member, value), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(fc.array(jwk, { maxLength: 4 }), async (keys) => {
        const set = await importKeySet({ keys }, { allowSecret: true }, all);
        expect(isKeyProblem(set)).toBe(false);
      }),
    );
  });

  test('may be empty', async () => {
    expect(await import_([])).toEqual({ keys: [], skipped: [] });
  });

  test.each([null, [], 'keys', { keys: {} }, { keys: 'x' }, {}, { key: [] }])(
    'is none where it is %j',
    async (value) => {
      expect(await importKeySet(value, {}, all)).toMatchObject({ kind: 'problem', code: 'malformed' });
    },
  );

  test('of thousands of keys is refused whole', async () => {
    expect(await import_(Array(1001).fill(good))).toMatchObject({ kind: 'problem' });
  });

  test('may hold secrets only where it is the operator’s own', async () => {
    const shared = { kty: 'oct', kid: 's', k: Buffer.alloc(32, 1).toString('base64url') };
    expect(await import_([shared])).toMatchObject({ keys: [], skipped: [{ code: 'secretKey' }] });
    expect(await import_([shared], { allowSecret: true })).toMatchObject({ keys: [{ kid: 's' }], skipped: [] });
  });
});

describe('every algorithm of the table', () => {
  test('has a verification that survives any signature', async () => {
    for (const { name } of algorithms.values()) {
      const accepted = new Set([name]);
      const key = name.startsWith('HS')
        ? importSecret(Buffer.alloc(64, 1), {}, accepted)
        : await importJwk(keyPair(name).jwk, {}, accepted);
      for (const length of [0, 1, 64, 5000]) {
        expect(await (key as ImportedKey).verify(name, 'a.b', Buffer.alloc(length, 0xff))).toBe(false);
      }
      expect(await (key as ImportedKey).verify('other', 'a.b', Buffer.alloc(64))).toBe(false);
    }
  });
});
