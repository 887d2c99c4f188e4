import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, isIPv6 } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import type { UpstreamTls } from '../../src/gate/policy.ts';
import { tryConnection } from '../../src/wire/try-upstream.ts';
import { testCertificates } from '../support/certificates.ts';
import { rawRequest } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { answerEach, readRequests, startRawUpstream, upstreamAt } from '../support/upstream.ts';
import { fakeGate } from './fake-gate.ts';
import { openDoor, startLane } from './lane-rig.ts';

const get = 'GET / HTTP/1.1\r\nHost: client.example\r\n\r\n';

async function listening(server: Server, where: { port: number; host: string } | { path: string }): Promise<number> {
  server.listen(where);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return 'path' in where ? 0 : (server.address() as AddressInfo).port;
}

test('connections to the upstream are kept and shared between clients', async () => {
  const lane = await startLane();
  for (let i = 0; i < 5; i += 1) expect((await lane.request(get)).status).toBe(200);
  expect(lane.upstream.connections).toHaveLength(1);
});

test('a chunked DELETE, which says Connection: close, goes over a connection of its own that is not used again', async () => {
  // It is the proxy library that makes it say so.
  const lane = await startLane({ lane: 'node' });
  const client = await lane.client();
  for (const method of ['POST', 'DELETE', 'POST']) {
    client.send(`${method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`);
    expect((await client.response()).status).toBe(200);
  }
  const perConnection = lane.upstream.connections.map(({ received }) => readRequests(received).requests);
  expect(perConnection.map((requests) => requests.map(({ method }) => method))).toEqual([['POST', 'POST'], ['DELETE']]);
  expect(perConnection[1]?.[0]?.headers.connection).toBe('close');
});

test('maxConnections is the most there are; further requests wait for one', async () => {
  const lane = await startLane({ reply: () => undefined, upstream: { maxConnections: 2 } });
  const clients = await Promise.all(Array.from({ length: 5 }, () => lane.client()));
  for (const client of clients) client.send(get);
  await lane.upstream.gotRequests(2);
  const answered = new Set<number>();
  while (answered.size < 5) {
    expect(lane.upstream.openSockets).toBe(2);
    for (const { socket, received } of lane.upstream.connections) {
      if (received.length > 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    }
    const before = answered.size;
    await until('another client has its answer', () => {
      clients.forEach((client, index) => {
        if (client.received.includes('200 OK')) answered.add(index);
      });
      return answered.size > before;
    });
  }
  expect(lane.upstream.connections.length).toBeLessThanOrEqual(4);
});

/** An upstream that serves one request a connection and hangs up on the next one sent over it. */
async function startForgetfulUpstream() {
  let served = 0;
  const lane = await startLane({
    reply: (unanswered, connection) => {
      if (connection.received !== unanswered) {
        connection.socket.resetAndDestroy();
        return undefined;
      }
      served += 1;
      return answerEach()(unanswered, connection);
    },
  });
  return { lane, served: () => served };
}

test.for(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])(
  'a kept connection that turns out dead: a %s without a body is sent once more',
  async (method) => {
    const { lane } = await startForgetfulUpstream();
    const client = await lane.client();
    for (let i = 0; i < 2; i += 1) {
      client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect((await client.response({ head: method === 'HEAD' })).status).toBe(200);
    }
    expect(await lane.gate.gotOutcomes(2)).toHaveLength(2);
    expect(lane.upstream.connections).toHaveLength(2);
  },
);

test.for([
  ['a POST without a body', 'POST / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a PUT with a body', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'],
] as const)('a kept connection that turns out dead: %s is never sent twice', async ([, text]) => {
  const { lane } = await startForgetfulUpstream();
  const client = await lane.client();
  client.send(get);
  expect((await client.response()).status).toBe(200);
  client.send(text);
  expect((await client.response()).status).toBe(502);
  expect(lane.upstream.connections).toHaveLength(1);
});

test('an upstream that hangs up on a new connection, or after it began to answer, gets no second try', async () => {
  let requests = 0;
  const lane = await startLane({
    reply: (unanswered, connection) => {
      requests += 1;
      if (requests === 1) return answerEach()(unanswered, connection);
      connection.socket.write('HTTP/1.1 2');
      connection.socket.end();
      return undefined;
    },
  });
  expect((await lane.request(get)).status).toBe(200);
  expect((await lane.request(get)).status).toBe(502);
  expect(requests).toBe(2);
  expect((await lane.request(get)).status).toBe(502);
  expect(requests).toBe(3);
});

test('a retired upstream loses its idle connections at once and its busy ones when they are done', async () => {
  const lane = await startLane({ reply: () => undefined });
  const clients = await Promise.all([lane.client(), lane.client()]);
  for (const client of clients) client.send(get);
  await lane.upstream.gotRequests(2);
  lane.upstream.connections[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await lane.gate.gotOutcomes(1);
  expect(lane.upstream.openSockets).toBe(2);
  lane.door.retainUpstreams(new Set(['another']));
  await until('the idle one is closed', () => lane.upstream.openSockets === 1);
  lane.upstream.connections[1]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  for (const client of clients) expect((await client.response()).status).toBe(200);
  await until('the busy one is closed', () => lane.upstream.openSockets === 0);
});

test('an upstream on a unix socket', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'jwtgate-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'upstream.sock');
  await listening(
    createHttpServer((request, response) => response.end(`${request.method} ${request.url}`)),
    { path },
  );
  const gate = fakeGate({ upstream: upstreamAt(0, { host: '', socketPath: path }) });
  const { port } = await openDoor(gate);
  expect(await rawRequest({ port }, get)).toMatchObject({ status: 200, body: 'GET /' });
});

const hasIpv6Loopback = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => isIPv6(address) && address === '::1'),
);

