import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSigningKeys, type SigningKeys } from '../../src/sign/signing-keys.ts';
import { signingKey } from '../support/signing.ts';

const t0 = 1_700_000_000_000;
const minute = 60_000;
const [a, b, c] = await Promise.all([signingKey(), signingKey(), signingKey({ algorithm: 'EdDSA' })]);
const secret = await signingKey({ algorithm: 'HS256' });
const otherSecret = await signingKey({ algorithm: 'HS256', secret: Buffer.alloc(32, 5) });

const one = (key: typeof a, publishBeforeMs = 10 * minute) => [{ slot: 'upstream.sign', key, publishBeforeMs }];
const kids = (keys: SigningKeys, nowMs: number) => keys.publicJwks(nowMs).keys.map(({ kid }) => kid);
const signing = (keys: SigningKeys, nowMs: number) => keys.keyFor('upstream.sign', nowMs)?.kid;

describe('rotation', () => {
  test('the first key signs at once: there is none before it', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    expect([signing(keys, t0), kids(keys, t0)]).toEqual([a.kid, [a.kid]]);
  });

  test('a new key is published at once and signs when verifiers have seen it', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.adopt(one(b), t0 + minute);
    expect(kids(keys, t0 + minute)).toEqual([a.kid, b.kid]);
    expect(signing(keys, t0 + 11 * minute - 1)).toBe(a.kid);
    expect(signing(keys, t0 + 11 * minute)).toBe(b.kid);
  });

  test('the old key stays published until its last token has expired, and a minute for clocks that differ', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.adopt(one(b), t0);
    keys.noteSigned(a, t0 + 14 * minute);
    keys.noteSigned(a, t0 + 12 * minute);
    expect(kids(keys, t0 + 15 * minute - 1)).toEqual([a.kid, b.kid]);
    expect(kids(keys, t0 + 15 * minute)).toEqual([b.kid]);
  });

  test('publishBefore: 0s takes over at once', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.adopt(one(b, 0), t0);
    expect(signing(keys, t0)).toBe(b.kid);
  });

  test('a reload with the same key changes nothing', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.adopt(one(b), t0);
    for (let i = 1; i < 10; i++) keys.adopt(one(b), t0 + i * minute);
    expect(signing(keys, t0 + 10 * minute)).toBe(b.kid);
  });

  test('a key that was taken back before it signed is withdrawn at once', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.adopt(one(b), t0);
    keys.adopt(one(a), t0 + minute);
    expect(kids(keys, t0 + minute)).toEqual([a.kid]);
    expect(signing(keys, t0 + 60 * minute)).toBe(a.kid);
  });

  test('a key that comes back while it is still published signs at once', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.noteSigned(a, t0 + 60 * minute);
    keys.adopt(one(b, 0), t0 + minute);
    keys.adopt(one(a), t0 + 20 * minute);
    expect(signing(keys, t0 + 20 * minute)).toBe(a.kid);
  });

  test('a slot that is gone signs no more, and its key stays until its tokens are over', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.noteSigned(a, t0 + 5 * minute);
    keys.adopt([], t0 + minute);
    expect(keys.keyFor('upstream.sign', t0 + minute)).toBeUndefined();
    expect(kids(keys, t0 + minute)).toEqual([a.kid]);
    expect(kids(keys, t0 + 6 * minute)).toEqual([]);
  });

  test('a request under way that signs with a withdrawn key has it published again', () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.adopt(one(b, 0), t0);
    expect(kids(keys, t0)).toEqual([b.kid]);
    keys.noteSigned(a, t0 + minute);
    expect(kids(keys, t0)).toEqual([b.kid, a.kid]);
  });

  test('secrets are never published, and take over at once', () => {
    const keys = createSigningKeys();
    keys.adopt(one(secret), t0);
    keys.adopt(one(otherSecret), t0);
    expect(keys.keyFor('upstream.sign', t0)?.id).toBe(otherSecret.id);
    keys.noteSigned(otherSecret, t0 + minute);
    expect(kids(keys, t0)).toEqual([]);
  });

  test('from a secret to a private key there is the same overlap', () => {
    const keys = createSigningKeys();
    keys.adopt(one(secret), t0);
    keys.adopt(one(a), t0);
    expect([keys.keyFor('upstream.sign', t0)?.id, kids(keys, t0)]).toEqual([secret.id, [a.kid]]);
    expect(signing(keys, t0 + 10 * minute)).toBe(a.kid);
  });

  test('slots rotate apart from each other, and a key of two slots is published once', () => {
    const keys = createSigningKeys();
    const slots = (first: typeof a, second: typeof a) => [
      { slot: 'x', key: first, publishBeforeMs: minute },
      { slot: 'y', key: second, publishBeforeMs: 2 * minute },
    ];
    keys.adopt(slots(a, a), t0);
    expect(kids(keys, t0)).toEqual([a.kid]);
    keys.adopt(slots(b, c), t0);
    expect(['x', 'y'].map((slot) => keys.keyFor(slot, t0 + minute)?.kid)).toEqual([b.kid, a.kid]);
    expect(kids(keys, t0 + minute)).toEqual([a.kid, b.kid, c.kid]);
    expect(kids(keys, t0 + 2 * minute)).toEqual([b.kid, c.kid]);
  });
});

