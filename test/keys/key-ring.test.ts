import { describe, expect, test } from 'vitest';
import {
  createKeyRing,
  type KeyLookup,
  type KeyProvider,
  type KidMode,
  staticKeys,
  type VerificationKey,
} from '../../src/keys/key-ring.ts';

function key(kid: string | undefined, ...algorithms: string[]): VerificationKey {
  return { kid, algorithms: new Set(algorithms), isLive: () => true, verify: () => false };
}

function ringOf(keys: readonly VerificationKey[], kid: KidMode = 'auto', algorithms = ['HS256', 'RS256', 'ES256']) {
  return createKeyRing([staticKeys(keys)], { algorithms: new Set(algorithms), kid });
}

function found(lookup: KeyLookup | Promise<KeyLookup>): (string | undefined)[] {
  if (lookup instanceof Promise || lookup.kind !== 'found') throw new Error(JSON.stringify(lookup));
  return lookup.keys.map(({ kid }) => kid);
}

function unknown(lookup: KeyLookup | Promise<KeyLookup>): string {
  if (lookup instanceof Promise || lookup.kind !== 'unknown') throw new Error(JSON.stringify(lookup));
  return lookup.detail;
}

describe('a token with a kid', () => {
  const keys = [key('a', 'RS256'), key('b', 'RS256'), key(undefined, 'RS256')];

  test('is tried against the key of that kid only', () => {
    expect(found(ringOf(keys).find('a', 'RS256', 0))).toEqual(['a']);
    expect(found(ringOf(keys, 'required').find('b', 'RS256', 0))).toEqual(['b']);
    expect(found(ringOf(keys, 'optional').find('b', 'RS256', 0))).toEqual(['b']);
  });

  test('that no key has is refused, though one key alone would fit', () => {
    expect(unknown(ringOf([key('a', 'RS256')]).find('x', 'RS256', 0))).toBe(
      'the token\'s kid "x" names no key of this tenant (its keys: "a")',
    );
  });

  test('that no key has is told what to change where the secret has no kid', () => {
    expect(unknown(ringOf([key(undefined, 'HS256')]).find('x', 'HS256', 0))).toBe(
      'the token\'s kid "x" names no key of this tenant; its secret has no kid: set secret.kid, or kid: optional',
    );
    expect(unknown(ringOf([key(undefined, 'RS256'), key('a', 'RS256')]).find('x', 'RS256', 0))).toContain(
      'a key of it has no kid: set it, or kid: optional',
    );
    expect(unknown(ringOf([]).find('x', 'RS256', 0))).toContain('it has no keys');
  });

  test('whose key is for another algorithm is refused, even where kid is optional', () => {
    for (const mode of ['auto', 'required', 'optional'] as const) {
      expect(unknown(ringOf([key('a', 'RS256'), key('b', 'ES256')], mode).find('a', 'ES256', 0))).toBe(
        'key "a" is not for ES256 (it is for RS256)',
      );
    }
  });

  test('that two keys have is tried against those of its algorithm', () => {
    const twins = [key('a', 'RS256'), key('a', 'ES256'), key('a', 'RS256')];
    expect(found(ringOf(twins).find('a', 'RS256', 0))).toEqual(['a', 'a']);
    expect(found(ringOf(twins).find('a', 'ES256', 0))).toEqual(['a']);
  });

  test('may try every fitting key where kid is optional, eight at most', () => {
    expect(found(ringOf(keys, 'optional').find('x', 'RS256', 0))).toEqual(['a', 'b', undefined]);
    const many = Array.from({ length: 20 }, (_, i) => key(`k${i}`, 'RS256'));
    expect(found(ringOf(many, 'optional').find('x', 'RS256', 0))).toHaveLength(8);
  });
});

describe('a token without a kid', () => {
  test('has a key where exactly one fits its algorithm', () => {
    const keys = [key('a', 'RS256'), key('b', 'ES256'), key(undefined, 'HS256')];
    expect(found(ringOf(keys).find(undefined, 'RS256', 0))).toEqual(['a']);
    expect(found(ringOf(keys).find(undefined, 'HS256', 0))).toEqual([undefined]);
  });

  test('is refused where two fit, or none', () => {
    expect(unknown(ringOf([key('a', 'RS256'), key('b', 'RS256')]).find(undefined, 'RS256', 0))).toContain(
      'the token names no kid, and 2 keys fit RS256',
    );
    expect(unknown(ringOf([key('a', 'RS256')]).find(undefined, 'ES256', 0))).toBe('no key of this tenant is for ES256');
  });

  test('is refused where the tenant requires one', () => {
    expect(unknown(ringOf([key('a', 'RS256')], 'required').find(undefined, 'RS256', 0))).toBe(
      'the token names no kid, and this tenant requires one',
    );
  });

  test('tries every fitting key where kid is optional', () => {
    const keys = [key('a', 'RS256'), key('b', 'RS256'), key('c', 'ES256')];
    expect(found(ringOf(keys, 'optional').find(undefined, 'RS256', 0))).toEqual(['a', 'b']);
  });
});

test('no key is found for an algorithm that is not the tenant’s', () => {
  expect(unknown(ringOf([key('a', 'RS256')], 'optional', ['ES256']).find('a', 'RS256', 0))).toContain(
    'not an algorithm',
  );
});

