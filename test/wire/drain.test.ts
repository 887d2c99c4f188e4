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
  const started = performance.now();
  await lane.door.close({ drainMs: 60_000 });
  expect(performance.now() - started).toBeLessThan(1_000);
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
  const closed = lane.door.close({ drainMs: 60_000 });
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
  const closed = lane.door.close({ drainMs: 60_000 });
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
  const closed = lane.door.close({ drainMs: 60_000 });
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

test('drain: a second call stops now', async () => {
  const lane = await startLane({ reply: () => undefined });
  const client = await lane.client();
  client.send(get);
  await lane.upstream.gotRequests(1);
  const first = lane.door.close({ drainMs: 60_000 });
  await lane.door.close({ drainMs: 60_000 });
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
  const closed = door.close({ drainMs: 300 });
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
