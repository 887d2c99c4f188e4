import { describe, expect, test } from 'vitest';
import { parseToken, type UnverifiedToken } from '../../src/gate/token.ts';
import { verifySignature } from '../../src/gate/verify.ts';
import { algorithmNames, algorithms, isSymmetric } from '../../src/keys/algorithms.ts';
import { importJwk } from '../../src/keys/import-jwk.ts';
import { importSecret } from '../../src/keys/import-secret.ts';
import type { ImportedKey } from '../../src/keys/imported-key.ts';
import { isKeyProblem, type KeyProblem } from '../../src/keys/key-problem.ts';
import type { KeyLookup, VerificationKey } from '../../src/keys/key-ring.ts';
import { createVerdictCache } from '../../src/state/verdict-cache.ts';
import { asymmetricAlgorithms, keyPair } from '../support/key-pairs.ts';
import { hs256Token } from '../support/raw-token.ts';
import { emptyCache, judge, reasonOf, verifierOf } from '../support/verifier.ts';

const nowS = 1_800_000_000;
const nowMs = nowS * 1000;
const secret = Buffer.alloc(32, 7);

function must(key: ImportedKey | KeyProblem): ImportedKey {
  if (isKeyProblem(key)) throw new Error(key.detail);
  return key;
}

function secretKey(kid?: string): ImportedKey {
  return must(importSecret(secret, { kid }, new Set(['HS256'])));
}

function parsed(raw: string): UnverifiedToken {
  const token = parseToken(raw, 8192);
  if (token.kind === 'malformed') throw new Error(token.detail);
  return token;
}

describe('a signature', () => {
  test.each(asymmetricAlgorithms)(
    'of %s is verified with its key, and with no other of the same kind',
    async (name) => {
      const pair = keyPair(name, 'k1');
      const other = keyPair(name, 'k2');
      const accepted = new Set([name]);
      const raw = pair.sign({ sub: 'a' });
      const right = verifierOf([must(await importJwk(pair.jwk, {}, accepted))], { algorithms: accepted });
      const wrong = verifierOf([must(await importJwk({ ...other.jwk, kid: 'k1' }, {}, accepted))], {
        algorithms: accepted,
      });
      expect(await judge(raw, right, emptyCache(), nowMs)).toMatchObject({
        kind: 'verified',
        cached: false,
        token: { raw, header: { alg: name, kid: 'k1' }, claims: { sub: 'a' }, algorithm: name, kid: 'k1' },
      });
      expect(await reasonOf(raw, wrong, emptyCache(), nowMs)).toBe('signatureInvalid');
    },
  );

  test.each(['HS256', 'HS384', 'HS512'])('of %s is verified with its secret', async (name) => {
    const { SignJWT } = await import('jose');
    const bytes = Buffer.alloc(64, 3);
    const raw = await new SignJWT({ sub: 'a' }).setProtectedHeader({ alg: name }).sign(bytes);
    const accepted = new Set([name]);
    const right = verifierOf([must(importSecret(bytes, {}, accepted))], { algorithms: accepted });
    const wrong = verifierOf([must(importSecret(Buffer.alloc(64, 4), {}, accepted))], { algorithms: accepted });
    expect(await reasonOf(raw, right)).toBe('verified');
    expect(await reasonOf(raw, wrong)).toBe('signatureInvalid');
  });

  test.each(algorithmNames.filter((name) => !isSymmetric(name)))(
    'of %s is checked where the table says',
    async (name) => {
      const pair = keyPair(name);
      const accepted = new Set([name]);
      const verifier = verifierOf([must(await importJwk(pair.jwk, {}, accepted))], { algorithms: accepted });
      const verdict = verifySignature(parsed(pair.sign({})), verifier, emptyCache(), nowMs);
      expect(verdict instanceof Promise).toBe(algorithms.get(name)?.offThread);
      expect((await verdict).kind).toBe('verified');
    },
  );

  test('of a long RSA key is checked off thread', async () => {
    const pair = keyPair('RS256', 'long', 5120);
    const accepted = new Set(['RS256']);
    const verifier = verifierOf([must(await importJwk(pair.jwk, {}, accepted))], { algorithms: accepted });
    const verdict = verifySignature(parsed(pair.sign({})), verifier, emptyCache(), nowMs);
    expect(verdict).toBeInstanceOf(Promise);
    expect((await verdict).kind).toBe('verified');
  });
});

