import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { openRawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { upstreamAt } from '../support/upstream.ts';
import { fakeGate } from './fake-gate.ts';
import { openDoor, startLane } from './lane-rig.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('drain: idle and silent connections end at once, new ones are not accepted', async () => {
  const lane = await startLane();
  const idle = await lane.client();
  idle.send(get);
  await idle.response();
  const silent = await lane.client();
  await until('both are accepted', () => lane.door.openConnections === 2);
  await lane.door.close({ drainMs: 600_000 });
  await until('the upstream connections are gone', () => lane.upstream.openSockets === 0);
  await idle.closed();
  await silent.closed();
  await expect(openRawClient({ port: lane.port })).rejects.toThrow('ECONNREFUSED');
});

test('drain: a request under way gets its answer, with Connection: close', async () => {
  const lane = await startLane({ reply: () => undefined });
  const client = await lane.client();
  client.send(get);
  await lane.upstream.gotRequests(1);
  const closed = lane.door.close({ drainMs: 600_000 });
  lane.upstream.connections[0]?.socket.write(answer);
  expect(await client.response()).toMatchObject({ status: 200, body: 'ok', headers: { connection: 'close' } });
  await closed;
  expect(await client.closed()).toBe('end');
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 200, end: 'complete' }]);
});

test('drain: an answer under way comes to its end, then its connection closes', async () => {
  const lane = await startLane({ reply: () => 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab' });
  const client = await lane.client();
  client.send(get);
  await until('the answer begins', () => client.received.endsWith('ab'));
  const closed = lane.door.close({ drainMs: 600_000 });
  lane.upstream.connections[0]?.socket.write('cd');
  expect((await client.response()).body).toBe('abcd');
  await closed;
  expect(await client.closed()).toBe('end');
});

test('drain: a request that arrives on a connection under way is not taken any more', async () => {
  const lane = await startLane({ reply: () => undefined });
  const client = await lane.client();
  client.send(get);
  await lane.upstream.gotRequests(1);
  const closed = lane.door.close({ drainMs: 600_000 });
  client.send(get);
  lane.upstream.connections[0]?.socket.write(answer);
  expect((await client.response()).status).toBe(200);
  await closed;
  expect(lane.gate.heads).toHaveLength(1);
});

test('drain: what is still under way at the deadline is cut', async () => {
  const lane = await startLane({ reply: () => undefined });
  const client = await lane.client();
  client.send(get);
  await lane.upstream.gotRequests(1);
  await lane.door.close({ drainMs: 50 });
  await client.closed();
  expect(client.received).toBe('');
  expect(await lane.gate.gotOutcomes(1)).toHaveLength(1);
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
  expect(lane.door.activeExchanges).toBe(0);
});

test('drain: a request that the system holds when it begins gets its answer', async () => {
  const lane = await startLane();
  const client = await lane.client();
  client.send(get);
  await client.response();
  // Sent and not yet read: this process does both, one after the other.
  client.send(get);
  const closed = lane.door.close({ drainMs: 600_000 });
  expect(await client.response()).toMatchObject({ status: 200, headers: { connection: 'close' } });
  await closed;
});

test('drain: a request whose head is half here when it begins gets its answer', async () => {
  const lane = await startLane();
  const client = await lane.client();
  client.send(get);
  await client.response();
  client.send(get.slice(0, 20));
  const closed = lane.door.close({ drainMs: 600_000 });
  await expect(openUntilRefused(lane.port)).resolves.toBe('ECONNREFUSED');
  client.send(get.slice(20));
  expect(await client.response()).toMatchObject({ status: 200, headers: { connection: 'close' } });
  await closed;
});

test('drain, in its delay: requests are served on old connections and new ones, with Connection: close', async () => {
  const lane = await startLane();
  const idle = await lane.client();
  idle.send(get);
  expect((await idle.response()).headers.connection).not.toBe('close');
  const closed = lane.door.close({ delayMs: 600_000, drainMs: 600_000 });
  const fresh = await lane.client();
  for (const client of [idle, fresh]) {
    client.send(get);
    expect(await client.response()).toMatchObject({ status: 200, headers: { connection: 'close' } });
    expect(await client.closed()).toBe('end');
  }
  await lane.door.close({ drainMs: 0 });
  await closed;
});

test('drain, in its delay: who was told nothing, as the answer had begun, may send one more request', async () => {
  const lane = await startLane({ reply: () => 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab' });
  const client = await lane.client();
  client.send(get);
  await until('the answer begins', () => client.received.endsWith('ab'));
  const closed = lane.door.close({ delayMs: 600_000, drainMs: 600_000 });
  lane.upstream.connections[0]?.socket.write('cd');
  expect(await client.response()).toMatchObject({ body: 'abcd' });
  client.send(get);
  await until('the next answer begins', () => client.received.endsWith('ab'));
  lane.upstream.connections[0]?.socket.write('cd');
  expect(await client.response()).toMatchObject({ body: 'abcd', headers: { connection: 'close' } });
  expect(await client.closed()).toBe('end');
  await lane.door.close({ drainMs: 0 });
  await closed;
});

test('drain, in its delay: a WebSocket handshake is still taken', async () => {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => void http.close());
  const { port, door } = await openDoor(fakeGate({ upstream: upstreamAt((http.address() as AddressInfo).port) }));
  const closed = door.close({ delayMs: 600_000, drainMs: 600_000 });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, 'open');
  const gone = once(socket, 'close');
  await door.close({ drainMs: 0 });
  await gone;
  await closed;
  await until('the upstream WebSocket is gone', () => server.clients.size === 0);
});

test('drain: after its delay nothing is accepted, and idle connections end', async () => {
  const lane = await startLane();
  const idle = await lane.client();
  idle.send(get);
  await idle.response();
  await lane.door.close({ delayMs: 50, drainMs: 600_000 });
  expect(await idle.closed()).toBe('end');
  await expect(openRawClient({ port: lane.port })).rejects.toThrow('ECONNREFUSED');
});

test('drain: a second call stops now', async () => {
  const lane = await startLane({ reply: () => undefined });
  const client = await lane.client();
  client.send(get);
  await lane.upstream.gotRequests(1);
  const first = lane.door.close({ drainMs: 600_000 });
  await lane.door.close({ drainMs: 600_000 });
  await first;
  await client.closed();
  await until('nothing is left', () => lane.door.openConnections === 0);
});

test('drain: a WebSocket is told 1001 at the deadline, and not before', async () => {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => void http.close());
  const gate = fakeGate({ upstream: upstreamAt((http.address() as AddressInfo).port) });
  const { port, door } = await openDoor(gate);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, 'open');
  const gone = once(socket, 'close');
  const closed = door.close({ drainMs: 3_000 });
  const payload = 'x'.repeat(70_000);
  for (const message of ['a', payload, 'b']) {
    socket.send(message);
    expect(String((await once(socket, 'message'))[0])).toBe(message);
  }
  expect((await gone)[0]).toBe(1001);
  await closed;
  expect(await gate.gotOutcomes(1)).toMatchObject([{ status: 101 }]);
  await until('the upstream WebSocket is gone', () => server.clients.size === 0);
});

/** The code with which a connection is refused at last. */
async function openUntilRefused(port: number): Promise<string> {
  for (;;) {
    try {
      (await openRawClient({ port })).destroy();
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? '';
    }
  }
}
