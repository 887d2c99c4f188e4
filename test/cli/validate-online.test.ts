import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { jwksServer } from '../support/jwks-server.ts';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { keyPair } from '../support/key-pairs.ts';
import { hasRedis, redisCli, startRedis } from '../support/redis-server.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { granting, json, startTokenEndpoint } from '../support/token-endpoint.ts';

const secret = 'a-secret-of-more-than-thirty-two-bytes';

interface Api {
  readonly url: string;
  readonly seen: { readonly url: string; readonly method: string; readonly headers: IncomingHttpHeaders }[];
  /** Undefined: it never answers. */
  status: number | undefined;
  readonly server: Server;
}

let api: Api;
beforeEach(async () => {
  const seen: Api['seen'] = [];
  const server = createServer(({ url = '', method = '', headers }, response) => {
    seen.push({ url, method, headers });
    if (api.status !== undefined) response.writeHead(api.status).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  api = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, status: 200, server };
});
afterEach(async () => {
  await endAll();
  api.server.closeAllConnections();
  api.server.close();
});

async function online(text: string, ...flags: string[]) {
  const path = join(newFolder(), 'config.yaml');
  writeFileSync(path, text);
  const checked = startJwtgate(['validate', '--online', '-c', path, ...flags], { env: { SECRET: secret } });
  const code = await checked.ended;
  expect(checked.stdout + checked.stderr).not.toMatch(/a-secret|eyJ|PRIVATE|at-\d/);
  return { code, lines: checked.stdout.trim().split('\n').slice(1), stdout: checked.stdout, stderr: checked.stderr };
}

const signs = '{algorithm: HS256, secret: {env: SECRET}, kid: k1, payload: {iss: me, aud: them}}';
const vendor = (more: string) => `tenants: {any: {access: public, upstream: {url: "${api.url}/v2", ${more}}}}\n`;

describe('all is well', () => {
  test('signs, calls the probe with the token, and says so in one line each', async () => {
    const { code, lines } = await online(vendor(`probe: "/me?key=hush", mediaType: application/json, sign: ${signs}`));
    expect(lines).toEqual([
      `✓ connect  ${api.url}: connected`,
      '✓ sign     tenants.any.upstream.sign: signed with HS256, kid "k1"',
      `✓ probe    ${api.url}/v2/me: status 200`,
    ]);
    expect(code).toBe(0);
    expect(api.seen.length).toBe(1);
    const { url, method, headers } = api.seen[0] as Api['seen'][number];
    expect({ url, method, accept: headers.accept }).toEqual({
      url: '/v2/me?key=hush',
      method: 'GET',
      accept: 'application/json',
    });
    const token = headers.authorization?.replace('Bearer ', '') ?? '';
    await jwtVerify(token, Buffer.from(secret), { issuer: 'me', audience: 'them' });
  });

  test('a token for the query, and one for a header of its own', async () => {
    const inQuery = signs.replace('kid: k1', 'into: {query: access jwt}');
    expect((await online(vendor(`probe: "/me?a=b", sign: ${inQuery}`))).code).toBe(0);
    expect(api.seen[0]?.url).toMatch(/^\/v2\/me\?a=b&access%20jwt=eyJ/);
    const inHeader = signs.replace('kid: k1', 'into: {header: X-Auth, scheme: JWT}');
    expect((await online(vendor(`probe: /me, sign: ${inHeader}`))).code).toBe(0);
    expect(api.seen[1]?.headers['x-auth']).toMatch(/^JWT eyJ/);
  });

  test('performs the grant once, and calls the probe with the access token', async () => {
    await using endpoint = await startTokenEndpoint(granting());
    const sign = signs.replace('kid: k1', `grant: {tokenEndpoint: "${endpoint.url}"}`);
    const { code, lines } = await online(vendor(`probe: /me, sign: ${sign}`));
    expect(lines[1]).toBe('✓ sign     tenants.any.upstream.sign: got an access token');
    expect(code).toBe(0);
    expect(endpoint.seen.length).toBe(1);
    expect(api.seen[0]?.headers.authorization).toBe('Bearer at-1');
  });

  test('fetches key sets and discovery documents, and counts their keys', async () => {
    await using provider = await jwksServer([keyPair('ES256', 'one').jwk, { kty: 'EC', crv: 'P-256', kid: 'odd' }]);
    const text = `upstream: ${api.url}
tenants:
  any: {jwks: "${provider.url}", algorithms: [ES256], audience: any}
`;
    const { code, lines } = await online(text);
    expect(lines[0]).toMatch(new RegExp(`^✓ keys     ${provider.url}: 1 key, skipped "?odd"?: `));
    expect(code).toBe(0);
    provider.answer = (request, response) => {
      const body =
        request.url === '/jwks'
          ? { keys: [keyPair('ES256', 'one').jwk, keyPair('ES256', 'two').jwk] }
          : { issuer: provider.origin, jwks_uri: `${provider.url}` };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const discovered = await online(text.replace(`jwks: "${provider.url}"`, `discovery: "${provider.origin}"`));
    expect(discovered.lines[0]).toBe(`✓ keys     ${provider.origin}/: 2 keys`);
    expect(discovered.code).toBe(0);
  });

  test('reads revocation lists, and says which could not be had', async () => {
    await using provider = await jwksServer();
    provider.answer = (request, response) =>
      request.url === '/list' ? response.end('jti a\njti b\n') : response.writeHead(404).end();
    const tenant = (id: string, path: string) =>
      `  ${id}: {match: {path: /${id}/**}, secret: {env: SECRET}, revoked: {url: "${provider.origin}${path}"}}\n`;
    const shared = `upstream: ${api.url}\ntenants:\n${tenant('a', '/list')}${tenant('b', '/list')}`;
    const good = await online(shared);
    expect(good.lines[0]).toBe(`✓ revoked  ${provider.origin}/list: entries: 2`);
    expect([good.code, provider.requests.length]).toEqual([0, 1]);
    const bad = await online(`${shared}${tenant('c', '/gone')}`);
    expect(bad.lines[1]).toMatch(/^✗ revoked .*\/gone: .*404/);
    expect(bad.code).toBe(69);
  });

  test("a token made of a caller's claims is not tried, nor is the answer to a call without one held against it", async () => {
    api.status = 401;
    const sign = signs.replace('iss: me', `sub: "\${claims.sub}"`);
    const text = `upstream: {url: "${api.url}", probe: /me, sign: ${sign}}\ntenants: {any: {secret: {env: SECRET}}}\n`;
    const { code, lines } = await online(text);
    expect(lines[1]).toBe("– sign     upstream.sign: the key is sound; what is signed needs a caller's claims");
    expect(lines[2]).toMatch(/^– probe .*status 401/);
    expect(code).toBe(0);
    expect(api.seen[0]?.headers).not.toHaveProperty('authorization');
  });
});

describe('something is wrong', () => {
  test.each([
    [401, 'status 401: it refuses the token'],
    [403, 'status 403: it refuses the token'],
    [404, 'status 404'],
    [302, 'status 302'],
    [500, 'status 500'],
  ])('the probe answers %i: 69', async (status, detail) => {
    api.status = status;
    const { code, lines } = await online(vendor(`probe: /me, sign: ${signs}`));
    expect(lines[2]).toBe(`✗ probe    ${api.url}/v2/me: ${detail}`);
    expect(code).toBe(69);
  });

  test('an upstream that is slow: 69 when the time is over', async () => {
    api.status = undefined;
    const { code, lines } = await online(vendor(`probe: /me, sign: ${signs}`), '--timeout', '2');
    expect(lines[0]).toMatch(/^✓ connect/);
    expect(lines[2]).toBe(`✗ probe    ${api.url}/v2/me: no answer within 2000 ms`);
    expect(code).toBe(69);
  });

  test('an upstream, a key source and a token endpoint that are down: each is said, and the others are tried', async () => {
    const port = await freePort();
    const sign = signs.replace('kid: k1', `grant: {tokenEndpoint: "http://127.0.0.1:${port}/token"}`);
    const { code, lines } = await online(`upstream: {url: "${api.url}", probe: /up}
tenants:
  a: {match: {path: /a/**}, secret: {env: SECRET}, upstream: "http://127.0.0.1:${port}"}
  b: {match: {path: /b/**}, jwks: "http://127.0.0.1:${port}/jwks", algorithms: [ES256], audience: any}
  c: {match: {path: /c/**}, access: public, upstream: {url: "${api.url}/c", probe: /me, sign: ${sign}}}
`);
    expect(code).toBe(69);
    expect(lines.map((line) => line.slice(0, 9))).toEqual([
      '✗ keys   ',
      '✗ connect',
      '✓ connect',
      '✗ sign   ',
      '✓ probe  ',
      '✗ probe  ',
    ]);
    expect(lines[1]).toBe(`✗ connect  http://127.0.0.1:${port}: ECONNREFUSED`);
    expect(lines[3]).toMatch(/^✗ sign {5}tenants\.c\.upstream\.sign: the token endpoint .*ECONNREFUSED/);
    expect(lines[5]).toBe(`✗ probe    ${api.url}/c/me: not called, for want of a token`);
    expect(api.seen.map(({ url }) => url)).toEqual(['/up']);
  });

  test('a token endpoint that refuses: its error code, and nothing else of its answer', async () => {
    await using endpoint = await startTokenEndpoint(
      json({ error: 'invalid_client', error_description: 'eyJhush' }, 401),
    );
    const sign = signs.replace('kid: k1', `grant: {tokenEndpoint: "${endpoint.url}"}`);
    const { code, lines } = await online(vendor(`sign: ${sign}`));
    expect(lines[1]).toContain('status 401, error "invalid_client"');
    expect(code).toBe(69);
  });

  test('a key source that answers with an error page', async () => {
    await using provider = await jwksServer();
    provider.answer = (_request, response) => response.writeHead(503).end('<html>');
    const text = `upstream: ${api.url}\ntenants: {any: {jwks: "${provider.url}", algorithms: [ES256], audience: any}}\n`;
    const { code, lines } = await online(text);
    expect(lines[0]).toMatch(/^✗ keys .*503/);
    expect(code).toBe(69);
  });

  test('a config with problems is 78, and nothing is called', async () => {
    const { code } = await online(`${vendor(`probe: /me, sign: ${signs}`)}nonsense: 1\n`);
    expect(code).toBe(78);
    expect(api.seen).toEqual([]);
  });

  test('a probe that is no path is named', async () => {
    const { code, stderr } = await online(vendor('probe: me'));
    expect(code).toBe(78);
    expect(stderr).toContain('must be a path such as /status');
  });
});

test('--json tells the same for machines', async () => {
  api.status = 404;
  const { code, stdout } = await online(vendor(`probe: /me, sign: ${signs}`), '--json');
  expect(code).toBe(69);
  expect(JSON.parse(stdout)).toEqual({
    valid: true,
    problems: [],
    online: [
      { check: 'connect', subject: api.url, outcome: 'ok', detail: 'connected' },
      { check: 'sign', subject: 'tenants.any.upstream.sign', outcome: 'ok', detail: 'signed with HS256, kid "k1"' },
      { check: 'probe', subject: `${api.url}/v2/me`, outcome: 'failed', detail: 'status 404' },
    ],
  });
});

test('without --online nothing is called', async () => {
  const path = join(newFolder(), 'config.yaml');
  writeFileSync(path, vendor(`probe: /me, sign: ${signs}`));
  expect(await startJwtgate(['validate', '-c', path], { env: { SECRET: secret } }).ended).toBe(0);
  expect(api.seen).toEqual([]);
});

describe('lists in Redis', () => {
  const config = (...urls: string[]) =>
    `upstream: ${api.url}\ntenants:\n${urls
      .map(
        (url, index) =>
          `  t${index}: {match: {path: /${index}/**}, secret: {env: SECRET}, revoked: {url: "${url}", key: list}}`,
      )
      .join('\n')}\n`;

  test.skipIf(!hasRedis)('are read, each once, and what is no entry is counted (needs redis-server)', async () => {
    await using redis = await startRedis(undefined, ['--requirepass', 'at-1']);
    redisCli(redis.port, ['-a', 'at-1', '--no-auth-warning', 'SADD', 'list', 'jti a', 'jti b', 'jti']);
    const url = `redis://:at-1@127.0.0.1:${redis.port}/0`;
    const { code, lines } = await online(config(url, url));
    expect(lines.filter((line) => line.includes('revoked'))).toEqual([
      `✓ revoked  redis://127.0.0.1:${redis.port}/0 list: entries: 2, and 1 member that is no entry: see docs/revocation.md`,
    ]);
    expect(code).toBe(0);
    const wrong = await online(config(url.replace('at-1', 'at-2')));
    expect([wrong.code, wrong.lines.at(0)]).toEqual([
      69,
      `✗ revoked  redis://127.0.0.1:${redis.port}/0 list: WRONGPASS`,
    ]);
    const absent = await online(config(url).replace('key: list', 'key: lost'));
    expect(absent.lines.at(0)).toMatch(/^✗ revoked .* lost: there is no set lost; an empty list is/);
  });
});

describe('stores of used tokens', () => {
  const config = (...stores: string[]) =>
    `upstream: ${api.url}\ntenants:\n${stores
      .map(
        (store, index) =>
          `  t${index}: {match: {path: /${index}/**}, secret: {env: SECRET}, replay: {store: "${store}"}}`,
      )
      .join('\n')}\n`;

  test.skipIf(!hasRedis)('a Redis that answers, each once, whatever its password (needs redis-server)', async () => {
    await using open = await startRedis();
    await using closed = await startRedis(undefined, ['--requirepass', 'at-1']);
    const urls = [`redis://127.0.0.1:${open.port}/0`, `redis://:at-1@127.0.0.1:${closed.port}/1`];
    const { code, lines } = await online(config(...urls, urls[0] as string));
    expect(lines.filter((line) => line.includes('replay'))).toEqual([
      `✓ replay   redis://127.0.0.1:${open.port}/0: answers`,
      `✓ replay   redis://127.0.0.1:${closed.port}/1: answers`,
    ]);
    expect(code).toBe(0);
  });

  test.skipIf(!hasRedis)('a wrong password, a missing one, a route of a tenant (needs redis-server)', async () => {
    await using redis = await startRedis(undefined, ['--requirepass', 'at-1']);
    const wrong = await online(config(`redis://:at-2@127.0.0.1:${redis.port}/0`));
    expect([wrong.code, wrong.lines.at(0)]).toEqual([69, `✗ replay   redis://127.0.0.1:${redis.port}/0: WRONGPASS`]);
    const missing = await online(
      `upstream: ${api.url}\ntenants: {a: {secret: {env: SECRET}, routes: [{path: /x, replay: {store: "redis://127.0.0.1:${redis.port}/0"}}]}}\n`,
    );
    expect([missing.code, missing.lines.at(0)]).toEqual([69, `✗ replay   redis://127.0.0.1:${redis.port}/0: NOAUTH`]);
  });

  test('nobody there, and one that says nothing', async () => {
    const silent = createTcpServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const dead = await freePort();
    const { code, lines } = await online(
      config(`redis://127.0.0.1:${dead}/0`, `redis://127.0.0.1:${port}/0`),
      '--timeout',
      '3',
    );
    silent.close();
    expect(lines.filter((line) => line.includes('replay'))).toEqual([
      `✗ replay   redis://127.0.0.1:${dead}/0: ECONNREFUSED`,
      expect.stringMatching(/^✗ replay {3}redis:\/\/127\.0\.0\.1:\d+\/0: (no answer within 3000 ms|\w+Error)$/),
    ]);
    expect(code).toBe(69);
  });
});