describe('the cheapest test comes first', () => {
  const untouchable: VerificationKey = {
    kid: 'k',
    algorithms: new Set(['HS256']),
    isLive: () => true,
    verify: () => {
      throw new Error('no signature may be checked');
    },
  };
  const verifier = verifierOf([untouchable], { algorithms: ['HS256'], clockSkewS: 5 });

  test('an algorithm that is not the tenant’s is refused before its key is looked up', async () => {
    const raw = keyPair('RS256', 'k').sign({});
    expect(await judge(raw, verifier)).toMatchObject({
      reason: 'algorithmRefused',
      detail: 'the token\'s alg is "RS256"; accepted: HS256',
    });
  });

  test('an unknown key is refused before any crypto', async () => {
    expect(await reasonOf(hs256Token({ alg: 'HS256', kid: 'x' }, {}, secret), verifier)).toBe('keyUnknown');
  });

  test('an expired token is refused before any crypto, and without asking for keys', async () => {
    const keys = {
      find: () => {
        throw new Error('no key may be looked up');
      },
    };
    const raw = hs256Token({ alg: 'HS256', kid: 'new' }, { exp: nowS - 60 }, secret);
    expect(await reasonOf(raw, { ...verifier, keys }, emptyCache(), nowMs)).toBe('tokenExpired');
  });

  test('a token is expired exactly when exp and the clock skew have passed', async () => {
    const good = verifierOf([secretKey()], { algorithms: ['HS256'], clockSkewS: 5 });
    const raw = hs256Token({ alg: 'HS256' }, { exp: nowS }, secret);
    expect(await reasonOf(raw, good, emptyCache(), nowMs + 4_999)).toBe('verified');
    expect(await reasonOf(raw, good, emptyCache(), nowMs + 5_000)).toBe('tokenExpired');
  });

  test.each([undefined, 'soon', null, {}, true])('an exp that is %j is left to the claims’ own check', async (exp) => {
    const good = verifierOf([secretKey()], { algorithms: ['HS256'] });
    expect(await reasonOf(hs256Token({ alg: 'HS256' }, { exp }, secret), good)).toBe('verified');
  });
});

describe('the verdict cache', () => {
  test('answers for the tenant, at once, what was verified before', async () => {
    const verdicts = emptyCache();
    const verifier = verifierOf([secretKey()], { algorithms: ['HS256'] });
    const raw = hs256Token({ alg: 'HS256' }, { sub: 'a' }, secret);
    const first = await judge(raw, verifier, verdicts);
    const second = await judge(raw, verifier, verdicts);
    expect(first).toMatchObject({ kind: 'verified', cached: false });
    expect(second).toMatchObject({ kind: 'verified', cached: true, token: { claims: { sub: 'a' } } });
    expect(verdicts.stats()).toMatchObject({ hits: 1, misses: 1, entries: 1 });
  });

  test('never answers for another tenant, even one with the same key', async () => {
    const verdicts = emptyCache();
    const raw = hs256Token({ alg: 'HS256' }, { sub: 'a' }, secret);
    await judge(raw, verifierOf([secretKey()], { algorithms: ['HS256'] }), verdicts);
    const stranger = verifierOf([must(importSecret(Buffer.alloc(32, 9), {}, new Set(['HS256'])))], {
      algorithms: ['HS256'],
    });
    expect(await reasonOf(raw, stranger, verdicts)).toBe('signatureInvalid');
    const sibling = verifierOf([secretKey()], { algorithms: ['HS256'] });
    expect(await judge(raw, sibling, verdicts)).toMatchObject({ kind: 'verified', cached: false });
  });

  test('forgets a verdict with the key that made it', async () => {
    const verdicts = emptyCache();
    let live = true;
    const key = { ...secretKey('k'), isLive: () => live };
    let keys: readonly VerificationKey[] = [key];
    const verifier = {
      ...verifierOf([], { algorithms: ['HS256'] }),
      keys: {
        find: (): KeyLookup => (keys.length > 0 ? { kind: 'found', keys } : { kind: 'unknown', detail: 'rotated out' }),
      },
    };
    const raw = hs256Token({ alg: 'HS256', kid: 'k' }, {}, secret);
    expect(await reasonOf(raw, verifier, verdicts)).toBe('verified');
    live = false;
    keys = [];
    expect(await reasonOf(raw, verifier, verdicts)).toBe('keyUnknown');
    expect(verdicts.stats().entries).toBe(0);
  });

  test('does not outlive exp and skew', async () => {
    const verdicts = emptyCache();
    const verifier = verifierOf([secretKey()], { algorithms: ['HS256'], clockSkewS: 5 });
    const raw = hs256Token({ alg: 'HS256' }, { exp: nowS }, secret);
    expect(await reasonOf(raw, verifier, verdicts, nowMs)).toBe('verified');
    expect(await judge(raw, verifier, verdicts, nowMs + 4_999)).toMatchObject({ cached: true });
    expect(await reasonOf(raw, verifier, verdicts, nowMs + 5_000)).toBe('tokenExpired');
  });

  test('holds no token whose signature was refused', async () => {
    const verdicts = emptyCache();
    const verifier = verifierOf([secretKey()], { algorithms: ['HS256'] });
    const raw = hs256Token({ alg: 'HS256' }, {}, Buffer.alloc(32, 1));
    expect(await reasonOf(raw, verifier, verdicts)).toBe('signatureInvalid');
    expect(verdicts.find(raw)).toBeUndefined();
    expect(verdicts.stats().entries).toBe(0);
  });
});

