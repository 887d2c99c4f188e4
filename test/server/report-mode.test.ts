import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testCertificates } from '../support/certificates.ts';
import { findSample } from '../support/exposition-parser.ts';
import { answerOf, openHttp2 } from '../support/http2-client.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { openRawClient } from '../support/raw-client.ts';
import { type RunningGate, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { askGate, type LegacyService, type Question, startLegacyService } from '../support/system.ts';
import { mintHs256 } from '../support/tokens.ts';

/* Day one: the gate stands before a service that has worked without it. Nothing that worked may stop. */

let service: LegacyService;
beforeAll(async () => {
  service = await startLegacyService();
});
afterAll(async () => {
  await endAll();
  await service.close();
});

const configText = (lane: string) => `listen: 127.0.0.1:0
ops: 127.0.0.1:0
admin: 127.0.0.1:0
lane: ${lane}
upstream: http://127.0.0.1:${service.port}
limits: {bodyBytes: 64B}
tenants:
  acme:
    match: {path: /acme/**}
    mode: report
    secret: ${secretOf('acme')}
    audience: api
    token: [{header: Authorization, scheme: Bearer}, {query: jwt}, {cookie: session}]
    headers: {X-User-Id: "\${claims.sub}"}
    replay: {claim: jti}
    routes:
      - {path: "/acme/users/{id}", bind: {sub: path.id}}
      - {path: /acme/bound, bind: {sub: body./user}}
      - {path: /acme/rule, rule: 'claims.role == "admin"'}
`;

const good = (claims: Record<string, unknown> = {}) =>
  tokenOf('acme', { aud: 'api', jti: String(Math.random()), sub: 'joe', ...claims });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const past = 1_000_000_000;

interface Refusable extends Question {
  readonly path?: string;
  readonly reason: string;
}

/** Requests that would be refused, one for each reason. */
const refusable: Record<string, () => Refusable> = {
  'no token': () => ({ reason: 'tokenMissing' }),
  'a token of another scheme of ours': () => ({
    reason: 'tokenMalformed',
    headers: { authorization: 'Bearer opaque' },
  }),
  'two different tokens': () => ({
    reason: 'tokenAmbiguous',
    headers: { ...bearer(good()), cookie: `session=${good()}` },
  }),
  'an algorithm': () => ({
    reason: 'algorithmRefused',
    headers: bearer(mintHs256(secretOf('acme'), { header: { alg: 'HS512' } })),
  }),
  'a key': () => ({
    reason: 'keyUnknown',
    headers: bearer(mintHs256(secretOf('acme'), { header: { kid: 'k' }, claims: { exp: 4e9 } })),
  }),
  'a signature': () => ({
    reason: 'signatureInvalid',
    headers: bearer(mintHs256('x'.repeat(32), { claims: { exp: 4e9 } })),
  }),
  'an expired token': () => ({ reason: 'tokenExpired', headers: bearer(good({ exp: past })) }),
  'a token of the future': () => ({ reason: 'tokenNotYetValid', headers: bearer(good({ nbf: 4e9 })) }),
  'an audience': () => ({ reason: 'claimRefused', headers: bearer(good({ aud: 'web' })) }),
  'a binding': () => ({ reason: 'bindMismatch', path: '/acme/users/eve', headers: bearer(good()) }),
  'a rule': () => ({ reason: 'ruleRefused', path: '/acme/rule', headers: bearer(good({ role: 'user' })) }),
  'a path that can be read in two ways': () => ({
    reason: 'requestRefused',
    path: '/acme//x',
    headers: bearer(good()),
  }),
};

describe.each(['auto', 'node'])('lane: %s', (lane) => {
  let gate: RunningGate;
  beforeAll(async () => {
    gate = await runGate(configText(lane));
  });

  const ask = async (path: string, question: Question = {}) => {
    service.seen.length = 0;
    const answer = await askGate(gate, path, question);
    return { ...answer, seen: service.seen[0] };
  };
  /** The log line of what the upstream saw last. */
  const lineOfSeen = () => gate.process.logged('request', { request_id: service.seen[0]?.headers['x-request-id'] });

  test.each(Object.entries(refusable))('would refuse %s, says so, and lets it through as it came', async (_, make) => {
    const { reason, path = '/acme/x', headers = {}, ...rest } = make();
    const { status, seen } = await ask(path, {
      ...rest,
      headers: { ...headers, 'X-User-Id': 'root', x_user_id: 'root' },
    });
    expect(status).toBe(200);
    expect(seen).toMatchObject({ url: path, headers });
    expect(Object.keys(seen?.headers ?? {}).filter((name) => /user.id/.test(name))).toEqual([]);
    const line = { decision: 'report', reason, tenant: 'acme', status: 200, detail: expect.any(String) };
    expect(await lineOfSeen()).toMatchObject(line);
    const { body: metrics } = await gate.ops('/metrics');
    const labels = { tenant: 'acme', decision: 'report', reason };
    expect(findSample(metrics, 'jwtgate_requests_total', labels)).toBeGreaterThan(0);
  });

  test('a token that was used before', async () => {
    const token = good();
    expect((await ask('/acme/x', { headers: bearer(token) })).seen?.headers).toMatchObject({ 'x-user-id': 'joe' });
    const { status, seen } = await ask('/acme/x', { headers: bearer(token) });
    expect(status).toBe(200);
    expect(seen?.headers).not.toHaveProperty('x-user-id');
    expect(await lineOfSeen()).toMatchObject({ decision: 'report', reason: 'tokenReplayed' });
  });

  test('a good token is told to the upstream, as it will be', async () => {
    const { status, seen } = await ask('/acme/x?a=1', { headers: { ...bearer(good()), 'X-User-Id': 'root' } });
    expect(status).toBe(200);
    expect(seen).toMatchObject({ url: '/acme/x?a=1', headers: { 'x-user-id': 'joe' } });
  });

  test('a bad token in the query or a cookie travels on as it came', async () => {
    const token = good({ exp: past });
    const { seen } = await ask(`/acme/x?jwt=${token}&b=2`, { headers: { cookie: 'a=1; b=2' } });
    expect(seen).toMatchObject({ url: `/acme/x?jwt=${token}&b=2`, headers: { cookie: 'a=1; b=2' } });
    const { seen: other } = await ask('/acme/x', { headers: { cookie: `a=1; session=${token}` } });
    expect(other).toMatchObject({ headers: { cookie: `a=1; session=${token}` } });
  });

  const long = JSON.stringify({ user: 'eve', fill: 'x'.repeat(300) });
  test.each<[string, string, string]>([
    ['that is bound to another user', '{ "user":\n"eve" }', 'bindMismatch'],
    ['that is no JSON', '{"user": ', 'requestRefused'],
    ['longer than limits.bodyBytes', long, 'requestRefused'],
  ])('a body %s arrives whole', async (_, body, reason) => {
    const headers = { ...bearer(good()), 'content-type': 'application/json' };
    const { status, seen } = await ask('/acme/bound', { method: 'POST', headers, body });
    expect(status).toBe(200);
    expect(seen?.body).toBe(body);
    expect(await lineOfSeen()).toMatchObject({ decision: 'report', reason, bytes_in: body.length });
  });

  test.each<[string, string[], string]>([
    ['that is bound to another user', ['{"user"', ':"eve"}'], 'bindMismatch'],
    ['longer than limits.bodyBytes', [long.slice(0, 50), long.slice(50, 100), long.slice(100)], 'requestRefused'],
  ])('a body in chunks, %s, arrives whole', async (_, chunks, reason) => {
    service.seen.length = 0;
    const sent = request({
      host: '127.0.0.1',
      port: gate.proxyPort,
      path: '/acme/bound',
      method: 'POST',
      headers: { ...bearer(good()), 'content-type': 'application/json' },
      agent: false,
    });
    sent.flushHeaders();
    for (const chunk of chunks) await new Promise<void>((done) => sent.write(chunk, () => done()));
    sent.end();
    const [response] = await once(sent, 'response');
    await text(response);
    expect(response.statusCode).toBe(200);
    expect(service.seen[0]?.body).toBe(chunks.join(''));
    const bytes = chunks.join('').length;
    expect(await lineOfSeen()).toMatchObject({ decision: 'report', reason, bytes_in: bytes });
  });

  test('a client that waits for a 100 is told to go on, and its body arrives whole', async () => {
    service.seen.length = 0;
    const client = await openRawClient({ host: '127.0.0.1', port: gate.proxyPort });
    const body = '{"user":"eve"}';
    client.send(
      `POST /acme/bound HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${good()}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
    );
    expect((await client.response()).status).toBe(100);
    client.send(body);
    expect((await client.response()).status).toBe(200);
    expect(service.seen[0]?.body).toBe(body);
    client.destroy();
  });

  test.each<[string, string, number]>([
    ['two lengths', 'POST /acme/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd', 400],
    [
      'a length and chunks',
      'POST /acme/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a folded header', 'GET /acme/x HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n', 400],
    ['two hosts', 'GET /acme/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['a path that nobody can read', 'GET /acme/%c0%ae HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a head without end', `GET /acme/x HTTP/1.1\r\nHost: a\r\nX-A: ${'b'.repeat(20_000)}\r\n\r\n`, 431],
  ])('what no two servers read alike stays out: %s', async (_, bytes, status) => {
    service.seen.length = 0;
    const client = await openRawClient({ host: '127.0.0.1', port: gate.proxyPort });
    client.send(bytes);
    expect((await client.response()).status).toBe(status);
    client.destroy();
    expect(service.seen).toEqual([]);
  });
});

describe('over HTTP/2', () => {
  const { cert, key } = testCertificates().server;

  test.each<[string, string, string]>([
    ['that is bound to another user', '{"user":"eve"}', 'bindMismatch'],
    ['longer than limits.bodyBytes', JSON.stringify({ user: 'eve', fill: 'x'.repeat(300) }), 'requestRefused'],
  ])('a body %s arrives whole, and nobody is named', async (_, body, reason) => {
    const folder = newFolder();
    await writeFile(join(folder, 'cert.pem'), cert);
    await writeFile(join(folder, 'key.pem'), key, { mode: 0o600 });
    const listen = 'listen: {address: 127.0.0.1:0, tls: {cert: cert.pem, key: {file: key.pem}}}';
    const gate = await runGate(configText('auto').replace('listen: 127.0.0.1:0', listen), { folder });
    const client = await openHttp2({ port: gate.proxyPort });
    service.seen.length = 0;
    const stream = client.open({
      ':method': 'POST',
      ':path': '/acme/bound',
      authorization: `Bearer ${good()}`,
      'content-type': 'application/json',
      'x-user-id': 'root',
    });
    stream.write(body.slice(0, 50));
    stream.end(body.slice(50));
    expect((await answerOf(stream)).status).toBe(200);
    client.close();
    expect(service.seen[0]?.body).toBe(body);
    expect(service.seen[0]?.headers).not.toHaveProperty('x-user-id');
    const line = await gate.process.logged('request', { reason });
    expect(line).toMatchObject({ decision: 'report', lane: 'http2', bytes_in: body.length });
  });
});

describe.each(['auto', 'node'])('mode: report for all, lane: %s', (lane) => {
  const all = (mode: string) => `listen: 127.0.0.1:0
ops: 127.0.0.1:0
lane: ${lane}
mode: ${mode}
upstream: http://127.0.0.1:${service.port}
tenants:
  acme: {match: {issuer: https://acme.example/}, secret: ${secretOf('acme')}, headers: {X-User-Id: "\${claims.sub}"}}
  globex: {match: {path: /globex/**}, secret: ${secretOf('globex')}}
`;
  const strangers: Record<string, () => Refusable> = {
    'without a token': () => ({ reason: 'tokenMissing' }),
    'with a token of nobody': () => ({
      reason: 'tenantUnknown',
      headers: bearer(good({ iss: 'https://evil.example/' })),
    }),
    'with what is no token': () => ({ reason: 'tokenMalformed', headers: { authorization: 'Bearer opaque' } }),
    'of two tenants at once': () => ({
      reason: 'tenantUnknown',
      path: '/globex/x',
      headers: bearer(good({ iss: 'https://acme.example/' })),
    }),
  };

  test('a request of no tenant goes on as it came, names nobody, and is counted; a reload to enforce ends that', async () => {
    const gate = await runGate(all('report'));
    for (const make of Object.values(strangers)) {
      service.seen.length = 0;
      const { reason, path = '/anything', headers = {} } = make();
      const { status } = await askGate(gate, path, { headers: { ...headers, X_User_Id: 'root' } });
      expect(status).toBe(200);
      expect(service.seen[0]).toMatchObject({ url: path, headers });
      expect(service.seen[0]?.headers).not.toHaveProperty('x_user_id');
      const line = await gate.process.logged('request', { reason });
      expect(line).toMatchObject({ decision: 'report', status: 200 });
      expect(line).not.toHaveProperty('tenant');
    }
    const token = good({ iss: 'https://acme.example/' });
    service.seen.length = 0;
    expect((await askGate(gate, '/x', { headers: bearer(token) })).status).toBe(200);
    expect(service.seen[0]?.headers).toMatchObject({ 'x-user-id': 'joe' });
    const { body: metrics } = await gate.ops('/metrics');
    expect(findSample(metrics, 'jwtgate_requests_total', { decision: 'report', reason: 'tokenMissing' })).toBe(1);

    await gate.rewrite(all('enforce'));
    gate.process.signal('SIGHUP');
    await gate.process.logged('config reloaded');
    for (const make of Object.values(strangers)) {
      service.seen.length = 0;
      const { path = '/anything', headers = {} } = make();
      expect((await askGate(gate, path, { headers })).status).toBe(401);
      expect(service.seen).toEqual([]);
    }
    expect((await askGate(gate, '/x', { headers: bearer(token) })).status).toBe(200);
  });

  test('a path that nobody can read stays out all the same', async () => {
    const gate = await runGate(all('report'));
    expect((await askGate(gate, '/%c0%ae')).status).toBe(400);
  });
});
