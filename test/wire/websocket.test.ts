import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from '../support/until.ts';
import { upstreamAt } from '../support/upstream.ts';
import { fakeGate, refusal } from './fake-gate.ts';
import { openDoor, startLane } from './lane-rig.ts';

const handshake =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
const switching =
  'HTTP/1.1 101 Switching Protocols\r\nX-Odd-CASE: caf\xe9\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\n' +
  'Keep-Alive: timeout=5\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: z\r\n\r\n';

async function startWebSocketEcho() {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    http.close();
  });
  const gate = fakeGate({ upstream: upstreamAt((http.address() as AddressInfo).port) });
  const { port, door } = await openDoor(gate);
  return { server, gate, door, url: `ws://127.0.0.1:${port}/` };
}

test('a WebSocket echoes text, binary and megabytes, and is one finished exchange', async () => {
  const { gate, url, door } = await startWebSocketEcho();
  const socket = new WebSocket(url, 'chat');
  await once(socket, 'open');
  expect(socket.protocol).toBe('chat');
  const large = Buffer.alloc(3_000_000, 7);
  for (const message of [Buffer.from('hello'), large]) {
    socket.send(message);
    const [echoed] = await once(socket, 'message');
    expect(Buffer.compare(echoed as Buffer, message)).toBe(0);
  }
  expect(door.activeExchanges).toBe(1);
  socket.close(4001, 'bye');
  const [code, reason] = await once(socket, 'close');
  expect([code, String(reason)]).toEqual([4001, 'bye']);
  const [outcome] = await gate.gotOutcomes(1);
  expect(outcome).toMatchObject({ status: 101, end: 'complete' });
  expect(outcome?.requestBytes).toBeGreaterThan(large.byteLength);
  expect(outcome?.responseBytes).toBeGreaterThan(large.byteLength);
  expect(door.activeExchanges).toBe(0);
});

test('pings and pongs pass through in both directions', async () => {
  const { server, url } = await startWebSocketEcho();
  const socket = new WebSocket(url);
  await once(socket, 'open');
  socket.ping('ours');
  expect(String((await once(socket, 'pong'))[0])).toBe('ours');
  const [accepted] = server.clients;
  accepted?.ping('theirs');
  expect(String((await once(socket, 'ping'))[0])).toBe('theirs');
  socket.terminate();
});

test('100 WebSocket clients that terminate leave nothing open upstream', async () => {
  const { server, gate, url, door } = await startWebSocketEcho();
  const clients = Array.from({ length: 100 }, () => new WebSocket(url));
  await Promise.all(clients.map((client) => once(client, 'open')));
  for (const client of clients) client.terminate();
  await until('no upstream WebSocket is left', () => server.clients.size === 0);
  expect(await gate.gotOutcomes(100)).toHaveLength(100);
  expect(door.activeExchanges).toBe(0);
});

test('the head of the switch keeps spelling and bytes, loses hop-by-hop fields, and the handshake goes up whole', async () => {
  const lane = await startLane({ reply: (unanswered) => (unanswered.endsWith('\r\n\r\n') ? switching : undefined) });
  const client = await lane.client();
  client.send(handshake);
  const answer = await client.response();
  expect(answer.rawHeaders).toEqual([
    ...['X-Odd-CASE', 'caf\xe9', 'Sec-WebSocket-Accept', 'z', 'Via', '1.1 jwtgate'],
    ...['Connection', 'Upgrade', 'Upgrade', 'websocket'],
  ]);
  expect(lane.upstream.requests()[0]?.headers).toMatchObject({
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'x-user': 'verified',
  });
});

test('bytes that either side sends along with its head are not lost', async () => {
  const lane = await startLane({
    reply: (unanswered) => (unanswered.includes('\r\n\r\n') ? `${switching}from the upstream` : undefined),
  });
  const client = await lane.client();
  client.send(`${handshake}from the client`);
  expect((await client.response()).status).toBe(101);
  await until('the upstream has the early bytes', () => lane.upstream.received.endsWith('from the client'));
  await until('the client has the early bytes', () => client.rest === 'from the upstream');
});