describe('what is worth keeping', () => {
  test('is a token that comes again: the second time its verdict is kept', async () => {
    const verdicts = createVerdictCache({ entries: 100, bytes: 1024 * 1024 });
    const verifier = verifierOf([secretKey()], { algorithms: ['HS256'] });
    const raw = hs256Token({ alg: 'HS256' }, { sub: 'a' }, secret);
    const seen: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      seen.push(await judge(raw, verifier, verdicts));
      await judge(hs256Token({ alg: 'HS256' }, { sub: `once ${i}` }, secret), verifier, verdicts);
    }
    expect(seen).toMatchObject([false, false, true, true].map((cached) => ({ kind: 'verified', cached })));
    expect(verdicts.stats().entries).toBe(1);
  });

  test('is a token whose check was dear, at first sight', async () => {
    const verdicts = createVerdictCache({ entries: 100, bytes: 1024 * 1024 });
    for (const name of ['EdDSA', 'ES384'] as const) {
      const pair = keyPair(name, 'k');
      const key = must(await importJwk(pair.jwk, {}, new Set([name])));
      const verifier = verifierOf([key], { algorithms: [name] });
      const raw = pair.sign({ sub: 'a' });
      expect(await judge(raw, verifier, verdicts)).toMatchObject({ cached: false });
      expect(await judge(raw, verifier, verdicts)).toMatchObject({ cached: true });
    }
  });

  test('is not what was refused, though it bears a good token’s signature', async () => {
    const verdicts = createVerdictCache({ entries: 100, bytes: 1024 * 1024 });
    const verifier = verifierOf([secretKey()], { algorithms: ['HS256'] });
    const raw = hs256Token({ alg: 'HS256' }, { sub: 'a' }, secret);
    const [header, , signature] = raw.split('.') as [string, string, string];
    const forged = `${header}.${Buffer.from('{"sub":"admin"}').toString('base64url')}.${signature}`;
    await judge(raw, verifier, verdicts);
    await judge(raw, verifier, verdicts);
    for (let i = 0; i < 3; i++) expect(await reasonOf(forged, verifier, verdicts)).toBe('signatureInvalid');
    expect(verdicts.find(forged)).toBeUndefined();
  });
});

