import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/gate/token.ts';
import { compileSigner, type Signer, type SignResult } from '../../src/sign/compile-signer.ts';
import type { SigningValues } from '../../src/sign/json-template.ts';
import type { SigningKey } from '../../src/sign/signing-key.ts';
import { createSigningKeys } from '../../src/sign/signing-keys.ts';
import { createTokenCache } from '../../src/sign/token-cache.ts';
import { freshSignerDeps, partsOf, signerOf, signingKey, signingValues } from '../support/signing.ts';

const nowMs = 1_700_000_000_500;
const nowS = 1_700_000_000;
const hs = await signingKey({ algorithm: 'HS256' });
const es = await signingKey({ algorithm: 'ES256' });

async function tokenOf(signer: Signer, values: SigningValues = signingValues(), atMs = nowMs): Promise<string> {
  const result = await signer.sign(values, atMs);
  if (result.kind === 'failed') throw new Error(result.detail);
  return result.token;
}

async function payloadOf(payload: JsonObject, claims?: JsonObject): Promise<JsonObject> {
  return partsOf(await tokenOf(signerOf({ key: hs, payload }), signingValues(claims))).payload;
}

describe('a minted token', () => {
  test('says when it was made and when it ends: five minutes later, unless told otherwise', async () => {
    expect(await payloadOf({ iss: 'us' })).toEqual({ iss: 'us', iat: nowS, exp: nowS + 300 });
    const signer = signerOf({ key: hs, lifetimeMs: 60_000 });
    expect(partsOf(await tokenOf(signer)).payload).toEqual({ iat: nowS, exp: nowS + 60 });
    expect(await signer.sign(signingValues(), nowMs)).toMatchObject({ expiresAtMs: (nowS + 60) * 1000 });
  });

  test("keeps the payload's own times", async () => {
    expect(await payloadOf({ iat: '+1s', nbf: 'now', exp: '+1h' })).toEqual({
      iat: nowS + 1,
      nbf: nowS,
      exp: nowS + 3600,
    });
  });

  test('may end when the token it is made from ends', async () => {
    expect(await payloadOf({ exp: '${claims.exp}' }, { exp: nowS + 42 })).toEqual({ iat: nowS, exp: nowS + 42 });
  });

  test('has typ, alg, kid and the extra members in its header', async () => {
    const header = { cty: 'example', 'x-tenant': '${tenant}', typ: 'at+jwt' };
    const token = await tokenOf(signerOf({ key: es, header }));
    expect(partsOf(token).header).toEqual({
      typ: 'at+jwt',
      cty: 'example',
      'x-tenant': 'acme',
      alg: 'ES256',
      kid: es.kid,
    });
  });

  test('is signed over exactly what it shows', async () => {
    const token = await tokenOf(signerOf({ key: hs, payload: { name: 'Zoë \u2028 🙂' } }));
    const input = token.slice(0, token.lastIndexOf('.'));
    const mac = createHmac('sha256', Buffer.alloc(64, 1)).update(input).digest('base64url');
    expect(token).toBe(`${input}.${mac}`);
  });

  test('comes at once where the key is quick, else by a promise', async () => {
    expect(signerOf({ key: hs }).sign(signingValues(), nowMs)).not.toBeInstanceOf(Promise);
    const slow = signerOf({ key: await signingKey({ algorithm: 'ES512' }) });
    expect(slow.sign(signingValues(), nowMs)).toBeInstanceOf(Promise);
  });
});

describe('what can not be signed is a failure without any claim in its words:', () => {
  test.each<[string, JsonObject, JsonObject]>([
    ['exp that has passed', { exp: '${claims.exp}' }, { exp: nowS }],
    ['exp that is text', { exp: '${claims.exp}' }, { exp: String(nowS + 60) }],
    ['exp that is missing', { exp: '${claims.exp}' }, {}],
    ['a list inside a text', { sub: 'x${claims.s}' }, { s: ['SECRET'] }],
  ])('%s', (_, payload, claims) => {
    const result = signerOf({ key: hs, payload }).sign(signingValues(claims), nowMs) as SignResult;
    expect(result).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/^payload\./) });
    expect(JSON.stringify(result)).not.toContain('SECRET');
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('SECRET');
      },
    ],
    ['rejects', () => Promise.reject(new Error('SECRET'))],
  ])('a key that %s', async (_, sign) => {
    const broken: SigningKey = { ...hs, sign };
    expect(await signerOf({ key: broken }).sign(signingValues(), nowMs)).toEqual({
      kind: 'failed',
      detail: 'the key cannot make a signature',
    });
  });
});

