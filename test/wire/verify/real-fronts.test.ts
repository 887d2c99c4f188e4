import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { type FrontProcess, type FrontProgram, hasFront, startFront } from '../../support/front-process.ts';
import { endAll } from '../../support/jwtgate-process.ts';
import { openRawClient, type ParsedResponse, rawRequest } from '../../support/raw-client.ts';
import { type RunningGate, runGate, secretOf, tokenOf } from '../../support/running-gate.ts';

// The configs of docs/verify.md, run: a real front, a real jwtgate, and an app that records what reaches it.

const programs: readonly FrontProgram[] = ['nginx', 'caddy', 'haproxy'];

interface Seen {
  readonly line: string;
  /** By lower-case name; values of one name in a list. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

for (const program of programs) {
  const installed = hasFront(program);
  describe.skipIf(!installed)(installed ? program : `${program}, which is not installed`, () => {
    const seen: Seen[] = [];
    const app = createServer((request, response) => {
      record(request.method, request.url, request.rawHeaders);
      request.resume().once('end', () => response.end('ok'));
    });
    app.on('upgrade', (request, socket) => {
      record(request.method, request.url, request.rawHeaders);
      const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
      const accept = createHash('sha1').update(key).digest('base64');
      const fields = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
      socket.end(`HTTP/1.1 101 Switching Protocols\r\n${fields.join('\r\n')}\r\n\r\n`);
    });
    const record = (method = '', url = '', raw: readonly string[]) => {
      const headers: Record<string, string[]> = {};
      for (let i = 0; i < raw.length; i += 2) {
        const lower = (raw[i] as string).toLowerCase();
        headers[lower] = [...(headers[lower] ?? []), raw[i + 1] as string];
      }
      seen.push({ line: `${method} ${url}`, headers });
    };
    let gate: RunningGate;
    let front: FrontProcess;

    beforeAll(async () => {
      app.listen(0, '127.0.0.1');
      await once(app, 'listening');
      const { port: appPort } = app.address() as AddressInfo;
      gate = await runGate(configText(program));
      const verify = Number(
        String(gate.process.log.find(({ msg }) => msg === 'started')?.verify)
          .split(':')
          .at(-1),
      );
      front = await startFront(program, { front: await freePort(), verify, app: appPort });
    });
    afterAll(async () => {
      await front?.[Symbol.asyncDispose]();
      await endAll();
      app.closeAllConnections();
      app.close();
    });

    const send = async (
      line: string,
      ...headers: string[]
    ): Promise<{ answer: ParsedResponse; got: Seen | undefined }> => {
      const before = seen.length;
      const head = [`${line} HTTP/1.1`, 'Host: app.example', 'Connection: close', ...headers];
      const answer = await rawRequest({ port: front.port }, `${head.join('\r\n')}\r\n\r\n`);
      expect(seen.length - before).toBeLessThanOrEqual(1);
      return { answer, got: seen[before] };
    };
    const bearer = (claims: Record<string, unknown> = {}) => `Authorization: Bearer ${tokenOf('acme', claims)}`;

    test('a good token reaches the app with its claims, and itself', async () => {
      const token = bearer({ sub: 'alice' });
      const { answer, got } = await send('GET /acme/logged?a=1', token);
      expect({ status: answer.status, line: got?.line }).toEqual({ status: 200, line: 'GET /acme/logged?a=1' });
      expect(got?.headers['x-user-id']).toEqual(['alice']);
      expect(got?.headers['x-jwt-tenant']).toEqual(['acme']);
      expect(got?.headers.authorization).toEqual([token.slice('Authorization: '.length)]);
      expect(await gate.process.logged('request', { path: '/acme/logged' })).toMatchObject({
        lane: 'verify',
        method: 'GET',
        status: 200,
        tenant: 'acme',
      });
    });

    test('no token and a bad one get 401 with the challenge; the app sees nothing', async () => {
      for (const headers of [[], ['Authorization: Bearer x.y.z'], [bearer({ exp: 1 })]]) {
        const { answer, got } = await send('GET /acme/x', ...headers);
        expect(answer.status).toBe(401);
        expect(answer.headers['www-authenticate']).toContain('Bearer realm="jwtgate"');
        expect(got).toBeUndefined();
      }
    });

    test('claims that do not permit it are 403', async () => {
      const { answer, got } = await send('GET /acme/admin', bearer());
      expect({ status: answer.status, got }).toEqual({ status: 403, got: undefined });
    });

    test('identity headers that a client sends never arrive, on any route, with any spelling', async () => {
      const spoofs = ['X-User-Id: admin', 'X-Jwt-Tenant: other', 'X-Jwt-Subject: root', 'X-Jwt-Auth: basic'];
      const good = await send('GET /acme/x', bearer({ sub: 'alice' }), ...spoofs);
      expect(good.answer.status).toBe(200);
      expect(good.got?.headers['x-user-id']).toEqual(['alice']);
      expect(good.got?.headers['x-jwt-tenant']).toEqual(['acme']);
      const open = await send('GET /acme/public/x', 'Authorization: Bearer forged', ...spoofs);
      expect(open.answer.status).toBe(200);
      for (const name of ['x-user-id', 'x-jwt-subject', 'x-jwt-auth', 'authorization']) {
        // An older Caddy leaves the name with nothing in it.
        expect(open.got?.headers[name]?.join('') ?? '', name).toBe('');
      }
      for (const spoof of ['X_User_Id: admin', 'X.User.Id: admin', 'x-user_id: admin']) {
        const { got } = await send('GET /acme/x', bearer({ sub: 'alice' }), spoof);
        expect(JSON.stringify(got ?? ''), spoof).not.toContain('admin');
      }
    });

    test('what a client says of its own request changes nothing', async () => {
      const lies = [
        'X-Original-URI: /acme/public/x',
        'X-Original-URL: http://app.example/acme/public/x',
        'X-Original-Method: GET',
        'X-Forwarded-Uri: /acme/public/x',
        'X-Forwarded-Method: GET',
        'X-Forwarded-Host: other.example',
        'X-Forwarded-Proto: https',
        'X-Forwarded-For: 192.0.2.7',
        'X-Rewrite-Url: /acme/public/x',
      ];
      for (const lie of lies) {
        const { answer, got } = await send('GET /acme/x', lie);
        expect(answer.status, lie).toBeGreaterThanOrEqual(400);
        expect(got, lie).toBeUndefined();
      }
      const { answer } = await send('POST /acme/read/x', 'X-Original-Method: GET', 'Content-Length: 0');
      expect(answer.status).toBeGreaterThanOrEqual(400);
    });

    test('the method is the client’s own', async () => {
      expect((await send('GET /acme/read/x')).answer.status).toBe(200);
      expect((await send('HEAD /acme/read/x')).answer.status).toBe(200);
      expect((await send('POST /acme/read/x', 'Content-Length: 0')).answer.status).toBe(401);
      expect((await send('DELETE /acme/read/x')).answer.status).toBe(401);
    });

    test('paths that readers differ on do not get through', async () => {
      const paths = [
        '/acme/public/../x',
        '/acme/public/%2e%2e/x',
        '/acme/public%2f..%2fx',
        '/acme/public//x',
        '/acme/public/..%5cx',
      ];
      for (const path of paths) {
        const { answer, got } = await send(`GET ${path}`);
        expect(answer.status, path).toBeGreaterThanOrEqual(400);
        expect(got, path).toBeUndefined();
      }
    });

    test('a body passes the front untouched, and a rule that reads it refuses', async () => {
      const body = JSON.stringify({ user: 'alice' });
      const framing = ['Content-Type: application/json', `Content-Length: ${body.length}`];
      const head = (path: string, token: string) =>
        [`POST ${path} HTTP/1.1`, 'Host: app.example', 'Connection: close', ...framing, token, '', body].join('\r\n');
      const passed = await rawRequest({ port: front.port }, head('/acme/x', bearer()));
      expect(passed.status).toBe(200);
      const token = `Authorization: Bearer ${tokenOf('bodied', { sub: 'alice' })}`;
      const refused = await rawRequest({ port: front.port }, head('/bodied/x', token));
      expect(refused.status).toBeGreaterThanOrEqual(400);
      expect(await gate.process.logged('request', { path: '/bodied/x' })).toMatchObject({
        reason: 'requestRefused',
        detail: expect.stringContaining('reads the body'),
      });
    });

    test('the client’s address is in the log, not the front’s word of another', async () => {
      await send('GET /acme/address', bearer());
      expect(await gate.process.logged('request', { path: '/acme/address' })).toMatchObject({ client_ip: '127.0.0.1' });
    });

    test('many at once are each judged by their own token', async () => {
      const users = Array.from({ length: 50 }, (_, i) => `user-${i}`);
      const before = seen.length;
      await Promise.all(
        users.map(async (sub) => {
          const head = [`GET /acme/of/${sub} HTTP/1.1`, 'Host: app.example', 'Connection: close', bearer({ sub })];
          expect((await rawRequest({ port: front.port }, `${head.join('\r\n')}\r\n\r\n`)).status).toBe(200);
        }),
      );
      const got = seen.slice(before).map(({ line, headers }) => [line, headers['x-user-id']?.[0]]);
      expect(got.sort()).toEqual(users.map((sub) => [`GET /acme/of/${sub}`, sub]).sort());
    });

    test('when jwtgate is away, nobody gets through', async () => {
      const gone = await freePort();
      await using alone = await startFront(program, {
        front: await freePort(),
        verify: gone,
        app: (app.address() as AddressInfo).port,
      });
      const before = seen.length;
      const head = `GET /acme/public/x HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n${bearer()}\r\n\r\n`;
      expect((await rawRequest({ port: alone.port }, head)).status).toBeGreaterThanOrEqual(500);
      expect(seen.length).toBe(before);
    });

    test('a WebSocket is let through by its token, and refused without', async () => {
      const upgrade = [
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ];
      for (const [token, status] of [
        [bearer(), 101],
        ['X-Other: 1', 401],
      ] as const) {
        const client = await openRawClient({ port: front.port });
        const head = ['GET /acme/socket HTTP/1.1', 'Host: app.example', 'Connection: Upgrade', ...upgrade, token];
        client.send(`${head.join('\r\n')}\r\n\r\n`);
        expect((await client.response()).status).toBe(status);
        client.destroy();
      }
    });
  });
}

function configText(front: string): string {
  return [
    'listen: 127.0.0.1:0',
    'ops: 127.0.0.1:0',
    `verify: {address: 127.0.0.1:0, front: ${front}}`,
    'trustedProxies: [127.0.0.1]',
    'upstream: http://127.0.0.1:1',
    'tenants:',
    '  acme:',
    '    match: {path: /acme/**}',
    `    secret: ${secretOf('acme')}`,
    '    algorithms: [HS256]',
    '    headers: {X-User-Id: "${claims.sub}", X-Jwt-Tenant: "${tenant}"}',
    '    routes:',
    '      - {path: /acme/public/**, access: public}',
    '      - {path: /acme/read/**, methods: [GET], access: public}',
    '      - {path: /acme/admin, claims: {role: admin}}',
    '  bodied:',
    '    match: {path: /bodied/**}',
    `    secret: ${secretOf('bodied')}`,
    '    algorithms: [HS256]',
    '    bind: {sub: body./user}',
    '',
  ].join('\n');
}
