import { afterEach, describe, expect, test } from 'vitest';
import { createReplayRedis, type ReplayRedis, type ReplayRedisEvent } from '../../src/state/replay-redis.ts';
import { freePort } from '../support/free-port.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

const open: ReplayRedis[] = [];
afterEach(() => {
  for (const store of open.splice(0)) store.close();
});

function storeAt(url: string, timeoutMs = 20_000): { store: ReplayRedis; events: ReplayRedisEvent[] } {
  const events: ReplayRedisEvent[] = [];
  const store = createReplayRedis({ url, timeoutMs, onEvent: (event) => events.push(event) });
  open.push(store);
  return { store, events };
}

const inAMinute = () => Date.now() + 60_000;

describe.skipIf(!hasRedis)('a store in Redis', () => {
  test('of a hundred uses of one id by two replicas at once, exactly one is the first', async () => {
    await using redis = await startRedis();
    const url = `redis://127.0.0.1:${redis.port}/3`;
    const [one, two] = [storeAt(url).store, storeAt(url).store];
    await until('both connected', () => one.connected && two.connected);
    for (const id of ['a', 'b', 'c']) {
      const uses = await Promise.all(
        Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? one : two).use(id, inAMinute(), Date.now())),
      );
      expect(uses.filter(({ kind }) => kind === 'first')).toHaveLength(1);
      expect(uses.filter(({ kind }) => kind === 'again')).toHaveLength(99);
    }
  });

  test('an id is remembered until its time, and then no longer', async () => {
    await using redis = await startRedis();
    const { store } = storeAt(`redis://127.0.0.1:${redis.port}`);
    await until('connected', () => store.connected);
    const [nowMs, untilMs] = [Date.now(), Date.now() + 2_000];
    expect(await store.use('a', untilMs, nowMs)).toEqual({ kind: 'first' });
    expect(await store.use('a', untilMs, nowMs)).toEqual({ kind: 'again' });
    await until('it is forgotten', async () => (await store.use('a', untilMs, nowMs)).kind === 'first');
    expect(Date.now()).toBeGreaterThanOrEqual(untilMs - 50);
  });

  test('one that goes away is unavailable at once, and is used again when it is back', async () => {
    const port = await freePort();
    const { store, events } = storeAt(`redis://127.0.0.1:${port}`);
    await until('a failed attempt', () => events.length > 0);
    expect(await store.use('a', inAMinute(), Date.now())).toMatchObject({ kind: 'unavailable', retryAfterS: 1 });
    {
      await using _redis = await startRedis(port);
      await until('connected', () => store.connected);
      expect(await store.use('a', inAMinute(), Date.now())).toEqual({ kind: 'first' });
    }
    await until('lost', () => !store.connected);
    expect(await store.use('a', inAMinute(), Date.now())).toMatchObject({ kind: 'unavailable' });
    await using _again = await startRedis(port);
    await until('connected again', () => store.connected);
    expect(await store.use('b', inAMinute(), Date.now())).toEqual({ kind: 'first' });
    expect(events.map(({ kind }) => kind)).toEqual(['lost', 'connected', 'lost', 'connected']);
  });

  test('asking says what a use would be, and uses nothing', async () => {
    await using redis = await startRedis();
    const { store } = storeAt(`redis://127.0.0.1:${redis.port}`);
    await until('connected', () => store.connected);
    expect(await store.ask('a')).toEqual({ kind: 'first' });
    expect(await store.use('a', inAMinute(), Date.now())).toEqual({ kind: 'first' });
    expect(await store.ask('a')).toEqual({ kind: 'again' });
  });

  test('one that hangs is given up after its timeout, and again once it moves', async () => {
    await using redis = await startRedis();
    const { store } = storeAt(`redis://127.0.0.1:${redis.port}`, 500);
    await until('connected', () => store.connected);
    redis.process.kill('SIGSTOP');
    for (let i = 0; i < 4; i++) {
      expect(await store.use(`a${i}`, inAMinute(), Date.now())).toMatchObject({ kind: 'unavailable' });
    }
    redis.process.kill('SIGCONT');
    let tries = 0;
    await until('used again', async () => (await store.use(`b${tries++}`, inAMinute(), Date.now())).kind === 'first');
  });

  test('a password is sent, and neither it nor the user is ever said', async () => {
    await using redis = await startRedis(undefined, ['--requirepass', 'open-sesame']);
    const { store } = storeAt(`redis://:open-sesame@127.0.0.1:${redis.port}`);
    await until('connected', () => store.connected);
    expect(await store.use('a', inAMinute(), Date.now())).toEqual({ kind: 'first' });
    const wrong = storeAt(`redis://:open-barley@127.0.0.1:${redis.port}`);
    await until('refused', () => wrong.events.length > 0);
    const use = await wrong.store.use('a', inAMinute(), Date.now());
    expect(use).toMatchObject({ kind: 'unavailable' });
    expect(JSON.stringify([wrong.events, use, wrong.store.name])).not.toMatch(/sesame|barley/);
  });
});