describe('a config that can not be meant is refused, with its place:', () => {
  test.each<[string, Parameters<typeof signerOf>[0], string[]]>([
    ['header alg', { key: hs, header: { alg: 'none' } }, ['header.alg']],
    ['header crit', { key: hs, header: { crit: ['x'] } }, ['header.crit']],
    ['header b64', { key: hs, header: { b64: false } }, ['header.b64']],
    ['header kid', { key: hs, header: { kid: '1' } }, ['header.kid']],
    ['a fixed exp', { key: hs, payload: { exp: 1_800_000_000 } }, ['payload.exp']],
    ['exp: now', { key: hs, payload: { exp: 'now' } }, ['payload.exp']],
    ['exp: 5m', { key: hs, payload: { exp: '5m' } }, ['payload.exp']],
    ['iat: uuid', { key: hs, payload: { iat: 'uuid' } }, ['payload.iat']],
    ['nbf: Now', { key: hs, payload: { nbf: 'Now' } }, ['payload.nbf']],
    ['exp and lifetime', { key: hs, payload: { exp: '+5m' }, lifetimeMs: 1000 }, ['lifetime']],
    ['a lifetime below a second', { key: hs, lifetimeMs: 999 }, ['lifetime']],
    [
      'several at once',
      { key: hs, header: { alg: 'x', a: '$' }, payload: { b: '${x}' } },
      ['header.alg', 'payload.b', 'header.a'],
    ],
  ])('%s', (_, spec, paths) => {
    const signer = compileSigner(
      { slot: 's', publishBeforeMs: 0, header: {}, payload: {}, ...spec },
      freshSignerDeps(),
    );
    expect('problems' in signer && signer.problems.map(({ path }) => path)).toEqual(paths);
  });
});

test.each([
  [{ payload: { sub: '${claims.sub}' } }, true],
  [{ header: { n: ['x-${claims["a.b"]}'] } }, true],
  [{ payload: { sub: '${tenant}', p: '${path.p}', r: '${request.id}', j: 'uuid', t: 'claims.sub' } }, false],
])('%j reads claims: %s', (plan, readsClaims) => {
  expect(signerOf({ key: hs, ...plan }).readsClaims).toBe(readsClaims);
});

test('path variables are told, so that the config can hold them against its patterns', () => {
  const signer = signerOf({ key: hs, payload: { a: '${path.one}' }, header: { b: '${path.two}' } });
  expect(signer.pathVariables).toEqual(['one', 'two']);
});

describe('a token is used again', () => {
  test('until a fifth of its life before it expires', async () => {
    const signer = signerOf({ key: es, payload: { sub: '${claims.sub}' }, lifetimeMs: 100_000 });
    const values = signingValues({ sub: 'u1' });
    const first = await tokenOf(signer, values, nowMs);
    const lifeMs = (nowS + 100) * 1000 - nowMs;
    const renewalMs = nowMs + lifeMs - lifeMs / 5;
    expect(await tokenOf(signer, values, renewalMs - 1)).toBe(first);
    const second = await tokenOf(signer, values, renewalMs);
    expect(second).not.toBe(first);
    expect(await tokenOf(signer, values, renewalMs + 1)).toBe(second);
  });

  test('at most until a minute before it expires, however long it lives', async () => {
    const signer = signerOf({ key: es, lifetimeMs: 86_400_000 });
    const first = await tokenOf(signer, signingValues(), nowS * 1000);
    expect(await tokenOf(signer, signingValues(), nowS * 1000 + 86_400_000 - 60_001)).toBe(first);
    expect(await tokenOf(signer, signingValues(), nowS * 1000 + 86_400_000 - 60_000)).not.toBe(first);
  });

  test('not after the clock was set back: it would be from the future', async () => {
    const signer = signerOf({ key: es });
    const first = await tokenOf(signer);
    expect(await tokenOf(signer, signingValues(), nowMs - 3_600_000)).not.toBe(first);
  });

  test('for the same claims only', async () => {
    const signer = signerOf({ key: es, payload: { sub: '${claims.sub}', tid: '${tenant}', p: '${path.p}' } });
    const cases = [
      signingValues({ sub: 'u1' }),
      signingValues({ sub: 'u2' }),
      signingValues({ sub: 'u1' }, { tenant: 'globex' }),
      signingValues({ sub: 'u1' }, { captures: new Map([['p', 'x']]) }),
      signingValues({}),
      signingValues({ sub: null }),
    ];
    const tokens = await Promise.all(cases.map((values) => tokenOf(signer, values)));
    expect(new Set(tokens).size).toBe(cases.length);
    expect(tokens.map((token) => [partsOf(token).payload.sub, partsOf(token).payload.tid])).toEqual([
      ['u1', 'acme'],
      ['u2', 'acme'],
      ['u1', 'globex'],
      ['u1', 'acme'],
      [undefined, 'acme'],
      [null, 'acme'],
    ]);
  });

  test.each(['uuid', '${request.id}', 'req-${request.id}'])('never, where it holds %s', async (jti) => {
    const signer = signerOf({ key: hs, payload: { jti } });
    const [one, two] = [await tokenOf(signer), await tokenOf(signer, signingValues({}, { requestId: 'req-2' }))];
    expect(partsOf(one).payload.jti).not.toBe(partsOf(two).payload.jti);
  });

  test('nor where its header does', async () => {
    const signer = signerOf({ key: es, header: { n: 'uuid' } });
    expect(await tokenOf(signer)).not.toBe(await tokenOf(signer));
  });

  test('by those who ask while a slow key signs: one signature is made for all', async () => {
    const slow = await signingKey({ algorithm: 'ES512' });
    let signatures = 0;
    const counted: SigningKey = {
      ...slow,
      sign: (input) => {
        signatures++;
        return slow.sign(input);
      },
    };
    const signer = signerOf({ key: counted });
    const tokens = await Promise.all(Array.from({ length: 20 }, () => tokenOf(signer)));
    expect(new Set(tokens).size).toBe(1);
    expect(signatures).toBe(1);
  });

  test('after a reload that changed nothing of it, by whichever signer makes the same', async () => {
    const deps = freshSignerDeps();
    const plan = { key: es, payload: { iss: 'us' } };
    const first = await tokenOf(signerOf(plan, deps));
    expect(await tokenOf(signerOf({ ...plan, slot: 'tenants.b.upstream.sign' }, deps))).toBe(first);
    expect(await tokenOf(signerOf({ ...plan, payload: { iss: 'them' } }, deps))).not.toBe(first);
    expect(await tokenOf(signerOf({ ...plan, header: { cty: 'x' } }, deps))).not.toBe(first);
    expect(await tokenOf(signerOf({ ...plan, lifetimeMs: 299_000 }, deps))).not.toBe(first);
  });
});

