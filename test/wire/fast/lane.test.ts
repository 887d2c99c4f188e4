import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startFarewellUpstream } from '../../support/farewell-upstream.ts';
import { until } from '../../support/until.ts';
import { answerEach } from '../../support/upstream.ts';
import { allow, refusal } from '../fake-gate.ts';
import { startLane } from '../lane-rig.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const post = 'POST / HTTP/1.1\r\nHost: a\r\n';
const lane = 'auto';

test('canonical requests are served on the fast lane, and all from the first odd one on the node lane', async () => {
  const rig = await startLane({ lane });
  const client = await rig.client();
  for (const request of [
    get,
    `${post}Content-Length: 2\r\n\r\nhi`,
    get.replace('Host: a', 'Host: a\r\nTE: trailers'),
    get,
  ]) {
    client.send(request);
    expect((await client.response()).status).toBe(200);
  }
  expect((await rig.gate.gotOutcomes(4)).map((outcome) => outcome.lane)).toEqual(['fast', 'fast', 'node', 'node']);
});

test('an odd request in one read with the canonical one before it loses no byte on its way', async () => {
  const rig = await startLane({ lane });
  const client = await rig.client();
  client.send(`${get}${post}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
  expect((await client.response()).status).toBe(200);
  await rig.upstream.gotRequests(1);
  client.send('hello');
  expect((await client.response()).status).toBe(200);
  expect((await rig.upstream.gotRequests(2))[1]).toMatchObject({ method: 'POST', body: 'hello' });
  expect((await rig.gate.gotOutcomes(2)).map((outcome) => outcome.lane)).toEqual(['fast', 'node']);
});

test('an odd head that comes byte by byte is handed over within it', async () => {
  const rig = await startLane({ lane });
  const client = await rig.client();
  for (const byte of 'GET /old HTTP/1.0\r\nX-A: 1\r\n\r\n') {
    client.send(byte);
    await new Promise(setImmediate);
  }
  expect(await client.response()).toMatchObject({ status: 200, body: 'ok' });
  expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ lane: 'node', head: { target: '/old', httpVersion: '1.0' } }]);
});

test('a WebSocket after canonical requests on the same connection, pipelined even', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data).toUpperCase())));
  const { port } = server.address() as { port: number };
  const rig = await startLane({ lane, upstream: { port, key: 'ws' } });
  const client = await rig.client();
  // The WebSocket library's own server answers a plain request with 426.
  client.send(get);
  expect((await client.response()).status).toBe(426);
  client.send(
    `${get}GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  expect((await client.response()).status).toBe(426);
  expect((await client.response()).status).toBe(101);
  client.send(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
  await until('the echo', () => client.rest === '\x81\x02HI');
  const whole = new WebSocket(`ws://127.0.0.1:${rig.port}/`);
  whole.on('open', () => whole.send('through'));
  expect(String((await once(whole, 'message'))[0])).toBe('THROUGH');
  whole.terminate();
  for (const socket of server.clients) socket.terminate();
  server.close();
});

test('pipelined requests are answered in order, however many, and upstream one at a time', async () => {
  let underWay = 0;
  let most = 0;
  const rig = await startLane({
    lane,
    reply: (unanswered) => {
      const target = /^GET (\S+) HTTP\/1.1\r\n[\s\S]*\r\n\r\n$/.exec(unanswered)?.[1];
      if (target === undefined) return undefined;
      underWay++;
      most = Math.max(most, underWay);
      underWay--;
      return `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`;
    },
  });
  const client = await rig.client();
  client.send(Array.from({ length: 1_000 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  for (let i = 0; i < 1_000; i++) expect((await client.response()).body).toBe(`/${i}`);
  expect(most).toBe(1);
  expect(rig.upstream.connections).toHaveLength(1);
});

test('a client that pipelines and does not read is not read from any further', async () => {
  const rig = await startLane({
    lane,
    reply: answerEach(`HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`),
  });
  const client = await rig.client();
  client.socket.pause();
  client.send(get.repeat(400));
  // What the two systems' buffers hold is some megabytes, and no more is asked of the upstream.
  let before = -1;
  await until('it stands still', () => {
    const [last, now] = [before, rig.gate.heads.length];
    before = now;
    return now > 0 && now === last && client.socket.bytesWritten > 0;
  });
  expect(rig.gate.heads.length).toBeLessThan(300);
  client.socket.resume();
  await rig.gate.gotOutcomes(400);
});

test('a refusal flood on one connection is answered in order, and as slowly as the client reads', async () => {
  const rig = await startLane({ lane, decide: () => refusal('tokenMissing', { body: 'x'.repeat(1_000) }) });
  const client = await rig.client();
  client.send(get.repeat(2_000));
  for (let i = 0; i < 2_000; i++) expect((await client.response()).status).toBe(401);
  expect(rig.upstream.connections).toHaveLength(0);
});

test('head and small body go upstream in one piece, and so do they to the client', async () => {
  const rig = await startLane({ lane });
  const client = await rig.client();
  const chunks: string[] = [];
  client.socket.on('data', (chunk) => chunks.push(chunk.toString('latin1')));
  const sent: string[] = [];
  client.send(get);
  await client.response();
  rig.upstream.connections[0]?.socket.on('data', (chunk) => sent.push(chunk.toString('latin1')));
  client.send(`${post}Content-Length: 5\r\n\r\nhello`);
  await client.response();
  expect(sent).toEqual([expect.stringMatching(/^POST [\s\S]*\r\n\r\nhello$/)]);
  expect(chunks).toHaveLength(2);
  expect(chunks[1]).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\n\r\nok$/);
});

test('chunk extensions and odd sizes stay here, and a trailer that frames breaks the request', async () => {
  const rig = await startLane({ lane });
  const client = await rig.client();
  client.send(
    `${post}Transfer-Encoding: chunked\r\n\r\n005;evil="GET /"\r\nhello\r\n0;evil\r\nX-Sum: 1\r\nX-User: evil\r\n\r\n`,
  );
  expect((await client.response()).status).toBe(200);
  expect(rig.upstream.received).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n`);
  expect(await client.response()).toMatchObject({ status: 400, headers: { connection: 'close' } });
  expect(await client.closed()).toBe('end');
  expect(await rig.gate.gotOutcomes(2)).toMatchObject([
    { status: 200 },
    { status: 400, decision: { kind: 'refused' } },
  ]);
});

test('a client that ends its side in mid-exchange is gone: nobody waits for the answer', async () => {
  const rig = await startLane({ lane, reply: () => undefined });
  const client = await rig.client();
  client.send(get);
  await rig.upstream.gotRequests(1);
  client.socket.end();
  expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone', status: 0 }]);
  await until('the upstream connection is gone', () => rig.upstream.openSockets === 0);
});

test('a client that ends its side together with a request that is refused gets the refusal', async () => {
  const rig = await startLane({ lane, decide: () => refusal('tokenMissing', { body: 'no' }) });
  for (const request of [get, `${post}Content-Length: 2\r\n\r\nhi`, 'NOT HTTP\r\n\r\n']) {
    const client = await rig.client();
    client.socket.end(request, 'latin1');
    expect((await client.response()).status).toBe(request.startsWith('NOT') ? 400 : 401);
  }
});

test('an upstream’s farewell on an idle connection is not taken for the answer to a request that is just about to go', async () => {
  const upstream = await startFarewellUpstream();
  const rig = await startLane({ lane, upstream: { port: upstream.port, key: 'farewell' } });
  const client = await rig.client();
  client.send(get);
  expect((await client.response()).status).toBe(200);
  // Both come while this thread, which is the proxy's too, is not looking: first the request, then the farewell.
  client.send(get);
  expect(upstream.bidFarewell()).toBe(true);
  expect((await client.response()).status).toBe(200);
});

test('after a crowd no more upstream connections are kept than there may be', async () => {
  const rig = await startLane({ lane, upstream: { maxConnections: 3 } });
  const clients = await Promise.all(Array.from({ length: 20 }, () => rig.client()));
  for (let round = 0; round < 3; round++) {
    for (const client of clients) client.send(get);
    for (const client of clients) expect((await client.response()).status).toBe(200);
  }
  expect(rig.upstream.connections.length).toBeLessThanOrEqual(3);
});

test('a client that leaves the queue for a connection makes way for the next', async () => {
  let answering = false;
  const rig = await startLane({
    lane,
    upstream: { maxConnections: 1 },
    reply: (unanswered) => (answering ? answerEach()(unanswered, undefined as never) : undefined),
  });
  const [first, second, third] = [await rig.client(), await rig.client(), await rig.client()];
  first.send(get);
  await rig.upstream.gotRequests(1);
  second.send(get.replace('/', '/second'));
  await until('the second waits', () => rig.gate.heads.length === 2);
  third.send(get.replace('/', '/third'));
  await until('the third waits', () => rig.gate.heads.length === 3);
  second.destroy();
  await rig.gate.gotOutcomes(1);
  answering = true;
  rig.upstream.connections[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  expect((await first.response()).status).toBe(200);
  expect((await third.response()).status).toBe(200);
  expect(rig.upstream.received).not.toContain('/second');
});

test('a body that broke while the gate decided: one answer, one outcome, nothing forwarded', async () => {
  const waiting = Promise.withResolvers<void>();
  const rig = await startLane({
    lane,
    decide: async (head) => {
      await waiting.promise;
      return allow(rig.upstream.upstream, head);
    },
  });
  const client = await rig.client();
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`);
  await until('the gate is asked', () => rig.gate.heads.length === 1);
  waiting.resolve();
  expect(await client.response()).toMatchObject({ status: 400, headers: { connection: 'close' } });
  await client.closed();
  expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ status: 400, decision: { kind: 'refused' } }]);
  expect(rig.upstream.received).toBe('');
});
