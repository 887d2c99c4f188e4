import { once } from 'node:events';
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { type AdminRoute, createAdminListener, jsonAnswer } from '../../src/ops/admin-listener.ts';
import type { OperatorListener } from '../../src/ops/operator-listener.ts';
import { newFolder } from '../support/scratch-folder.ts';

const open: OperatorListener[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close()));
});

let posted: string[] = [];
const routes: readonly AdminRoute[] = [
  { method: 'GET', path: '/api/things', answer: ({ query }) => jsonAnswer(200, { secretly: query.get('q') }) },
  { method: 'GET', path: '/api/things/{id}', answer: ({ params }) => jsonAnswer(200, params) },
  {
    method: 'POST',
    path: '/api/things',
    answer: ({ body }) => {
      posted.push(body);
      return jsonAnswer(200, body.length);
    },
  },
  { method: 'GET', path: '/broken', answer: () => Promise.reject(new Error('secret of ours')) },
];

async function start(options: Partial<Parameters<typeof createAdminListener>[0]> = {}) {
  posted = [];
  const listener = await createAdminListener({
    address: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    hosts: ['admin.example'],
    routes,
    bindUnix: async (server, { path }) => {
      await once(server.listen({ path }), 'listening');
    },
    ...options,
  });
  open.push(listener);
  return listener;
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function ask(
  listener: OperatorListener,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: string,
) {
  const [host, port] = listener.address.split(':');
  const sent = request({ host, port, method, path, headers, agent: false });
  sent.end(body);
  const [response] = await once(sent, 'response');
  const reply: Reply = { status: response.statusCode, headers: response.headers, body: await text(response) };
  return reply;
}

const json = { 'content-type': 'application/json' };

test('a route answers with what stands in its path and query', async () => {
  const listener = await start();
  expect(await ask(listener, 'GET', '/api/things?q=1')).toMatchObject({ status: 200, body: '{"secretly":"1"}\n' });
  expect(await ask(listener, 'GET', '/api/things/a%2Fb%40c')).toMatchObject({ status: 200, body: '{"id":"a/b@c"}\n' });
  expect(await ask(listener, 'HEAD', '/api/things')).toMatchObject({ status: 200, body: '' });
  expect(await ask(listener, 'POST', '/api/things', json, '{}')).toMatchObject({ status: 200, body: '2\n' });
});

test('an unknown path is 404, an unknown method 405 with what is allowed', async () => {
  const listener = await start();
  for (const path of [
    '/',
    '/api',
    '/api/things/',
    '/api/things/%zz',
    '/api/things/a/b',
    '//api/things',
    '/API/things',
  ]) {
    expect((await ask(listener, 'GET', path)).status, path).toBe(404);
  }
  for (const method of ['DELETE', 'PUT', 'OPTIONS', 'PATCH']) {
    const { status, headers } = await ask(listener, method, '/api/things');
    expect(status).toBe(405);
    expect(headers.allow).toBe('GET, POST');
  }
});

test('a handler that fails is a 500 that tells nothing', async () => {
  expect(await ask(await start(), 'GET', '/broken')).toMatchObject({ status: 500, body: '{"error":"failed"}\n' });
});

test('no answer may be embedded, run, sniffed, kept or read across origins', async () => {
  for (const [path, origin] of [['/api/things'], ['/nowhere'], ['/api/things', 'https://evil.example']] as const) {
    const { headers } = await ask(await start(), 'GET', path, origin === undefined ? {} : { origin });
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
    });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
});

describe('DNS rebinding: a page under its own name does not get through', () => {
  test.each([
    'evil.example',
    'evil.example:9902',
    'admin.example.evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
    'x y',
  ])('Host: %s', async (host) => {
    const { status, body } = await ask(await start(), 'GET', '/api/things', { host });
    expect(status === 403 || status === 400).toBe(true);
    expect(body).not.toContain('secretly');
  });

  test.each([
    'localhost',
    'LOCALHOST:9902',
    '127.0.0.1',
    '[::1]:80',
    '10.0.0.7:1',
    'admin.example',
    'Admin.Example:443',
  ])('Host: %s is one of ours', async (host) => {
    expect((await ask(await start(), 'GET', '/api/things', { host })).status).toBe(200);
  });

  test('two Host lines', async () => {
    const listener = await start();
    const socket = connect(Number(listener.address.split(':')[1]), '127.0.0.1');
    socket.end('GET /api/things HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n');
    expect(await text(socket)).not.toContain('secretly');
  });

  test.each(['GET /api/things HTTP/1.0\r\n\r\n', 'GET /api/things HTTP/1.1\r\nHost:\r\n\r\n'])(
    'no Host: %j',
    async (head) => {
      const listener = await start();
      const socket = connect(Number(listener.address.split(':')[1]), '127.0.0.1');
      socket.end(head);
      expect(await text(socket)).toMatch(/^HTTP\/1.1 403 /);
    },
  );
});

describe('cross-site requests: what a page can send unasked changes nothing', () => {
  test.each<[string, OutgoingHttpHeaders]>([
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a text form with JSON in it', { 'content-type': 'text/plain' }],
    ['no content type', {}],
    ['a content type that only begins so', { 'content-type': 'application/jsonp' }],
    ['another origin', { ...json, origin: 'https://evil.example' }],
    ['another port of this host', { ...json, origin: 'http://127.0.0.1:1' }],
    ['an origin that hides itself', { ...json, origin: 'null' }],
    ['an origin that begins as ours', { ...json, host: 'localhost', origin: 'http://localhost.evil.example' }],
    ['a browser that says so', { ...json, 'sec-fetch-site': 'cross-site' }],
    ['a sister site', { ...json, 'sec-fetch-site': 'same-site' }],
  ])('%s', async (_, headers) => {
    const { status } = await ask(await start(), 'POST', '/api/things', headers, '{}');
    expect(status).toBe(403);
    expect(posted).toEqual([]);
  });

  test('nor does it read anything', async () => {
    const { status, body } = await ask(await start(), 'GET', '/api/things', { origin: 'https://evil.example' });
    expect(status).toBe(403);
    expect(body).not.toContain('secretly');
  });

  test('our own page may, and so may a client that is no browser', async () => {
    const listener = await start();
    const host = 'localhost:7';
    expect(
      (
        await ask(
          listener,
          'POST',
          '/api/things',
          { ...json, host, origin: 'http://localhost:7', 'sec-fetch-site': 'same-origin' },
          '{}',
        )
      ).status,
    ).toBe(200);
    expect(
      (await ask(listener, 'POST', '/api/things', { 'content-type': 'application/json; charset=utf-8' }, '{}')).status,
    ).toBe(200);
    expect(posted).toEqual(['{}', '{}']);
  });

  test('a GET never reaches what a POST does', async () => {
    await ask(await start(), 'GET', '/api/things', json);
    expect(posted).toEqual([]);
  });
});

test('a body without end is not read to it', async () => {
  const listener = await start();
  const { status } = await ask(listener, 'POST', '/api/things', json, 'x'.repeat(300_000));
  expect(status).toBe(413);
  expect(posted).toEqual([]);
});

test('on a unix socket too', async () => {
  const path = join(newFolder(), 'admin.sock');
  const listener = await start({ address: { kind: 'unix', path } });
  expect(listener.address).toBe(`unix:${path}`);
  const sent = request({ socketPath: path, path: '/api/things', headers: { host: 'localhost' } }).end();
  const [response] = await once(sent, 'response');
  expect(response.statusCode).toBe(200);
});
