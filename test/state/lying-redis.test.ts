import { afterEach, describe, expect, test } from 'vitest';
import { redisListAddress } from '../../src/state/redis-lists.ts';
import { createReplayRedis, type ReplayRedis, type ReplayRedisEvent } from '../../src/state/replay-redis.ts';
import { createRevocationLists, type RevocationEvent, type RevocationLists } from '../../src/state/revocation-lists.ts';
import { tryRedis } from '../../src/state/try-redis.ts';
import { type Script, scriptedRedis } from '../support/scripted-redis.ts';
import { until } from '../support/until.ts';

/* A Redis that was taken over, or something else that speaks its protocol. */

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function storeAt(port: number): { store: ReplayRedis; events: ReplayRedisEvent[] } {
  const events: ReplayRedisEvent[] = [];
  const url = `redis://gate:open-sesame@127.0.0.1:${port}`;
  const store = createReplayRedis({ url, timeoutMs: 20_000, onEvent: (event) => events.push(event) });
  open.push(store);
  return { store, events };
}

function listAt(
  port: number,
  timeoutMs = 500,
): { lists: RevocationLists; events: RevocationEvent[] } & ReturnType<RevocationLists['holdUrl']> {
  const events: RevocationEvent[] = [];
  const lists = createRevocationLists({ env: {}, onEvent: (event) => events.push(event) });
  open.push(lists);
  const policy = { refreshMs: 1_000, timeoutMs, headers: {}, ca: undefined };
  return { lists, events, ...lists.holdUrl(redisListAddress(`redis://127.0.0.1:${port}`, 'list'), policy) };
}

const use = (store: ReplayRedis, id: string) => store.use(id, Date.now() + 60_000, Date.now());
const bearer = { jti: 'x', sub: undefined, kid: undefined, issuedAtS: 1 };

