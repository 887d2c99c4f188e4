import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseToken, type UnverifiedToken } from '../../src/gate/token.ts';
import { verifySignature } from '../../src/gate/verify.ts';
import { importSecret } from '../../src/keys/import-secret.ts';
import type { ImportedKey } from '../../src/keys/imported-key.ts';
import { createVerdictCache, type NewVerdict } from '../../src/state/verdict-cache.ts';
import { hs256Token, rawToken } from '../support/raw-token.ts';
import { keepingCache } from '../support/verdicts.ts';
import { verifierOf } from '../support/verifier.ts';

function parsed(raw: string): UnverifiedToken {
  const token = parseToken(raw, 100_000);
  if (token.kind === 'malformed') throw new Error(token.detail);
  return token;
}

function verdictOn(token: UnverifiedToken, more: Partial<NewVerdict> = {}): NewVerdict {
  const { raw, unverifiedHeader: header, unverifiedClaims: claims, algorithm, kid } = token;
  return {
    fingerprint: 'f',
    token: { raw, header, claims, algorithm, kid } as never,
    isLive: () => true,
    expiresAtMs: Number.POSITIVE_INFINITY,
    ...more,
  };
}

const numbered = (i: number, filler = '') =>
  parsed(hs256Token({ alg: 'HS256' }, { sub: `user-${i}`, filler }, Buffer.alloc(32, 1)));

describe('bounds', () => {
  test('no more entries than configured: the one used longest ago goes first', () => {
    const cache = createVerdictCache({ entries: 3, bytes: 1024 * 1024 });
    const tokens = [0, 1, 2, 3].map((i) => numbered(i)) as [
      UnverifiedToken,
      UnverifiedToken,
      UnverifiedToken,
      UnverifiedToken,
    ];
    for (const token of tokens.slice(0, 3)) cache.insert(token, verdictOn(token));
    cache.find(tokens[0].raw);
    cache.insert(tokens[3], verdictOn(tokens[3]));
    expect(tokens.map(({ raw }) => cache.find(raw) !== undefined)).toEqual([true, false, true, true]);
    expect(cache.stats().entries).toBe(3);
  });

  test('no more bytes than configured, large tokens counted as large', () => {
    const cache = createVerdictCache({ entries: 10_000, bytes: 100_000 });
    for (let i = 0; i < 200; i++) {
      const token = numbered(i, 'x'.repeat(3000));
      cache.insert(token, verdictOn(token));
      expect(cache.stats().bytes).toBeLessThanOrEqual(100_000);
    }
    expect(cache.stats().entries).toBeGreaterThan(5);
    expect(cache.stats().entries).toBeLessThan(20);
  });

  test('a token larger than the whole cache is not kept', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 2000 });
    const token = numbered(0, 'x'.repeat(5000));
    cache.insert(token, verdictOn(token));
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
  });

  test('many small values count for more than their text', () => {
    const bytesOf = (claims: unknown) => {
      const cache = createVerdictCache({ entries: 1, bytes: 10_000_000 });
      const token = parsed(rawToken({ alg: 'HS256' }, claims));
      cache.insert(token, verdictOn(token));
      return cache.stats().bytes;
    };
    expect(bytesOf({ a: Array(1500).fill({}) })).toBeGreaterThan(100_000);
    expect(bytesOf({ a: 'x'.repeat(4500) })).toBeLessThan(15_000);
  });

  test('one token holds verdicts of few tenants, the newest', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 1024 * 1024 });
    const token = numbered(0);
    for (let i = 0; i < 20; i++) cache.insert(token, verdictOn(token, { fingerprint: `f${i}` }));
    expect(cache.verdictFor(token, 'f0', 0)).toBeUndefined();
    expect(cache.verdictFor(token, 'f19', 0)).toMatchObject({ kind: 'verified' });
    expect(cache.stats().entries).toBe(1);
  });

  test.each([
    { entries: 0, bytes: 1024 },
    { entries: 10, bytes: 0 },
  ])('with no room it is off: %j', (limits) => {
    const cache = createVerdictCache(limits);
    const token = numbered(0);
    cache.insert(token, verdictOn(token));
    expect(cache.find(token.raw)).toBeUndefined();
    expect(cache.verdictFor(token, 'f', 0)).toBeUndefined();
    expect(cache.stats()).toEqual({ hits: 0, misses: 1, entries: 0, bytes: 0 });
  });
});

describe('what is kept', () => {
  test('can be parsed from, and verified again for another tenant', () => {
    const secret = Buffer.alloc(32, 1);
    const raw = hs256Token({ alg: 'HS256', kid: 'k' }, { sub: 'a' }, secret);
    const cache = keepingCache();
    const key = importSecret(secret, { kid: 'k' }, new Set(['HS256'])) as ImportedKey;
    verifySignature(parsed(raw), verifierOf([key], { algorithms: ['HS256'] }), cache, Date.now());
    const kept = cache.find(raw) as UnverifiedToken;
    const { kind, unverifiedHeader, unverifiedClaims, algorithm, kid, signingInput, signature } = kept;
    expect({ kind, raw: kept.raw, unverifiedHeader, unverifiedClaims, algorithm, kid, signingInput }).toEqual(
      (({ signature: _, ...rest }) => rest)(parsed(raw)),
    );
    expect(Buffer.from(signature).equals(Buffer.from(parsed(raw).signature))).toBe(true);
    const sibling = verifierOf([key], { algorithms: ['HS256'] });
    expect(verifySignature(kept, sibling, cache, Date.now())).toMatchObject({ kind: 'verified', cached: false });
  });

  test('can’t be changed by one request for the next', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 1024 * 1024 });
    const token = parsed(rawToken({ alg: 'HS256' }, { user: { roles: ['reader'] } }));
    cache.insert(token, verdictOn(token));
    const verdict = cache.verdictFor(token, 'f', 0);
    const claims = verdict?.token.claims as { user: { roles: string[] } };
    expect(() => claims.user.roles.push('admin')).toThrow(TypeError);
    expect(() => Object.assign(claims.user, { admin: true })).toThrow(TypeError);
    expect(() => Object.assign(verdict?.token.header as object, { alg: 'none' })).toThrow(TypeError);
  });
});

