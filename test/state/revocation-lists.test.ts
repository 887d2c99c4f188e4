import { describe, expect, test } from 'vitest';
import { createRevocationLists, type RevocationEvent } from '../../src/state/revocation-lists.ts';
import { jwksServer } from '../support/jwks-server.ts';
import { until } from '../support/until.ts';

const policy = {
  refreshMs: 1_000,
  timeoutMs: 20_000,
  headers: { authorization: 'Bearer for-the-list' },
  ca: undefined,
};
const one = { jti: 'one', sub: undefined, kid: undefined, issuedAtS: 1 };

async function setUp() {
  const server = await jwksServer();
  const events: RevocationEvent[] = [];
  const lists = createRevocationLists({ env: {}, onEvent: (event) => events.push(event), random: () => 0 });
  const say = (text: string, headers: Record<string, string> = {}) => {
    server.answer = (_request, response) => response.writeHead(200, headers).end(text);
  };
  return {
    server,
    events,
    lists,
    say,
    async [Symbol.asyncDispose]() {
      lists.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('a list at a URL', () => {
  test('is unavailable before its first fetch, which is not the same as empty', async () => {
    await using it = await setUp();
    it.server.answer = (_request, response) => response.writeHead(500).end();
    const lease = it.lists.holdUrl(`${it.server.origin}/revoked?key=hidden`, policy);
    expect(lease.list.find('acme', one)).toMatchObject({ kind: 'unavailable', retryAfterS: expect.any(Number) });
    expect(lease.status()).toMatchObject({ readyOnce: false });
    await until('a failure', () => it.events.length > 0);
    expect(lease.list.find('acme', one)).toMatchObject({ kind: 'unavailable' });
    expect(JSON.stringify([it.events, lease.status()])).not.toContain('hidden');
    it.say('jti one\n');
    await until('recovered', () => lease.status().readyOnce);
    expect(lease.list.find('acme', one)).toMatchObject({ kind: 'revoked' });
    expect(it.server.requests[0]?.headers.authorization).toBe('Bearer for-the-list');
  });

  test('follows what stands there', async () => {
    await using it = await setUp();
    it.say('jti one\n');
    const { list, status } = it.lists.holdUrl(it.server.url, policy);
    await until('fetched', () => status().readyOnce);
    expect(list.find('acme', one)?.kind).toBe('revoked');
    it.say('jti two\n');
    await until('fetched again', () => list.find('acme', one) === undefined);
    expect(list.find('acme', { ...one, jti: 'two' })?.kind).toBe('revoked');
  });

  test.each<[string, (it: Awaited<ReturnType<typeof setUp>>) => void]>([
    [
      'a server error',
      (it) => {
        it.server.answer = (_request, response) => response.writeHead(500).end();
      },
    ],
    ['garbage', (it) => it.say('<html>\n')],
    [
      'an error page with status 404',
      (it) => {
        it.server.answer = (_request, response) => response.writeHead(404).end('\n');
      },
    ],
    [
      'one cut short',
      (it) => {
        it.server.answer = (_request, response) => {
          response.writeHead(200, { 'content-length': '100' }).write('jti x\n');
          response.socket?.end();
        };
      },
    ],
    [
      'one that an attacker on the way cut at the end of a line, where nothing said its length',
      (it) => {
        it.server.answer = (_request, response) => response.socket?.end('HTTP/1.1 200 OK\r\n\r\njti x\n');
      },
    ],
    [
      'one in another encoding, whose entries would name nobody',
      (it) => {
        it.server.answer = (_request, response) => response.end(Buffer.from('sub m\xfcller\n', 'latin1'));
      },
    ],
    ['a line without end', (it) => it.say(`jti ${'x'.repeat(1_000_000)}\n`)],
    ['a last line without its end', (it) => it.say('jti x')],
    [
      'a redirect',
      (it) => {
        it.server.answer = (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end();
      },
    ],
    ['a compressed answer', (it) => it.say('jti x\n', { 'content-encoding': 'gzip' })],
  ])('%s leaves the last good one in force', async (_what, breakIt) => {
    await using it = await setUp();
    it.say('jti one\n');
    const { list, status } = it.lists.holdUrl(it.server.url, policy);
    await until('fetched', () => status().readyOnce);
    breakIt(it);
    await until('failed', () => status().failures > 0);
    expect(list.find('acme', one)?.kind).toBe('revoked');
    expect(status().entries).toBe(1);
    expect(it.events.at(-1)).toMatchObject({ kind: 'listNotFetched', entriesLeft: 1 });
  });

  test('is asked for only if it changed, where the server can tell', async () => {
    await using it = await setUp();
    it.say('jti one\n', { etag: '"v1"' });
    const { list, status } = it.lists.holdUrl(it.server.url, policy);
    await until('fetched', () => status().readyOnce);
    it.server.answer = (request, response) =>
      response.writeHead(request.headers['if-none-match'] === '"v1"' ? 304 : 500).end();
    const asked = it.server.requests.length;
    await until('asked again', () => it.server.requests.length > asked + 1);
    expect(status().failures).toBe(0);
    expect(list.find('acme', one)?.kind).toBe('revoked');
  });

  test('is fetched once for all who hold it, and no more once nobody does', async () => {
    await using it = await setUp();
    it.say('jti one\n');
    const leases = [1, 2, 3].map(() => it.lists.holdUrl(it.server.url, { ...policy, refreshMs: 600_000 }));
    await until('fetched', () => leases.every(({ status }) => status().readyOnce));
    expect(it.server.requests).toHaveLength(1);
    expect(it.lists.statuses()).toHaveLength(1);
    for (const { release } of leases) release();
    expect(it.lists.statuses()).toEqual([]);
  });
});

test('a file is read once for one content', async () => {
  await using it = await setUp();
  const first = await it.lists.read(Buffer.from('jti one\n'));
  expect(await it.lists.read(Buffer.from('jti one\n'))).toBe(first);
  expect(await it.lists.read(Buffer.from('jti two\n'))).not.toBe(first);
});
