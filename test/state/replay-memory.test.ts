import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createReplayMemory } from '../../src/state/replay-memory.ts';
import { createReplayStores } from '../../src/state/replay-stores.ts';

test('no id is first twice before its time is over, whatever else was used and however time went', () => {
  const step = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    lastsMs: fc.integer({ min: 1, max: 60_000 }),
    afterMs: fc.integer({ min: 0, max: 20_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = createReplayMemory(3);
      const until = new Map<string, number>();
      let nowMs = 1_000_000;
      for (const { id, lastsMs, afterMs } of steps) {
        nowMs += afterMs;
        const use = memory.use(id, nowMs + lastsMs, nowMs);
        const isUsed = nowMs < (until.get(id) ?? 0);
        if (isUsed) expect(use).toMatchObject({ kind: 'again' });
        if (use !== undefined && 'kind' in use && use.kind === 'first') until.set(id, nowMs + lastsMs);
        expect(memory.entries).toBeLessThanOrEqual(3);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a full memory lets nothing new through, still knows the old, and has room again once they ended', () => {
  const memory = createReplayMemory(2);
  expect(memory.use('a', 20_000, 0)).toEqual({ kind: 'first' });
  expect(memory.use('b', 90_000, 0)).toEqual({ kind: 'first' });
  expect(memory.use('c', 90_000, 0)).toMatchObject({ kind: 'full', retryAfterS: expect.any(Number) });
  expect(memory.use('a', 20_000, 0)).toEqual({ kind: 'again' });
  expect(memory.use('c', 90_000, 40_000)).toEqual({ kind: 'first' });
  expect(memory.entries).toBe(2);
});

test('asking says what a use would be, and uses nothing', () => {
  const memory = createReplayMemory(1);
  expect(memory.ask('a')).toEqual({ kind: 'first' });
  expect(memory.ask('a')).toEqual({ kind: 'first' });
  expect(memory.use('a', 20_000, 0)).toEqual({ kind: 'first' });
  expect(memory.ask('a')).toEqual({ kind: 'again' });
  expect(memory.ask('b')).toMatchObject({ kind: 'full' });
});

test('a tenant keeps its memory from one config to the next, and its new limit counts', () => {
  const stores = createReplayStores();
  const before = stores.holdMemory('acme', 10);
  expect(before.store.use('a', 1_000, 0)).toEqual({ kind: 'first' });
  const after = stores.holdMemory('acme', 1);
  before.release();
  expect(after.store.use('a', 1_000, 0)).toEqual({ kind: 'again' });
  expect(after.store.use('b', 1_000, 0)).toMatchObject({ kind: 'full' });
  expect(stores.holdMemory('globex', 1).store.use('a', 1_000, 0)).toEqual({ kind: 'first' });
});