describe('the memory of refusals', () => {
  const raw = keyPair('ES256', 'k').sign({ sub: 'a' });
  const counting = (valid: boolean | Promise<boolean>) => {
    const counter = { checks: 0 };
    const key: VerificationKey = {
      kid: 'k',
      algorithms: new Set(['ES256']),
      isLive: () => true,
      verify: () => {
        counter.checks++;
        return valid;
      },
    };
    return { counter, key };
  };

  test('spares a client’s same bad token a third check, and no other token', async () => {
    const verdicts = emptyCache();
    const { counter, key } = counting(false);
    const verifier = verifierOf([key], { algorithms: ['ES256'] });
    for (let i = 0; i < 5; i++) expect(await reasonOf(raw, verifier, verdicts)).toBe('signatureInvalid');
    expect(counter.checks).toBe(2);
    await reasonOf(keyPair('ES256', 'k').sign({ sub: 'b' }), verifier, verdicts);
    expect(counter.checks).toBe(3);
  });

  test('holds for the very keys that refused: a rotated key is asked', async () => {
    const verdicts = emptyCache();
    const old = counting(false);
    const fresh = counting(Promise.resolve(true));
    const of = (keys: readonly VerificationKey[]) => verifierOf(keys, { algorithms: ['ES256'], fingerprint: 'same' });
    for (let i = 0; i < 3; i++) expect(await reasonOf(raw, of([old.key]), verdicts)).toBe('signatureInvalid');
    expect(await reasonOf(raw, of([old.key, fresh.key]), verdicts)).toBe('verified');
    expect(await reasonOf(raw, of([old.key]), verdicts)).toBe('verified'); // the tenant's verdict, as long as its key lives
    const stranger = verifierOf([counting(false).key], { algorithms: ['ES256'] });
    expect(await reasonOf(raw, stranger, verdicts)).toBe('signatureInvalid');
  });

  test('pushes out no verdict, however many tokens are refused', async () => {
    const verdicts = emptyCache();
    const good = counting(true);
    const bad = counting(false);
    await reasonOf(raw, verifierOf([good.key], { algorithms: ['ES256'], fingerprint: 'good' }), verdicts);
    const flooded = verifierOf([bad.key], { algorithms: ['ES256'] });
    const [header, , signature] = raw.split('.') as [string, string, string];
    for (let i = 0; i < 3000; i++) {
      const made = `${header}.${Buffer.from(JSON.stringify({ i })).toString('base64url')}.${signature}`;
      await reasonOf(made, flooded, verdicts);
    }
    expect(verdicts.stats().entries).toBe(1);
    expect(verdicts.verdictFor(parsed(raw), 'good', 0)).toBeDefined();
  });
});

test('the same new token in many requests at once is each request’s own verdict, and a forgery beside it too', async () => {
  const pair = keyPair('ES512', 'k');
  const verifier = verifierOf([must(await importJwk(pair.jwk, {}, new Set(['ES512'])))], { algorithms: ['ES512'] });
  const verdicts = emptyCache();
  const raws = [0, 1].map((i) => pair.sign({ sub: `user-${i}` })) as [string, string];
  const forged = raws[0].replace(/\.[^.]*$/, raws[1].slice(raws[1].lastIndexOf('.')));
  const asked = [raws[0], raws[0], raws[1], forged, raws[0], forged, raws[1]];
  const reasons = await Promise.all(asked.map((raw) => reasonOf(raw, verifier, verdicts)));
  expect(reasons).toEqual(asked.map((raw) => (raw === forged ? 'signatureInvalid' : 'verified')));
});

test('a key that is withdrawn while it checks no longer counts', async () => {
  let live = true;
  const key: VerificationKey = {
    kid: 'k',
    algorithms: new Set(['ES384']),
    isLive: () => live,
    verify: async () => true,
  };
  const verdict = judge(keyPair('ES384', 'k').sign({}), verifierOf([key], { algorithms: ['ES384'] }));
  live = false;
  expect(await verdict).toMatchObject({ reason: 'signatureInvalid' });
});

describe('keys that must be waited for', () => {
  const raw = hs256Token({ alg: 'HS256', kid: 'k' }, {}, secret);
  const withFind = (find: () => KeyLookup | Promise<KeyLookup>) => ({
    ...verifierOf([], { algorithms: ['HS256'] }),
    keys: { find },
  });

  test('make the verdict a promise', async () => {
    const verifier = withFind(async () => ({ kind: 'found', keys: [secretKey('k')] }));
    expect(await reasonOf(raw, verifier)).toBe('verified');
  });

  test('that can’t be had are keysUnavailable, with a time to come back', async () => {
    const verifier = withFind(() => ({ kind: 'unavailable', detail: 'id.example: timeout', retryAfterS: 7 }));
    expect(await judge(raw, verifier)).toEqual({
      kind: 'rejected',
      reason: 'keysUnavailable',
      detail: 'id.example: timeout',
      retryAfterS: 7,
    });
  });

  test('several that fit are tried in turn, cheap and dear mixed, until one verifies', async () => {
    const tried: string[] = [];
    const key = (kid: string, answer: boolean | Promise<boolean>): VerificationKey => ({
      kid,
      algorithms: new Set(['HS256']),
      isLive: () => true,
      verify: () => {
        tried.push(kid);
        return answer;
      },
    });
    const keys = [
      key('a', false),
      key('b', Promise.resolve(false)),
      key('c', false),
      key('d', Promise.resolve(true)),
      key('e', true),
    ];
    expect(
      await reasonOf(
        raw,
        withFind(() => ({ kind: 'found', keys })),
      ),
    ).toBe('verified');
    expect(tried).toEqual(['a', 'b', 'c', 'd']);
  });
});