describe('a verdict', () => {
  test('dies with its key, and leaves the memory', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 1024 * 1024 });
    const token = numbered(0);
    let live = true;
    cache.insert(token, verdictOn(token, { isLive: () => live }));
    expect(cache.verdictFor(token, 'f', 0)).toBeDefined();
    live = false;
    expect(cache.verdictFor(token, 'f', 0)).toBeUndefined();
    expect(cache.stats().entries).toBe(0);
  });

  test('ends when its time is over', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 1024 * 1024 });
    const token = numbered(0);
    cache.insert(token, verdictOn(token, { expiresAtMs: 1000 }));
    expect(cache.verdictFor(token, 'f', 999)).toBeDefined();
    expect(cache.verdictFor(token, 'f', 1000)).toBeUndefined();
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, entries: 0 });
  });

  test('of one tenant that ends leaves another’s in place', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 1024 * 1024 });
    const token = numbered(0);
    cache.insert(token, verdictOn(token, { fingerprint: 'a', isLive: () => false }));
    cache.insert(token, verdictOn(token, { fingerprint: 'b' }));
    expect(cache.verdictFor(token, 'a', 0)).toBeUndefined();
    expect(cache.verdictFor(token, 'b', 0)).toBeDefined();
  });
});

/**
 * A small world in which everything happens in any order: tokens of several secrets come to several tenants, keys are
 * rotated, configs reloaded, time passes. Beside the cache stands a judge without one.
 */
describe('property: no cached verdict ever crosses tenants, keys, or config generations', () => {
  const secrets = [0, 1, 2].map((i) => Buffer.alloc(32, i + 1));
  const tokens = secrets.flatMap((secret, s) =>
    [100, 300, undefined].map((exp) => hs256Token({ alg: 'HS256' }, { s, exp }, secret)),
  );
  const hs256 = new Set(['HS256']);

  interface World {
    nowS: number;
    readonly tenants: { secret: number; generation: number; key: ImportedKey; live: { value: boolean } }[];
  }

  function keyOf(secret: number): { key: ImportedKey; live: { value: boolean } } {
    const live = { value: true };
    const key = importSecret(secrets[secret] as Buffer, {}, hs256) as ImportedKey;
    return { key: { ...key, isLive: () => live.value }, live };
  }

  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('ask' as const), tenant: fc.nat(2), token: fc.nat(tokens.length - 1) }),
    },
    fc.record({ do: fc.constant('rotate' as const), tenant: fc.nat(2), secret: fc.nat(2) }),
    fc.record({ do: fc.constant('reload' as const), tenant: fc.nat(2), secret: fc.nat(2) }),
    fc.record({ do: fc.constant('wait' as const), seconds: fc.nat(120) }),
  );

  test('and it answers exactly as one without a cache would', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 100 }), fc.constantFrom(1, 2, 100), (steps, entries) => {
        const cache = keepingCache({ entries, bytes: 1024 * 1024 });
        const world: World = {
          nowS: 0,
          tenants: [0, 1, 2].map((secret) => ({ secret, generation: 0, ...keyOf(secret) })),
        };
        for (const one of steps) {
          if (one.do === 'wait') {
            world.nowS += one.seconds;
            continue;
          }
          const tenant = world.tenants[one.tenant] as World['tenants'][number];
          if (one.do === 'ask') {
            const raw = tokens[one.token] as string;
            const verifier = verifierOf([tenant.key], {
              algorithms: hs256,
              clockSkewS: 0,
              fingerprint: `${one.tenant} ${tenant.generation}`,
            });
            const token = cache.find(raw) ?? parsed(raw);
            const verdict = verifySignature(token, verifier, cache, world.nowS * 1000);
            const { s, exp } = parsed(raw).unverifiedClaims as { s: number; exp?: number };
            const expected =
              exp !== undefined && world.nowS >= exp
                ? 'tokenExpired'
                : s === tenant.secret
                  ? 'verified'
                  : 'signatureInvalid';
            if (verdict instanceof Promise) throw new Error('HMAC is checked at once');
            expect(verdict.kind === 'verified' ? verdict.kind : verdict.reason).toBe(expected);
            if (verdict.kind === 'verified') expect(verdict.token.claims.s).toBe(tenant.secret);
          } else {
            // A rotation keeps the fingerprint and ends the key; a reload changes the fingerprint.
            if (one.do === 'rotate') tenant.live.value = false;
            else tenant.generation++;
            Object.assign(tenant, { secret: one.secret, ...keyOf(one.secret) });
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