describe('a ring with a provider', () => {
  function provided(initial: readonly VerificationKey[] | undefined) {
    let keys = initial;
    const calls: string[] = [];
    const provider: { -readonly [name in keyof KeyProvider]: KeyProvider[name] } = {
      arriving: () => undefined,
      seek: (kid) => {
        calls.push(kid);
        return undefined;
      },
      trouble: () => undefined,
    };
    return {
      calls,
      provider,
      source: { current: () => keys, provider },
      publish: (next: readonly VerificationKey[] | undefined) => {
        keys = next;
      },
    };
  }

  const options = { algorithms: new Set(['RS256', 'HS256']), kid: 'auto' as KidMode };

  test('answers at once for a kid that is at hand, and sees a changed set at once', () => {
    const remote = provided([key('a', 'RS256')]);
    const ring = createKeyRing([remote.source], options);
    expect(found(ring.find('a', 'RS256', 0))).toEqual(['a']);
    remote.publish([key('b', 'RS256')]);
    expect(found(ring.find('b', 'RS256', 0))).toEqual(['b']);
    expect(unknown(ring.find('a', 'RS256', 0))).toContain('names no key');
    expect(remote.calls).toEqual(['a']);
  });

  test('waits for the fetch that an unknown kid sets off', async () => {
    const remote = provided([key('a', 'RS256')]);
    remote.provider.seek = async () => remote.publish([key('a', 'RS256'), key('b', 'RS256')]);
    const ring = createKeyRing([remote.source], options);
    expect(found(await ring.find('b', 'RS256', 0))).toEqual(['b']);
  });

  test('waits for first keys, and says unavailable where they do not come', async () => {
    const remote = provided(undefined);
    remote.provider.arriving = async () => {};
    remote.provider.trouble = () => ({ detail: 'id.example: timeout', retryAfterS: 3 });
    const ring = createKeyRing([remote.source], options);
    expect(await ring.find('a', 'RS256', 0)).toEqual({
      kind: 'unavailable',
      detail: 'id.example: timeout',
      retryAfterS: 3,
    });
    expect(remote.calls).toEqual([]);
    remote.provider.arriving = async () => remote.publish([key('a', 'RS256')]);
    expect(found(await ring.find('a', 'RS256', 0))).toEqual(['a']);
  });

  test('serves what is at hand while its provider is in trouble, and nothing else', () => {
    const remote = provided([key('a', 'RS256')]);
    remote.provider.trouble = () => ({ detail: 'status 500', retryAfterS: 9 });
    const ring = createKeyRing([remote.source], options);
    expect(found(ring.find('a', 'RS256', 0))).toEqual(['a']);
    expect(found(ring.find(undefined, 'RS256', 0))).toEqual(['a']);
    expect(ring.find('new', 'RS256', 0)).toMatchObject({ kind: 'unavailable', retryAfterS: 9 });
  });

  test('never asks a provider for an HMAC key, nor waits for one', () => {
    const remote = provided(undefined);
    const ring = createKeyRing([staticKeys([key('s', 'HS256')]), remote.source], options);
    expect(found(ring.find('s', 'HS256', 0))).toEqual(['s']);
    expect(found(ring.find(undefined, 'HS256', 0))).toEqual(['s']);
    expect(unknown(ring.find('x', 'HS256', 0))).toContain('names no key');
    expect(remote.calls).toEqual([]);
  });

  test('does not let a token without kid pass on a guess while keys are missing', () => {
    const remote = provided(undefined);
    const ring = createKeyRing([staticKeys([key('a', 'RS256')]), remote.source], options);
    expect(ring.find(undefined, 'RS256', 0)).toMatchObject({ kind: 'unavailable' });
    expect(found(ring.find('a', 'RS256', 0))).toEqual(['a']);
  });

  test('seeks nothing for a kid that is at hand for another algorithm, nor where a kid is required and missing', () => {
    const remote = provided([key('a', 'RS256')]);
    const ring = createKeyRing([remote.source], { algorithms: new Set(['RS256', 'ES256']), kid: 'required' });
    expect(unknown(ring.find('a', 'ES256', 0))).toContain('is not for ES256');
    expect(unknown(ring.find(undefined, 'RS256', 0))).toContain('requires one');
    expect(remote.calls).toEqual([]);
  });

  test('tries every fitting key where kid is optional, once the provider was asked', async () => {
    const remote = provided([key('a', 'RS256')]);
    const ring = createKeyRing([remote.source], { ...options, kid: 'optional' });
    expect(found(ring.find('x', 'RS256', 0))).toEqual(['a']);
    expect(remote.calls).toEqual(['x']);
    remote.provider.trouble = () => ({ detail: 'away', retryAfterS: 1 });
    expect(found(ring.find('x', 'RS256', 0))).toEqual(['a']);
  });

  test('takes the shortest wait of several providers in trouble', () => {
    const one = provided(undefined);
    const two = provided(undefined);
    one.provider.trouble = () => ({ detail: 'one', retryAfterS: 60 });
    two.provider.trouble = () => ({ detail: 'two', retryAfterS: 2 });
    const ring = createKeyRing([one.source, two.source], options);
    expect(ring.find('x', 'RS256', 0)).toEqual({ kind: 'unavailable', detail: 'one; two', retryAfterS: 2 });
  });
});
