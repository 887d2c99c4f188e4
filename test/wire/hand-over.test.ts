import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createBridge } from '../../src/wire/call/bridge.ts';
import { createUpstreamSessions } from '../../src/wire/call/upstream-sessions.ts';
import { createNodeLane } from '../../src/wire/node-lane.ts';
import { createUpstreamSlots } from '../../src/wire/upstream-slots.ts';
import { openRawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { fakeGate } from './fake-gate.ts';

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
