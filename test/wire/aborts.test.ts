import { once } from 'node:events';
import { expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { type LaneRig, startLane } from './lane-rig.ts';

// The table by which the proxy library was chosen (docs/decisions/proxy-library.md), row by row.

/** Lets `count` clients leave, fifty at a time, each as soon as `ready` holds for it. */
async function leave(lane: LaneRig, count: number, text: string, ready: (received: string) => boolean): Promise<void> {
  for (let left = count; left > 0; left -= 50) {
    await Promise.all(
      Array.from({ length: Math.min(left, 50) }, async () => {
        const already = lane.upstream.connections.length;
        const client = await lane.client();
        client.send(text);
        await until(
          'the exchange is under way',
          () => ready(client.received) && lane.upstream.connections.length > already,
        );
        client.destroy();
        if (!client.socket.closed) await once(client.socket, 'close');
      }),
    );
  }
}

test('1000 clients that leave in mid-answer leave no upstream connection open', async () => {
  const begun = `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000)}`;
  const lane = await startLane({ reply: () => begun });
  await leave(lane, 1_000, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (received) => received.includes('xxx'));
  await until('no upstream connection is left', () => lane.upstream.openSockets === 0);
  const outcomes = await lane.gate.gotOutcomes(1_000);
  expect(outcomes).toHaveLength(1_000);
  expect(outcomes.every(({ end }) => end === 'clientGone')).toBe(true);
  expect(lane.door.activeExchanges).toBe(0);
});

test('200 clients that leave before the head of an answer leave no upstream connection open', async () => {
  const lane = await startLane({ reply: () => undefined });
  await leave(lane, 200, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', () => true);
  await until('no upstream connection is left', () => lane.upstream.openSockets === 0);
  expect(await lane.gate.gotOutcomes(200)).toHaveLength(200);
  expect(lane.door.activeExchanges).toBe(0);
});

test('100 clients that leave in mid-upload leave no upstream connection open', async () => {
  const lane = await startLane({ reply: () => undefined });
  await leave(lane, 100, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc', () => true);
  await until('no upstream connection is left', () => lane.upstream.openSockets === 0);
  expect(await lane.gate.gotOutcomes(100)).toHaveLength(100);
});

test.for([
  ['a length', '1.1', 'Content-Length: 1000000\r\n\r\nbeginning'],
  ['chunks', '1.1', 'Transfer-Encoding: chunked\r\n\r\n9\r\nbeginning\r\n'],
  ['a length, to a client of HTTP/1.0', '1.0', 'Content-Length: 1000000\r\n\r\nbeginning'],
  [
    'chunks, to a client of HTTP/1.0 whose body ends with the connection',
    '1.0',
    'Transfer-Encoding: chunked\r\n\r\n9\r\nbeginning\r\n',
  ],
] as const)('an upstream that dies in mid-answer (%s): the client sees the cut at once', async ([, version, rest]) => {
  const lane = await startLane({ reply: () => `HTTP/1.1 200 OK\r\n${rest}` });
  const client = await lane.client();
  client.send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
  await until('the answer begins', () => client.received.includes('beginning'));
  lane.upstream.connections[0]?.socket.destroy();
  const ending = await client.closed();
  // A body that ends with the connection is complete unless the connection is reset.
  if (rest.includes('chunked') && version === '1.0') expect(ending).toBe('reset');
  expect(client.received).not.toContain('\r\n0\r\n');
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ end: 'upstreamGone', status: 200, responseBytes: 9 }]);
});

test('an upstream that is down: 502, and the connection lives on', async () => {
  const lane = await startLane();
  await lane.upstream.close();
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await client.response()).status).toBe(502);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
  expect((await client.response()).status).toBe(502);
  expect(await lane.gate.gotOutcomes(2)).toMatchObject([
    { status: 502, decision: { reason: 'upstreamUnreachable', detail: /ECONNREFUSED/ }, end: 'complete' },
    { status: 502 },
  ]);
});

test('an upstream whose name does not resolve: 502', async () => {
  const lane = await startLane({ upstream: { host: 'no-such-host.invalid' } });
  expect((await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(502);
});

test('an upstream that is down: a WebSocket client gets the 502, not just a closed socket', async () => {
  const lane = await startLane();
  await lane.upstream.close();
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  expect((await client.response()).status).toBe(502);
  expect(await client.closed()).toBe('end');
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 502, end: 'complete' }]);
});

test.for([
  ['closes without a word', (socket) => socket.end()],
  ['resets', (socket) => socket.resetAndDestroy()],
  ['answers no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH\r\n')],
  ['sends a head that never ends', (socket) => socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`)],
  [
    'sends two lengths',
    (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
  ],
  [
    'sends a length beside chunks',
    (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  ],
  ['folds a header', (socket) => socket.write('HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n')],
  [
    'switches protocols unasked',
    (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  ],
] satisfies [string, (socket: import('node:net').Socket) => void][])(
  'an upstream that %s: 502',
  async ([, misbehave]) => {
    const lane = await startLane({
      reply: (_, { socket }) => {
        misbehave(socket);
        return undefined;
      },
    });
    expect((await lane.request('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi')).status).toBe(502);
    expect(lane.upstream.requests()).toHaveLength(1);
    await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
  },
);

test('an upstream that sends a second answer unasked does not answer the next client with it', async () => {
  let served = 0;
  const upstream = await startRawUpstream(() => {
    served += 1;
    const own = `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n#0${served}`;
    return served === 1 ? `${own}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil` : own;
  });
  const lane = await startLane({ upstream: { port: upstream.port } });
  const first = await lane.client();
  first.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await first.response()).body).toBe('#01');
  const second = await lane.client();
  second.send('GET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await second.response()).body).toBe('#02');
  await upstream.close();
});
