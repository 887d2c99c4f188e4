import { expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { answerEach } from '../support/upstream.ts';
import { startLane } from './lane-rig.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test('an upstream that never answers: 504 after the response time, and its connection is given up', async () => {
  const lane = await startLane({ reply: () => undefined, timeouts: { responseMs: 100 } });
  const client = await lane.client();
  client.send(get);
  expect((await client.response()).status).toBe(504);
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([
    { status: 504, end: 'complete', decision: { reason: 'upstreamTimeout' } },
  ]);
  client.send(get);
  expect((await client.response()).status).toBe(504);
});

test('the response time runs from the end of the request', async () => {
  const lane = await startLane({ reply: answerEach(), timeouts: { responseMs: 2_000 } });
  const client = await lane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n');
  for (const byte of '01234567') {
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.send(byte);
  }
  expect((await client.response()).status).toBe(200);
});

test('an expectation that the upstream leaves unanswered: 504', async () => {
  const lane = await startLane({ reply: () => undefined, timeouts: { responseMs: 100 } });
  const client = await lane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
  expect((await client.response()).status).toBe(504);
});

test('no connection to be had from the pool: 504 after the connect time', async () => {
  const lane = await startLane({
    upstream: { maxConnections: 1 },
    timeouts: { connectMs: 1_000 },
    reply: () => undefined,
  });
  // With one connection allowed and that one busy, the second request waits in the pool.
  const first = await lane.client();
  first.send(get);
  await lane.upstream.gotRequests(1);
  const second = await lane.client();
  second.send(get);
  expect((await second.response()).status).toBe(504);
  expect(lane.upstream.connections).toHaveLength(1);
});

test('an answer that stalls is cut after the idle time, and the client sees the cut', async () => {
  const lane = await startLane({
    reply: () => 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning',
    timeouts: { idleMs: 1_000 },
  });
  const client = await lane.client();
  client.send(get);
  await client.closed();
  expect(client.received).toContain('beginning');
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 200, end: 'upstreamGone' }]);
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
});

test('an answer that trickles is not cut', async () => {
  const lane = await startLane({
    reply: () => 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n',
    timeouts: { idleMs: 2_000 },
  });
  const client = await lane.client();
  client.send(get);
  await lane.upstream.gotRequests(1);
  for (const byte of '012345') {
    await new Promise((resolve) => setTimeout(resolve, 400));
    lane.upstream.connections[0]?.socket.write(byte);
  }
  expect((await client.response()).body).toBe('012345');
});

test('a client that stops reading is cut after the idle time, and so is the upstream', async () => {
  const lane = await startLane({
    reply: () =>
      Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n'), Buffer.alloc(50_000_000)]),
    timeouts: { idleMs: 1_000 },
  });
  const client = await lane.client();
  client.socket.pause();
  client.send(get);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 200, end: 'clientGone' }]);
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
  expect(lane.gate.outcomes[0]?.responseBytes).toBeLessThan(50_000_000);
});

test('an upstream that stops reading a body: 504 after the idle time', async () => {
  let isPaused = false;
  const lane = await startLane({
    reply: (_, { socket }) => {
      if (!isPaused) socket.pause();
      isPaused = true;
      return undefined;
    },
    timeouts: { idleMs: 1_000 },
  });
  const client = await lane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n');
  client.send(Buffer.alloc(50_000_000));
  expect((await client.response()).status).toBe(504);
  for (const { socket } of lane.upstream.connections) socket.resume();
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
});

test('slowloris: a head that trickles gets 408 when the header time is over, however often a byte comes', async () => {
  const lane = await startLane({ timeouts: { headerMs: 200 } });
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n');
  const trickle = setInterval(() => client.send('X: 1\r\n'), 20);
  expect(await client.response()).toMatchObject({ status: 408, headers: { connection: 'close' } });
  clearInterval(trickle);
  expect(lane.gate.heads).toHaveLength(0);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 408, head: undefined }]);
});

test('slowloris: the header time holds for the second request of a connection, too', async () => {
  const lane = await startLane({ timeouts: { headerMs: 1_000 } });
  const client = await lane.client();
  client.send(get);
  await client.response();
  client.send('GET / HTTP/1.1\r\nHost');
  expect((await client.response()).status).toBe(408);
});

test('a client that connects and says nothing is let go after the header time', async () => {
  const lane = await startLane({ timeouts: { headerMs: 100 } });
  const client = await lane.client();
  await client.closed();
  expect(lane.gate.heads).toHaveLength(0);
});

test('slow body: a body that stops coming gets 408 after the idle time, and the upstream request ends', async () => {
  const lane = await startLane({ timeouts: { idleMs: 1_000 } });
  const client = await lane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n012');
  expect(await client.response()).toMatchObject({ status: 408, headers: { connection: 'close' } });
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
  expect(lane.upstream.requests()).toHaveLength(0);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 408, requestBytes: 3 }]);
});

test('an idle keep-alive connection is closed after the idle time', async () => {
  const lane = await startLane({ timeouts: { idleMs: 1_000 } });
  const client = await lane.client();
  client.send(get);
  await client.response();
  expect(await client.closed()).toBe('end');
});