describe('one kid for two keys that are published together is a conflict:', async () => {
  const [k1, k2] = await Promise.all([signingKey({ kid: 'k' }), signingKey({ kid: 'k' })]);

  test('in one config', () => {
    const keys = createSigningKeys();
    const slots = [
      { slot: 'x', key: k1, publishBeforeMs: 0 },
      { slot: 'y', key: k2, publishBeforeMs: 0 },
    ];
    expect(keys.findConflicts(slots, t0)).toMatchObject([{ slot: 'y', problem: expect.stringContaining('kid "k"') }]);
  });

  test('with the key that a reload would replace', () => {
    const keys = createSigningKeys();
    keys.adopt(one(k1), t0);
    expect(keys.findConflicts(one(k2), t0)).toHaveLength(1);
  });

  test('with a key whose tokens are not over', () => {
    const keys = createSigningKeys();
    keys.adopt(one(k1), t0);
    keys.noteSigned(k1, t0 + minute);
    keys.adopt(one(b, 0), t0);
    expect(keys.findConflicts(one(k2), t0 + minute)).toHaveLength(1);
    expect(keys.findConflicts(one(k2), t0 + 2 * minute)).toEqual([]);
  });

  test('but not with itself, not with a key that never signed, and not among secrets', async () => {
    const keys = createSigningKeys();
    keys.adopt(one(a), t0);
    keys.adopt(one(k1), t0);
    expect(keys.findConflicts(one(k1), t0)).toEqual([]);
    expect(keys.findConflicts(one(k2), t0)).toEqual([]);
    const named = await signingKey({ algorithm: 'HS256', kid: 'k' });
    expect(keys.findConflicts([...one(k1), { slot: 'y', key: named, publishBeforeMs: 0 }], t0)).toEqual([]);
  });
});

describe('whatever the reloads,', () => {
  const publishBeforeMs: Record<string, number> = { x: minute, y: 10 * minute };
  const slot = fc.constantFrom('x', 'y');
  const slots = fc
    .uniqueArray(fc.record({ slot, key: fc.constantFrom(a, b, c, secret) }), { selector: (one) => one.slot })
    .map((some) => some.map((one) => ({ ...one, publishBeforeMs: publishBeforeMs[one.slot] as number })));
  const step = fc.oneof(
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 8 * minute }) }),
    fc.record({ kind: fc.constant('reload' as const), slots }),
    fc.record({ kind: fc.constant('sign' as const), slot, lifetimeMs: fc.integer({ min: 1000, max: 15 * minute }) }),
  );

  test('every token that has not expired verifies against the set published then, and no new key signs before its time', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const keys = createSigningKeys();
        const tokens: { readonly kid: string; readonly expiresAtMs: number }[] = [];
        const firstOfSlot = new Map<string, string>();
        let publishedSince = new Map<string, number>();
        let nowMs = t0;
        for (const action of steps) {
          if (action.kind === 'wait') nowMs += action.ms;
          if (action.kind === 'reload') {
            keys.adopt(action.slots, nowMs);
            const gone = [...firstOfSlot.keys()].filter((name) => !action.slots.some((one) => one.slot === name));
            for (const name of gone) firstOfSlot.delete(name);
            for (const one of action.slots) {
              if (!firstOfSlot.has(one.slot)) firstOfSlot.set(one.slot, one.key.id);
            }
          }
          const published = kids(keys, nowMs);
          publishedSince = new Map(published.map((kid) => [kid, publishedSince.get(kid) ?? nowMs]));
          for (const { kid, expiresAtMs } of tokens) if (nowMs < expiresAtMs) expect(published).toContain(kid);
          const key = action.kind === 'sign' ? keys.keyFor(action.slot, nowMs) : undefined;
          if (action.kind !== 'sign' || key?.publicJwk === undefined) continue;
          const { kid } = key.publicJwk;
          const sinceMs = publishedSince.get(kid) ?? nowMs + 1;
          const leastMs = firstOfSlot.get(action.slot) === key.id ? 0 : (publishBeforeMs[action.slot] as number);
          expect(nowMs - sinceMs).toBeGreaterThanOrEqual(leastMs);
          const expiresAtMs = nowMs + action.lifetimeMs;
          keys.noteSigned(key, expiresAtMs);
          tokens.push({ kid, expiresAtMs });
        }
      }),
      { numRuns: 500 },
    );
  });
});

test('a copy of the set may be kept for half the time after which a new key signs, at most five minutes', () => {
  const keys = createSigningKeys();
  expect(keys.maxAgeS()).toBe(300);
  keys.adopt(one(a, 60 * minute), t0);
  expect(keys.maxAgeS()).toBe(300);
  keys.adopt([...one(a), { slot: 'y', key: b, publishBeforeMs: minute }], t0);
  expect(keys.maxAgeS()).toBe(30);
  keys.adopt(one(a, 0), t0);
  expect(keys.maxAgeS()).toBe(0);
});

test('what is published holds public members only, however it is printed', () => {
  const keys = createSigningKeys();
  keys.adopt(
    [...one(a), { slot: 'y', key: c, publishBeforeMs: 0 }, { slot: 'z', key: secret, publishBeforeMs: 0 }],
    t0,
  );
  const members = keys.publicJwks(t0).keys.flatMap((jwk) => Object.keys(jwk));
  expect([...new Set(members)].sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
});
