import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { createClient } from '@redis/client';
import { describe, expect, test } from 'vitest';
import { redisListAddress } from '../../src/state/redis-lists.ts';
import { createRevocationLists, type ListPolicy, type RevocationEvent } from '../../src/state/revocation-lists.ts';
import { testCertificates } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { hasRedis, type RedisServer, redisCli, startRedis } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

const key = 'jwtgate:revoked:acme';
/** Nothing in these tests comes by the interval, unless it says so. */
const policy: ListPolicy = { refreshMs: 600_000, timeoutMs: 20_000, headers: {}, ca: undefined };
const often: ListPolicy = { ...policy, refreshMs: 1_000 };
const bearer = (jti: string) => ({ jti, sub: undefined, kid: undefined, issuedAtS: 1 });

function hold(redis: Pick<RedisServer, 'port'>, chosen: ListPolicy = policy, { login = '', db = '' } = {}) {
  const events: RevocationEvent[] = [];
  const lists = createRevocationLists({ env: {}, onEvent: (event) => events.push(event) });
  const lease = lists.holdUrl(redisListAddress(`redis://${login}127.0.0.1:${redis.port}${db}`, key), chosen);
  return {
    ...lease,
    events,
    revokes: (jti: string) => lease.list.find('acme', bearer(jti))?.kind === 'revoked',
    kinds: () => events.map(({ kind }) => kind),
    [Symbol.dispose]: () => lists.close(),
  };
}

const add = (redis: RedisServer, ...members: string[]) => redisCli(redis.port, ['SADD', key, ...members]);