test('bytes that the client sends before the answer wait for the switch', async () => {
  const lane = await startLane({ reply: () => undefined });
  const client = await lane.client();
  client.send(handshake);
  await lane.upstream.gotRequests(1);
  client.send('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n');
  client.send('more');
  await new Promise(setImmediate);
  expect(lane.upstream.received).not.toContain('smuggled');
  lane.upstream.connections[0]?.socket.write(switching);
  await until('the upstream has them after its switch', () => lane.upstream.received.endsWith('more'));
});

test('an answer other than 101 is relayed, and what the client sent ahead is dropped', async () => {
  const lane = await startLane({
    reply: () => 'HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n2\r\nno\r\n0\r\n\r\n',
  });
  const client = await lane.client();
  client.send(`${handshake}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  expect(await client.response()).toMatchObject({
    status: 403,
    body: 'no',
    headers: { 'x-a': '1', connection: 'close' },
  });
  expect(await client.closed()).toBe('end');
  expect(lane.upstream.received).not.toContain('smuggled');
  expect(lane.gate.heads).toHaveLength(1);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 403, end: 'complete', responseBytes: 2 }]);
});

test('a refused handshake gets the refusal and a closed connection', async () => {
  const lane = await startLane({ decide: () => refusal('tokenMissing') });
  const client = await lane.client();
  client.send(handshake);
  expect(await client.response()).toMatchObject({ status: 401, headers: { connection: 'close' } });
  expect(await client.closed()).toBe('end');
  expect(lane.upstream.received).toBe('');
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 401, end: 'complete' }]);
});

test('an upstream that switches to something else: 502', async () => {
  const lane = await startLane({ reply: () => 'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n' });
  const client = await lane.client();
  client.send(handshake);
  expect((await client.response()).status).toBe(502);
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
});

test.for(['client', 'upstream'] as const)('a %s that ends a WebSocket cleanly ends the other side', async (side) => {
  const lane = await startLane({ reply: (unanswered) => (unanswered.endsWith('\r\n\r\n') ? switching : undefined) });
  const client = await lane.client();
  client.send(handshake);
  await client.response();
  const upstreamSocket = lane.upstream.connections[0]?.socket;
  if (side === 'client') client.socket.end('last words');
  else upstreamSocket?.end('last words');
  if (side === 'client')
    await until('the upstream has the last words', () => lane.upstream.received.endsWith('last words'));
  else await until('the client has the last words', () => client.rest === 'last words');
  await until('both are closed', () => lane.upstream.openSockets === 0 && client.socket.closed);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 101, end: 'complete' }]);
});

test.for(['client', 'upstream'] as const)('a %s that resets a WebSocket ends the other side at once', async (side) => {
  const lane = await startLane({ reply: (unanswered) => (unanswered.endsWith('\r\n\r\n') ? switching : undefined) });
  const client = await lane.client();
  client.send(handshake);
  await client.response();
  if (side === 'client') client.socket.resetAndDestroy();
  else lane.upstream.connections[0]?.socket.resetAndDestroy();
  await until('both are closed', () => lane.upstream.openSockets === 0 && client.socket.closed);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 101, end: `${side}Gone` }]);
});

test('a WebSocket client that closes before the upstream answers ends the upstream request', async () => {
  const lane = await startLane({ reply: () => undefined });
  const client = await lane.client();
  client.send(handshake);
  await lane.upstream.gotRequests(1);
  client.socket.end();
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 0, end: 'clientGone' }]);
});

test('a WebSocket with no byte in either direction ends after the idle time', async () => {
  const lane = await startLane({
    reply: (unanswered) => (unanswered.endsWith('\r\n\r\n') ? switching : undefined),
    timeouts: { idleMs: 500 },
  });
  const client = await lane.client();
  client.send(handshake);
  await client.response();
  await client.closed();
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
});