test('a server that says it has moved is not followed, and nobody else is shown the password', async () => {
  await using elsewhere = await scriptedRedis(() => undefined);
  const moving = (address: string) => `>4\r\n$6\r\nMOVING\r\n:1\r\n:0\r\n$${address.length}\r\n${address}\r\n`;
  await using redis = await scriptedRedis(([verb]) =>
    verb === 'SET' || verb === 'PING' ? `${moving(`127.0.0.1:${elsewhere.port}`)}+OK\r\n` : undefined,
  );
  const { store } = storeAt(redis.port);
  await until('connected', () => store.connected);
  await use(store, 'a');
  await tryRedis(`redis://127.0.0.1:${redis.port}`, 20_000);
  for (let i = 0; i < 20; i++) await use(store, `b${i}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(elsewhere.connections).toHaveLength(0);
  expect(store.connected).toBe(true);
  expect(redis.commands.filter((command) => /MAINT/i.test(command))).toEqual([]);
});

describe('a use of a token counts as the first by nothing but the answer that says so', () => {
  test.each([
    ['an error', '-ERR no\r\n'],
    ['a number', ':1\r\n'],
    ['a list', '*1\r\n+OK\r\n'],
    ['another word', '+QUEUED\r\n'],
    ['true', '#t\r\n'],
    ['an empty text', '$0\r\n\r\n'],
  ])('%s', async (_what, reply) => {
    await using redis = await scriptedRedis(([verb]) => (verb === 'SET' ? reply : undefined));
    const { store } = storeAt(redis.port);
    await until('connected', () => store.connected);
    expect((await use(store, 'a')).kind).toBe('unavailable');
  });
});

test.each([
  ['what is no RESP', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['an answer that nobody asked for', '+OK\r\n+OK\r\n+OK\r\n'],
  ['a text of a negative length', '$-7\r\n'],
])('after %s the connection is made anew, and the store is used again', async (_what, garbage) => {
  let lies = 1;
  await using redis = await scriptedRedis(([verb]) => (verb === 'SET' && lies-- > 0 ? garbage : undefined));
  const { store } = storeAt(redis.port);
  await until('connected', () => store.connected);
  await use(store, 'a');
  await until('used again', async () => (await use(store, 'b')).kind === 'first');
});

test('one that lets everybody in and throws them out at once does not fill the log', async () => {
  await using redis = await scriptedRedis(([verb], socket) => {
    if (verb === 'HELLO') setTimeout(() => socket.destroy(), 20);
    return undefined;
  });
  const { events } = storeAt(redis.port);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(events.length).toBeLessThan(16);
  expect(redis.connections.length).toBeLessThan(10);
});

describe('a list is taken from nothing but a set that was read to its end', () => {
  const page = (cursor: string, ...members: string[]) =>
    `*2\r\n$${cursor.length}\r\n${cursor}\r\n*${members.length}\r\n${members.map((member) => `$${member.length}\r\n${member}\r\n`).join('')}`;
  const usual: Readonly<Record<string, string>> = { SCARD: ':1\r\n', MULTI: '+OK\r\n', EXEC: '*0\r\n' };
  const scan =
    (answer: string, more: Readonly<Record<string, string>> = {}): Script =>
    ([verb = '']) =>
      verb === 'SSCAN' ? answer : { ...usual, ...more }[verb];

  test.each<[string, Script]>([
    ['no list', scan('+OK\r\n')],
    ['nothing', scan('_\r\n')],
    ['a cursor that is no number', scan(page('abc', 'jti a'))],
    ['members that are numbers', scan('*2\r\n$1\r\n0\r\n*1\r\n:5\r\n')],
    ['a list of lists', scan('*2\r\n$1\r\n0\r\n*1\r\n*1\r\n$5\r\njti a\r\n')],
    ['members without end', scan(page('7', 'jti a'))],
    ['pages without members, without end', scan(page('7'))],
    ['a size below nothing', scan(page('0', 'jti a'), { SCARD: ':-1\r\n' })],
    ['a size beyond all bounds', scan(page('0', 'jti a'), { SCARD: ':9007199254740991\r\n' })],
    ['an end that was no transaction', scan(page('0', 'jti a'), { EXEC: '+OK\r\n' })],
  ])('%s', async (_what, script) => {
    await using redis = await scriptedRedis(script);
    const { events, list } = listAt(redis.port);
    await until('refused', () => events.length > 0);
    expect(events[0]?.kind).toBe('listNotFetched');
    expect(list.find('acme', bearer)?.kind).toBe('unavailable');
  });

  test('a server that hangs in the middle of a transaction leaves no connection that is stuck in one', async () => {
    let inTransaction = false;
    let hung = false;
    let held: string[] | undefined;
    const answer = (verb: string): string => {
      if (verb === 'EXEC') inTransaction = false;
      else if (inTransaction) return '+QUEUED\r\n';
      if (verb === 'MULTI') inTransaction = true;
      return verb === 'SSCAN' ? page('0', 'jti x') : (usual[verb] ?? '+OK\r\n');
    };
    await using redis = await scriptedRedis(([verb = ''], socket) => {
      if (verb === 'HELLO' || verb === 'CLIENT') return undefined;
      const text = answer(verb);
      if (verb === 'MULTI' && !hung) {
        hung = true;
        held = [];
        setTimeout(() => {
          socket.write((held ?? []).join(''));
          held = undefined;
        }, 2_700);
      }
      if (held === undefined) return text;
      held.push(text);
      return '';
    });
    const { list } = listAt(redis.port, 2_000);
    await until('read', () => list.find('acme', bearer)?.kind === 'revoked');
    expect(redis.connections).toHaveLength(1);
  });

  test('what shows that this server can be understood', async () => {
    await using redis = await scriptedRedis(scan(page('0', 'jti x')));
    const { list } = listAt(redis.port);
    await until('read', () => list.find('acme', bearer)?.kind === 'revoked');
  });

  test('one that says without end that the set has changed is not asked without end', async () => {
    const changed = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\nlist\r\n';
    await using redis = await scriptedRedis(([verb = '']) => {
      if (verb === 'SSCAN') return `${changed}${page('0', 'jti x')}${changed}`;
      return usual[verb];
    });
    const { events } = listAt(redis.port);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(redis.commands.filter((command) => command.startsWith('SSCAN')).length).toBeLessThan(24);
    expect(events.length).toBeLessThan(16);
  });

  test('nor one whose set is none, and changes all the time', async () => {
    const changed = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\nlist\r\n';
    await using redis = await scriptedRedis(([verb = '']) =>
      verb === 'SCARD' ? `-WRONGTYPE no\r\n${changed}` : usual[verb],
    );
    const { events } = listAt(redis.port);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(events.length).toBeLessThan(6);
  });
});