describe.skipIf(!hasRedis)('a list in Redis', () => {
  test('revokes at once what is added, and no more what is taken away, long before the interval is over', async () => {
    await using redis = await startRedis();
    add(redis, '# revoked tokens of acme', 'jti one');
    using it = hold(redis);
    expect(it.list.find('acme', bearer('one'))?.kind).toBe('unavailable');
    await until('read', () => it.status().readyOnce);
    expect(it.revokes('one')).toBe(true);
    expect(it.revokes('two')).toBe(false);
    add(redis, 'jti two');
    await until('two is revoked', () => it.revokes('two'));
    redisCli(redis.port, ['SREM', key, 'jti one']);
    await until('one is not any more', () => !it.revokes('one'));
    redisCli(redis.port, ['SADD', 'staged', 'jti three']);
    redisCli(redis.port, ['RENAME', 'staged', key]);
    await until('replaced', () => it.revokes('three') && !it.revokes('two'));
    expect(it.status()).toMatchObject({ url: `redis://127.0.0.1:${redis.port} ${key}`, entries: 1, failures: 0 });
    expect(it.events.at(-1)).toEqual({ kind: 'listChanged', url: it.status().url, entries: 1 });
  });

  test.each([
    ['a server that may not be asked to tell of changes', ['--rename-command', 'CLIENT', '']],
    ['a server that speaks RESP2 alone', ['--rename-command', 'HELLO', '']],
  ])('is followed within the interval at %s', async (_what, args) => {
    await using redis = await startRedis(undefined, args);
    add(redis, 'jti one', 'jti two');
    using it = hold(redis, often);
    await until('read', () => it.revokes('one'));
    // As many members as before.
    redisCli(redis.port, [
      'EVAL',
      "redis.call('SREM', KEYS[1], 'jti one') redis.call('SADD', KEYS[1], 'jti new')",
      '1',
      key,
    ]);
    await until('followed', () => it.revokes('new') && !it.revokes('one'));
    expect(it.status().failures).toBe(0);
  });

  test('is asked for its size and no more, as long as nothing changes', async () => {
    await using redis = await startRedis();
    add(redis, 'jti one');
    using it = hold(redis, often);
    await until('read', () => it.status().readyOnce);
    const { lastSuccessMs } = it.status();
    await until('looked again', () => it.status().lastSuccessMs !== lastSuccessMs);
    const calls = redisCli(redis.port, ['INFO', 'commandstats']);
    expect(calls).toMatch(/cmdstat_sscan:calls=1,/);
    expect(it.kinds()).toEqual(['listChanged']);
  });

  test('a change of another key of the same beginning is none of its business', async () => {
    await using redis = await startRedis();
    add(redis, 'jti one');
    using it = hold(redis, often);
    await until('read', () => it.status().readyOnce);
    redisCli(redis.port, ['SADD', `${key}:other`, 'jti two']);
    const { lastSuccessMs } = it.status();
    await until('looked again', () => it.status().lastSuccessMs !== lastSuccessMs);
    expect(redisCli(redis.port, ['INFO', 'commandstats'])).toMatch(/cmdstat_sscan:calls=1,/);
  });

  test('unavailable where Redis is away at the start, and there as soon as Redis is', async () => {
    const port = await freePort();
    using it = hold({ port });
    await until('a failure', () => it.events.length > 0);
    expect(it.events[0]).toMatchObject({ kind: 'listNotFetched', detail: 'ECONNREFUSED', entriesLeft: 0 });
    expect(it.list.find('acme', bearer('one'))).toMatchObject({ kind: 'unavailable', retryAfterS: expect.any(Number) });
    await using redis = await startRedis(port);
    add(redis, 'jti one');
    await until('read', () => it.revokes('one'));
    expect(it.kinds()).toContain('recovered');
  });

  test('the last good one stays while Redis is away, and when it comes back having lost everything', async () => {
    const port = await freePort();
    using it = hold({ port }, often);
    {
      await using redis = await startRedis(port);
      add(redis, 'jti one');
      await until('read', () => it.revokes('one'));
    }
    await until('missed', () => it.status().failures > 0);
    expect(it.revokes('one')).toBe(true);
    await using redis = await startRedis(port);
    await until('the loss is noticed', () =>
      it.events.some((event) => event.kind === 'listNotFetched' && event.detail.startsWith('there is no set')),
    );
    expect(it.revokes('one')).toBe(true);
    expect(it.status()).toMatchObject({ entries: 1, readyOnce: true });
    add(redis, '# none');
    await until('an empty list is a list', () => !it.revokes('one'));
    expect(it.status()).toMatchObject({ entries: 0, skipped: 0, failures: 0 });
  });

  test('deleted while it is served, it stays in force', async () => {
    await using redis = await startRedis();
    add(redis, 'jti one');
    using it = hold(redis);
    await until('read', () => it.revokes('one'));
    redisCli(redis.port, ['FLUSHALL']);
    await until('noticed', () => it.status().failures > 0);
    expect(it.revokes('one')).toBe(true);
  });

  test('a key that holds something else than a set is named, and nothing passes by it', async () => {
    await using redis = await startRedis();
    redisCli(redis.port, ['SET', key, 'jti one']);
    using it = hold(redis);
    await until('a failure', () => it.events.length > 0);
    expect(it.events[0]).toMatchObject({ detail: `${key} holds something else than a set (WRONGTYPE)` });
    expect(it.list.find('acme', bearer('x'))?.kind).toBe('unavailable');
    redisCli(redis.port, ['DEL', key]);
    add(redis, 'jti x');
    await until('set right', () => it.revokes('x'));
  });

  test('a database by number; a password is sent, and neither it nor the user is ever said', async () => {
    await using redis = await startRedis(
      undefined,
      '--user keeper on >open-sesame ~* +@all --user default off'.split(' '),
    );
    const client = createClient({ url: `redis://keeper:open-sesame@127.0.0.1:${redis.port}/3` });
    await client.connect();
    await client.sAdd(key, 'jti one');
    client.destroy();
    using it = hold(redis, policy, { login: 'keeper:open-sesame@', db: '/3' });
    await until('read', () => it.revokes('one'));
    using wrong = hold(redis, policy, { login: 'keeper:open-barley@', db: '/3' });
    await until('refused', () => wrong.events.length > 0);
    expect(wrong.events[0]).toMatchObject({ detail: 'WRONGPASS' });
    const finding = wrong.list.find('acme', bearer('one'));
    expect(finding?.kind).toBe('unavailable');
    const said = JSON.stringify([
      it.events,
      wrong.events,
      finding,
      wrong.status(),
      it.list.find('acme', bearer('one')),
    ]);
    expect(said).not.toMatch(/sesame|barley|keeper/);
  });

  test('a user who may do no more than docs/revocation.md says can read it', async () => {
    const rights = `~${key} +sscan +scard +watch +multi +exec +hello +select +client|tracking`;
    await using redis = await startRedis(undefined, `--user gate on >p ${rights}`.split(' '));
    add(redis, 'jti one');
    using it = hold(redis, policy, { login: 'gate:p@', db: '/0' });
    await until('read', () => it.revokes('one'));
    add(redis, 'jti two');
    await until('told', () => it.revokes('two'));
  });

  test('over TLS, by a certificate of the CA that is named, and by no other', async () => {
    await using redis = await startRedis();
    add(redis, 'jti one');
    const { server, ca } = testCertificates();
    const front = createServer(server, (socket) => {
      const behind = connect(redis.port, '127.0.0.1').on('error', () => socket.destroy());
      socket.on('error', () => behind.destroy());
      socket.pipe(behind).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    const address = redisListAddress(`rediss://localhost:${(front.address() as AddressInfo).port}`, key);
    const events: RevocationEvent[] = [];
    const lists = createRevocationLists({ env: {}, onEvent: (event) => events.push(event) });
    const trusting = lists.holdUrl(address, { ...policy, ca });
    const distrusting = lists.holdUrl(address, policy);
    const kinds = () => new Set(events.map(({ kind }) => kind));
    await until('both came to something', () => kinds().has('listChanged') && kinds().has('listNotFetched'));
    expect(trusting.list.find('acme', bearer('one'))?.kind).toBe('revoked');
    expect(distrusting.list.find('acme', bearer('one'))?.kind).toBe('unavailable');
    expect(events.find(({ kind }) => kind === 'listNotFetched')).toMatchObject({
      detail: expect.stringMatching(/^(?:SELF_SIGNED|UNABLE_TO)_/),
    });
    lists.close();
    front.close();
  });

  test('members that are no entry are left out and counted, and take no other with them', async () => {
    await using redis = await startRedis();
    add(redis, 'jti good', '# comment', 'one', '', 'jti', 'sub "unfinished', 'before yesterday', 'kid a before 5');
    for (const hostile of ['jti x\njti slipped-in', 'jti \xff', `jti ${'y'.repeat(1_000_000)}`, 'jti a\rsub b']) {
      redisCli(redis.port, ['SADD', key], Buffer.from(hostile, 'latin1'));
    }
    redisCli(redis.port, ['SADD', key], Buffer.from('jti with\0nul'));
    using it = hold(redis);
    await until('read', () => it.status().readyOnce);
    expect(['good', 'slipped-in', 'x', 'a', 'b', 'with\0nul', 'with'].map(it.revokes)).toEqual([
      true,
      false,
      false,
      false,
      false,
      true,
      false,
    ]);
    expect(it.status()).toMatchObject({ entries: 2, skipped: 9, failures: 0 });
    expect(it.events.at(-1)).toMatchObject({ kind: 'entriesSkipped', skipped: 9 });
    expect(JSON.stringify(it.events)).not.toMatch(/slipped|yyyy|unfinished/);
  });

  test('100,000 entries are read without holding anybody up', async () => {
    await using redis = await startRedis();
    const client = createClient({ url: `redis://127.0.0.1:${redis.port}` });
    await client.connect();
    for (let i = 0; i < 100; i++) {
      await client.sAdd(
        key,
        Array.from({ length: 1_000 }, (_, j) => `jti ${i}-${j}-0000-4c2e-9b7e-6d6f0f0f1a11`),
      );
    }
    client.destroy();
    // Of CPU, between two turns of the loop: others on this machine may take their share of the clock's time.
    let longestMs = 0;
    let last = process.threadCpuUsage();
    const ticking = setInterval(() => {
      const { user, system } = process.threadCpuUsage(last);
      longestMs = Math.max(longestMs, (user + system) / 1e3);
      last = process.threadCpuUsage();
    }, 1);
    using it = hold(redis);
    await until('read', () => it.status().readyOnce);
    clearInterval(ticking);
    expect(it.status().entries).toBe(100_000);
    expect(it.revokes('99-999-0000-4c2e-9b7e-6d6f0f0f1a11')).toBe(true);
    expect(longestMs).toBeLessThan(100);
  });

  test('a set that changes all the time is read for a small part of it, and what was first on it stays', async () => {
    await using redis = await startRedis();
    add(redis, 'jti one');
    using it = hold(redis);
    await until('read', () => it.revokes('one'));
    const client = createClient({ url: `redis://127.0.0.1:${redis.port}` });
    await client.connect();
    const sent = Array.from({ length: 3_000 }, (_, i) => client.sAdd(key, `jti ${i}`));
    await Promise.all(sent);
    client.destroy();
    expect(it.revokes('one')).toBe(true);
    await until('the last one is there', () => it.revokes('2999'));
    expect(it.status().entries).toBe(3_001);
    const [, calls] = /cmdstat_sscan:calls=(\d+),/.exec(redisCli(redis.port, ['INFO', 'commandstats'])) ?? [];
    expect(Number(calls)).toBeLessThan(100);
  });

  test('one that hangs is given up after the timeout, and read again once it moves', async () => {
    await using redis = await startRedis();
    add(redis, 'jti one');
    using it = hold(redis, { ...often, timeoutMs: 500 });
    await until('read', () => it.revokes('one'));
    redis.process.kill('SIGSTOP');
    await until('missed', () => it.status().failures > 0);
    expect(it.revokes('one')).toBe(true);
    expect(it.events.at(-1)).toMatchObject({ detail: expect.stringMatching(/^no answer within \d+ ms$/) });
    redis.process.kill('SIGCONT');
    await until('recovered', () => it.status().failures === 0);
  });
});
