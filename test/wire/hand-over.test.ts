import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createBridge } from '../../src/wire/call/bridge.ts';
import { createUpstreamSessions } from '../../src/wire/call/upstream-sessions.ts';
import { createNodeLane } from '../../src/wire/node-lane.ts';
import { createUpstreamSlots } from '../../src/wire/upstream-slots.ts';
import { openRawClient } from '../support/raw-client.ts';
import { fewTurns, until } from '../support/until.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { fakeGate } from './fake-gate.ts';
import { startLane } from './lane-rig.ts';

/** A listener that reads up to the first `bytes` of a connection before it hands the socket to the node lane. */
async function startHandingOver(bytes: number) {
  const switching = 'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  const upstream = await startRawUpstream((unanswered) => {
    if (unanswered.includes('upgrade: websocket')) return switching;
    return unanswered.endsWith('\r\n\r\n') || unanswered.endsWith('!')
      ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
      : undefined;
  });
  const gate = fakeGate({ upstream: upstream.upstream });
  const bridge = createBridge(createUpstreamSessions());
  const lane = createNodeLane({ gate: () => gate, bridge, slots: createUpstreamSlots() });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    const take = (chunk: Buffer) => {
      socket.off('data', take);
      socket.pause();
      if (chunk.byteLength > bytes) socket.unshift(chunk.subarray(bytes));
      lane.accept(socket, chunk.subarray(0, bytes));
    };
    socket.on('data', take);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    lane.close();
    server.close();
    await upstream.close();
  });
  const client = await openRawClient({ port: (server.address() as AddressInfo).port });
  onTestFinished(() => client.destroy());
  return { client, upstream, gate, lane };
}

test.for([1, 10, 30, 60, 1_000])('a socket handed over after %d bytes loses none of them', async (bytes) => {
  const { client, upstream, lane } = await startHandingOver(bytes);
  client.send('POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello!');
  expect((await client.response()).status).toBe(200);
  client.send('POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nagain!');
  expect((await client.response()).status).toBe(200);
  expect(upstream.requests().map(({ body }) => body)).toEqual(['hello!', 'again!']);
  expect(lane.activeExchanges).toBe(0);
});

test.for([1, 40, 1_000])('a WebSocket handshake handed over after %d bytes still switches', async (bytes) => {
  const { client, upstream } = await startHandingOver(bytes);
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly');
  expect((await client.response()).status).toBe(101);
  client.send('late');
  await until('all bytes are upstream', () => upstream.received.endsWith('earlylate'));
});

test.for([
  ['that the fast lane answers', 'GET / HTTP/1.1\r\nHost: a\r\n', '\r\n', 200],
  ['that is handed over', 'GET / HTTP/1.0\r\nHost: a\r\n', '\r\n', 200],
  ['that is handed over for its last line', 'GET / HTTP/1.1\r\nHost: a\r\n', 'Upgrade: h2c\r\n\r\n', 200],
  [
    'that is handed over as a handshake',
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n',
    'Connection: Upgrade\r\n\r\n',
    502,
  ],
  ['that is handed over and refused', 'GET / HTTP/1.0\r\nHost: a\r\n', 'Content-Length: +1\r\n\r\n', 400],
  ['that is no request', 'GET / HTTP/1.1\r\nHost: a\r\n', 'no field\r\n\r\n', 400],
] as const)(
  'the time of a request counts from the first byte of its head: one %s',
  async ([, beginning, rest, status]) => {
    const rig = await startLane({
      lane: 'auto',
      reply: () => 'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    });
    const plain = await startLane({ lane: 'auto' });
    const { client: open, gate } = status === 502 ? rig : plain;
    const client = await open();
    const begunMs = performance.now();
    client.send(beginning);
    await fewTurns();
    await delay(150);
    client.send(rest);
    expect((await client.response()).status).toBe(status);
    const [outcome] = await gate.gotOutcomes(1);
    // The lane saw the first byte a little later than we sent it.
    expect(outcome?.durationMs).toBeGreaterThan(100);
    expect(outcome?.durationMs).toBeLessThanOrEqual(performance.now() - begunMs);
  },
);