test.skipIf(!hasIpv6Loopback)('an upstream on IPv6', async () => {
  const where = { port: 0, host: '::1' };
  const upstreamPort = await listening(
    createHttpServer((_, response) => response.end('six')),
    where,
  );
  const gate = fakeGate({ upstream: upstreamAt(upstreamPort, { host: '::1' }) });
  const { port } = await openDoor(gate);
  expect(await rawRequest({ port }, get)).toMatchObject({ status: 200, body: 'six' });
});

async function startTlsUpstream(tls: Partial<UpstreamTls>, host = 'localhost') {
  const { ca, server: serverCertificate } = testCertificates();
  const seen: { servername: unknown; client: unknown }[] = [];
  const server = createTlsServer(
    { ...serverCertificate, ca, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const socket = request.socket as TLSSocket;
      seen.push({ servername: socket.servername, client: socket.getPeerCertificate().subject?.CN });
      response.end('secret');
    },
  );
  const upstreamPort = await listening(server, { port: 0, host: '127.0.0.1' });
  const none: UpstreamTls = { ca: undefined, cert: undefined, key: undefined, serverName: undefined, insecure: false };
  const gate = fakeGate({
    upstream: upstreamAt(upstreamPort, { scheme: 'https', host, tls: { ...none, ...tls } }),
  });
  const { port } = await openDoor(gate);
  return { port, gate, seen };
}

test('an upstream over TLS with a private CA; kept connections, too', async () => {
  const { port, seen } = await startTlsUpstream({ ca: testCertificates().ca });
  for (let i = 0; i < 3; i += 1) expect((await rawRequest({ port }, get)).body).toBe('secret');
  // The upstream's name, not the client's Host, is asked for and checked.
  expect(seen[0]?.servername).toBe('localhost');
});

test('an upstream over TLS whose CA is not known: 502, and the log says what to set', async () => {
  const { port, gate } = await startTlsUpstream({});
  expect((await rawRequest({ port }, get)).status).toBe(502);
  // Node's own words for it advise a flag that the executable does not take.
  const detail = expect.stringMatching(
    /^[A-Z_]+: its certificate is of no authority known here.*: name the authority in `ca`$/,
  );
  expect(await gate.gotOutcomes(1)).toMatchObject([{ decision: { reason: 'upstreamUnreachable', detail } }]);
});

test("a client's Host does not choose the name that the upstream's certificate must carry", async () => {
  const { port } = await startTlsUpstream({ ca: testCertificates().ca, serverName: 'other.example' });
  const asked = await rawRequest({ port }, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect(asked.status).toBe(502);
});

test('an upstream over TLS by address, its name given by serverName', async () => {
  const { port } = await startTlsUpstream({ ca: testCertificates().ca, serverName: 'localhost' }, '127.0.0.1');
  expect((await rawRequest({ port }, get)).body).toBe('secret');
});

test('insecure: true takes any certificate', async () => {
  const { port } = await startTlsUpstream({ insecure: true });
  expect((await rawRequest({ port }, get)).body).toBe('secret');
});

test('a client certificate is shown to the upstream', async () => {
  const { ca, client } = testCertificates();
  const { port, seen } = await startTlsUpstream({ ca, cert: client.cert, key: client.key });
  expect((await rawRequest({ port }, get)).body).toBe('secret');
  expect(seen[0]?.client).toBe('jwtgate-client');
});

test('an https upstream that speaks no TLS: 502', async () => {
  const upstream = await startRawUpstream(() => 'HTTP/1.1 400 Bad Request\r\n\r\n');
  onTestFinished(() => upstream.close());
  const gate = fakeGate({ upstream: { ...upstream.upstream, scheme: 'https' } });
  const { port } = await openDoor(gate);
  expect((await rawRequest({ port }, get)).status).toBe(502);
  const detail = expect.stringMatching(/^[A-Z_]+: no TLS came about: is it plain http there/);
  expect(await gate.gotOutcomes(1)).toMatchObject([{ decision: { reason: 'upstreamUnreachable', detail } }]);
  expect(await tryConnection({ ...upstream.upstream, scheme: 'https' }, 5_000)).toEqual({
    kind: 'unreachable',
    detail,
  });
});