describe('a changed key never serves an old token:', () => {
  test('another key, the same key under another kid, the same key for another algorithm', async () => {
    const deps = freshSignerDeps();
    const rsa = (await import('../support/key-pairs.ts')).keyPair('RS256').privatePem;
    const keys = await Promise.all([
      signingKey({ algorithm: 'RS256', privateKey: rsa }),
      signingKey({ algorithm: 'RS256', privateKey: rsa, kid: 'other' }),
      signingKey({ algorithm: 'PS256', privateKey: rsa }),
      signingKey({ algorithm: 'ES256' }),
      signingKey({ algorithm: 'HS256', secret: Buffer.alloc(32, 8) }),
      signingKey({ algorithm: 'HS256', secret: Buffer.alloc(32, 9) }),
    ]);
    const tokens = await Promise.all(keys.map((key) => tokenOf(signerOf({ key }, deps))));
    expect(new Set(tokens).size).toBe(keys.length);
    expect(tokens.map((token) => partsOf(token).header.alg)).toEqual(keys.map(({ algorithm }) => algorithm));
  });

  test('when a key takes over in the middle of a signer’s life', async () => {
    const deps = { keys: createSigningKeys(), tokens: createTokenCache() };
    const [before, after] = [es, await signingKey({ algorithm: 'ES256' })];
    const slot = 'upstream.sign';
    deps.keys.adopt([{ slot, key: before, publishBeforeMs: 1000 }], nowMs);
    const signer = signerOf({ key: after }, deps);
    deps.keys.adopt([{ slot, key: after, publishBeforeMs: 1000 }], nowMs);
    expect(partsOf(await tokenOf(signer, signingValues(), nowMs + 999)).header.kid).toBe(before.kid);
    expect(partsOf(await tokenOf(signer, signingValues(), nowMs + 1000)).header.kid).toBe(after.kid);
  });
});

test('attack: a flood of different claims does not make the cache grow without bound', async () => {
  const tokens = createTokenCache({ entries: 100, bytes: 1_000_000 });
  const signer = signerOf({ key: hs, payload: { sub: '${claims.sub}' } }, { keys: createSigningKeys(), tokens });
  const first = await signer.sign(signingValues({ sub: 'u0' }), nowMs);
  for (let i = 1; i <= 100; i++) await signer.sign(signingValues({ sub: `u${i}` }), nowMs);
  expect(await signer.sign(signingValues({ sub: 'u0' }), nowMs)).not.toBe(first);
});

test('attack: a claim made to look like two claims gets no other claims’ token', async () => {
  const signer = signerOf({ key: es, payload: { a: '${claims.a}', b: '${claims.b}' } });
  const tricks: JsonObject[] = [
    { a: 'x', b: 'y' },
    { a: 'x","y' },
    { a: 'x', b: 'y,' },
    { a: 'x,', b: 'y' },
    { a: '"x"', b: '"y"' },
    { a: ['x', 'y'] },
    { b: ['x', 'y'] },
    { a: 'x\u0000', b: 'y' },
    { a: 'x;y' },
  ];
  for (const claims of tricks) {
    const { payload } = partsOf(await tokenOf(signer, signingValues(claims)));
    expect(payload).toEqual({ iat: nowS, exp: nowS + 300, ...claims });
  }
});
