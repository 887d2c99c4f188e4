import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseToken, type UnverifiedToken } from '../../src/gate/token.ts';
import { tokenPlace } from '../../src/state/token-place.ts';
import { createVerdictCache, type NewVerdict } from '../../src/state/verdict-cache.ts';
import { rawToken } from '../support/raw-token.ts';

describe('tokens that share a place', () => {
  const [mine, theirs] = ['mine', 'theirs'].map((sub) => parsed(rawToken({ alg: 'HS256' }, { sub }))) as [
    UnverifiedToken,
    UnverifiedToken,
  ];

  function parsed(raw: string): UnverifiedToken {
    const token = parseToken(`${raw.slice(0, raw.lastIndexOf('.'))}.${'c2lnbmF0dXJl'.repeat(4)}`, 100_000);
    if (token.kind === 'malformed') throw new Error(token.detail);
    return token;
  }

  function verdictOn({ raw, unverifiedHeader, unverifiedClaims, algorithm, kid }: UnverifiedToken): NewVerdict {
    const token = { raw, header: unverifiedHeader, claims: unverifiedClaims, algorithm, kid } as never;
    return { fingerprint: 'f', token, isLive: () => true, expiresAtMs: Number.POSITIVE_INFINITY };
  }

  test('are those that end alike, as one with another’s signature under its own payload does', () => {
    expect(mine.raw).not.toBe(theirs.raw);
    expect(tokenPlace(mine.raw)).toBe(tokenPlace(theirs.raw));
  });

  test('are never taken for one another: a borrowed signature finds no verdict', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 1024 * 1024 });
    cache.insert(mine, verdictOn(mine));
    expect(cache.find(theirs.raw)).toBeUndefined();
    expect(cache.verdictFor(theirs, 'f', 0)).toBeUndefined();
    expect(cache.verdictFor(mine, 'f', 0)?.token.claims).toEqual({ sub: 'mine' });
  });

  test('push each other out, and are counted as one', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 1024 * 1024 });
    cache.insert(mine, verdictOn(mine));
    const { bytes } = cache.stats();
    cache.insert(theirs, verdictOn(theirs));
    expect(cache.verdictFor(theirs, 'f', 0)?.token.claims).toEqual({ sub: 'theirs' });
    expect(cache.find(mine.raw)).toBeUndefined();
    expect(cache.stats().entries).toBe(1);
    expect(cache.stats().bytes).toBeLessThan(bytes * 1.5);
  });

  test('are not refused for one another', () => {
    const cache = createVerdictCache({ entries: 10, bytes: 1024 * 1024 });
    const keys = [{ kid: undefined, algorithms: new Set(['HS256']), isLive: () => true, verify: () => false }];
    for (const _ of ['first sight', 'second sight']) cache.refuse(theirs, keys);
    expect(cache.wasRefused(theirs.raw, keys)).toBe(true);
    expect(cache.wasRefused(mine.raw, keys)).toBe(false);
  });
});

test('a short text has a place, too', () => {
  expect(['', '.', 'a.b.c'].map((text) => Number.isInteger(tokenPlace(text)))).toEqual([true, true, true]);
});

test('a flood of made-up tokens leaves nothing of them in the old generation, where only full collections look', () => {
  const here = JSON.stringify(join(import.meta.dirname, '../../src/state/verdict-cache.ts'));
  const code = `
    import { getHeapSpaceStatistics } from 'node:v8';
    const { createVerdictCache } = await import(${here});
    const cache = createVerdictCache({ entries: 1000, bytes: 1024 * 1024 });
    const head = Buffer.alloc(1000, 'x');
    const seen = new Map([['a', 1], ['b', 2]]);
    let count = 0;
    const madeUp = () => {
      head.write(String(++count).padStart(12, '0'), 800, 'latin1');
      return head.latin1Slice(0, 1000).slice(20, 820);
    };
    const asks = {
      cache: (raw) => cache.find(raw) ?? cache.wasRefused(raw, []),
      map: (raw) => seen.get(raw),
    };
    const oldBytes = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size;
    const bytesEach = (ask) => {
      for (let i = 0; i < 2000; i++) ask(madeUp());
      gc();
      const before = oldBytes();
      for (let i = 0; i < 5000; i++) ask(madeUp());
      gc({ type: 'minor' });
      return (oldBytes() - before) / 5000;
    };
    console.log(JSON.stringify({ cache: bytesEach(asks.cache), map: bytesEach(asks.map) }));`;
  const flags = ['--expose-gc', '--input-type=module', '--max-semi-space-size=16', '-e', code];
  const { cache, map } = JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
  expect(cache).toBeLessThan(100);
  expect(map).toBeGreaterThan(500); // It can tell. Where a Map has stopped doing this, the cache may use one again.
});
