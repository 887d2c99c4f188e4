import { expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { answerEach, readRequests } from '../support/upstream.ts';
import { allow, refusal } from './fake-gate.ts';
import { startLane } from './lane-rig.ts';

const post = 'POST / HTTP/1.1\r\nHost: a\r\n';

test('a request body streams: the upstream has its beginning before the client has sent its end', async () => {
  const lane = await startLane();
  const client = await lane.client();
  client.send(`${post}Content-Length: 10\r\n\r\n01234`);
  await until('the beginning is upstream', () => lane.upstream.received.endsWith('01234'));
  client.send('56789');
  expect((await client.response()).status).toBe(200);
  expect(lane.upstream.requests()[0]?.body).toBe('0123456789');
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ requestBytes: 10, responseBytes: 2, status: 200 }]);
});

test('a chunked request body streams, framed anew', async () => {
  const lane = await startLane();
  const client = await lane.client();
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n`);
  await until('the beginning is upstream', () => lane.upstream.received.includes('01234'));
  client.send('5;ext=1\r\n56789\r\n0\r\n\r\n');
  expect((await client.response()).status).toBe(200);
  expect(lane.upstream.requests()[0]?.body).toBe('0123456789');
  expect(lane.upstream.received).not.toContain('ext');
});

test('an answer streams without being held back, head first (server-sent events)', async () => {
  const lane = await startLane({ reply: () => 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n' });
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('the head is there', () => client.received.includes('\r\n\r\n'));
  expect(client.received).toContain('Transfer-Encoding: chunked');
  const upstreamSocket = lane.upstream.connections[0]?.socket;
  upstreamSocket?.write('data: 1\n\n');
  await until('the first event is there', () => client.received.endsWith('data: 1\n\n\r\n'));
  upstreamSocket?.write('data: 2\n\n');
  await until('the second event is there', () => client.received.endsWith('data: 2\n\n\r\n'));
  upstreamSocket?.end();
  expect((await client.response()).body).toBe('data: 1\n\ndata: 2\n\n');
});

test('answers of any size arrive whole, one after the other on one connection to the upstream', async () => {
  const sizes = [1, 8_000, 8_192, 8_193, 16_384, 65_536, 70_000, 300_000, 1, 8_192, 65_537];
  const bodies = sizes.map((size, i) => String.fromCharCode(0x61 + i).repeat(size));
  const lane = await startLane({
    reply: (unanswered, connection) => {
      const body = bodies[readRequests(connection.received).requests.length - 1] as string;
      return unanswered === '' ? undefined : `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    },
  });
  const client = await lane.client();
  for (const body of bodies) {
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await client.response();
    expect(answer.body === body, `${body.length} bytes`).toBe(true);
  }
  expect(lane.upstream.connections).toHaveLength(1);
});

test('both bodies at once: an answer that begins before the request has ended', async () => {
  const lane = await startLane({
    reply: (unanswered) => {
      if (unanswered.endsWith('one')) return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nONE\r\n';
      return unanswered.endsWith('two') ? '3\r\nTWO\r\n0\r\n\r\n' : undefined;
    },
  });
  const client = await lane.client();
  client.send(`${post}Content-Length: 6\r\n\r\none`);
  await until('the echo of the first half', () => client.received.includes('ONE'));
  client.send('two');
  expect((await client.response()).body).toBe('ONETWO');
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await lane.upstream.gotRequests(2);
});

test('an answer that comes before the body is read gets through, and the rest of the body goes nowhere', async () => {
  const lane = await startLane({
    reply: (_, { socket }) => {
      socket.end('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig');
      return undefined;
    },
  });
  const client = await lane.client();
  client.send(`${post}Content-Length: 1000000\r\n\r\n`);
  expect(await client.response()).toMatchObject({ status: 413, body: 'big' });
  client.send('x'.repeat(1_000_000));
  client.send('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await client.response()).status).toBe(413);
  const [first, second] = lane.upstream.connections;
  expect(first?.received).not.toContain('/next');
  expect(readRequests(second?.received ?? '').requests).toMatchObject([{ target: '/next' }]);
});

test('request trailers pass, but for reserved, framing and credential names', async () => {
  const lane = await startLane();
  const client = await lane.client();
  client.send(
    `${post}Transfer-Encoding: chunked\r\nTrailer: X-Sum, X-User, Content-Length\r\n\r\n2\r\nhi\r\n0\r\n` +
      'X-Sum: 1\r\nX-User: evil\r\nx_user: evil\r\nHost: evil\r\nTrailer: evil\r\nVia: evil\r\n' +
      'Authorization: evil\r\nCookie: evil\r\nX-Forwarded-For: evil\r\nIf-Match: evil\r\nX-Other: 2\r\n\r\n',
  );
  expect((await client.response()).status).toBe(200);
  const [request] = lane.upstream.requests();
  expect(request?.trailers).toBe('X-Sum: 1\r\nX-Other: 2\r\n');
  expect(request?.headers.trailer).toBe('X-Sum');
  expect(lane.upstream.received).not.toContain('evil');
});

test('response trailers pass to a client of HTTP/1.1, framing names excepted', async () => {
  const lane = await startLane({
    reply: answerEach(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Server-Timing\r\n\r\n2\r\nok\r\n0\r\n' +
        'Server-Timing: t\r\nSet-Cookie: evil=1\r\n\r\n',
    ),
  });
  const answer = await lane.request('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
  expect(answer).toMatchObject({ body: 'ok', trailers: 'Server-Timing: t\r\n', headers: { trailer: 'Server-Timing' } });
  const old = await lane.request('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  expect(old).toMatchObject({ body: 'ok', trailers: '' });
  expect(old.headers.trailer).toBeUndefined();
});

test('TE: trailers from the gate goes upstream, nominated in Connection', async () => {
  const lane = await startLane({
    decide: (head) => allow(lane.upstream.upstream, head, { headers: ['Host', 'a', 'TE', 'trailers'] }),
  });
  await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(lane.upstream.requests()[0]?.headers).toMatchObject({ te: 'trailers', connection: 'TE' });
});

test('Trailer beside Content-Length, which makes Node throw, is dropped', async () => {
  const lane = await startLane();
  expect((await lane.request(`${post}Content-Length: 2\r\nTrailer: X-Sum\r\n\r\nhi`)).status).toBe(200);
  expect(lane.upstream.requests()[0]?.headers.trailer).toBeUndefined();
});

test('Expect: 100-continue is decided first: a refusal sends no 100 and closes before the body', async () => {
  const lane = await startLane({ decide: () => refusal('tokenMissing') });
  const client = await lane.client();
  client.send(`${post}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  expect(await client.response()).toMatchObject({ status: 401, headers: { connection: 'close' } });
  expect(client.received).not.toContain('100 Continue');
  client.send('hi');
  expect(await client.closed()).toBe('end');
  expect(lane.upstream.received).toBe('');
});

test('Expect: 100-continue waits for the upstream: no 100 before its own', async () => {
  const lane = await startLane({
    reply: (unanswered) => (unanswered.endsWith('hi') ? 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' : undefined),
  });
  const client = await lane.client();
  client.send(`${post}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  await until('the expectation is upstream', () => lane.upstream.received.includes('expect: 100-continue'));
  expect(client.received).toBe('');
  lane.upstream.connections[0]?.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  expect((await client.response()).status).toBe(100);
  client.send('hi');
  expect((await client.response()).status).toBe(200);
});

test('an upstream that refuses the expectation is passed on, and the connection closed in front of the body', async () => {
  const lane = await startLane({ reply: () => 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n' });
  const client = await lane.client();
  client.send(`${post}Expect: 100-continue\r\nContent-Length: 40\r\n\r\n`);
  expect(await client.response()).toMatchObject({ status: 401, headers: { connection: 'close' } });
  client.send('GET /not-a-request HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(await client.closed()).toBe('end');
  expect(lane.upstream.received).not.toContain('/not-a-request');
});

test('Expect with bytes above 0x7f in the headers: they arrive unharmed, and the client gets its 100', async () => {
  const lane = await startLane();
  const client = await lane.client();
  client.send(`${post}X-Name: caf\xe9\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  expect((await client.response()).status).toBe(100);
  client.send('hi');
  expect((await client.response()).status).toBe(200);
  expect(lane.upstream.received).toContain('X-Name: caf\xe9\r\n');
});

test.for([
  ['GET', ''],
  ['POST', 'Content-Length: 2\r\n\r\nhi'],
  ['POST', 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n'],
] as const)('header bytes above 0x7f pass both ways unchanged (%s)', async ([method, rest]) => {
  const lane = await startLane({ reply: () => 'HTTP/1.1 200 Tr\xe8s bien\r\nX-Back: caf\xe9\r\n\r\n' });
  const client = await lane.client();
  client.send(`${method} / HTTP/1.1\r\nHost: a\r\nX-Name: caf\xe9\r\n${rest === '' ? '\r\n' : rest}`);
  await until('the head of the answer', () => client.received.includes('\r\n\r\n'));
  expect(client.received).toContain('X-Back: caf\xe9\r\n');
  expect(client.received).toContain('200 Tr\xe8s bien\r\n');
  expect(lane.upstream.received).toContain('X-Name: caf\xe9\r\n');
});

test('interim answers are passed on, as RFC 9110 section 15.2 asks, without hop-by-hop fields', async () => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n';
  const lane = await startLane({
    reply: () => `${interim}${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)}HTTP/1.1 204 No Content\r\n\r\n`,
  });
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const hints = await client.response();
  expect(hints).toMatchObject({ status: 103, headers: { link: '</a>; rel=preload' } });
  expect(hints.headers['x-hop']).toBeUndefined();
  await until('the answer', () => client.received.includes('204 No Content'));
  // A flood of them is cut short.
  expect(client.received.split('102 Processing').length - 1).toBeLessThan(100);
  const old = await lane.client();
  old.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  expect((await old.response()).status).toBe(204);
});

test.for([
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n', { 'content-length': '1234' }],
  [
    'HEAD',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n',
    { 'content-length': undefined, trailer: undefined },
  ],
  [
    'GET',
    'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 1234\r\n\r\n',
    { etag: '"a"', 'content-length': '1234' },
  ],
  ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', { 'content-length': undefined }],
] as const)('an answer without a body keeps the connection in step (%s, %s)', async ([method, answer, expected]) => {
  const lane = await startLane({ reply: () => answer });
  const client = await lane.client();
  for (let i = 0; i < 2; i += 1) {
    client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    const { headers } = await client.response({ head: method === 'HEAD' });
    for (const [name, value] of Object.entries(expected)) expect(headers[name]).toBe(value);
    expect(client.rest).toBe('');
  }
  expect(lane.upstream.connections).toHaveLength(1);
});

test('a client of HTTP/1.0 gets its answer unchunked, ended by the connection', async () => {
  const lane = await startLane({
    reply: answerEach('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
  });
  const client = await lane.client();
  client.send('POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi');
  const answer = await client.response();
  expect(answer).toMatchObject({ status: 200, body: 'ok', headers: { connection: 'close' } });
  expect(answer.headers['transfer-encoding']).toBeUndefined();
  expect(lane.gate.heads[0]?.httpVersion).toBe('1.0');
  expect(lane.upstream.requests()[0]).toMatchObject({ line: 'POST / HTTP/1.1', body: 'hi' });
});

test('an answer in HTTP/1.0 that ends with its connection is chunked for the client', async () => {
  const lane = await startLane({
    reply: (_, { socket }) => {
      socket.end('HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nok');
      return undefined;
    },
  });
  const answer = await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(answer).toMatchObject({ body: 'ok', headers: { 'transfer-encoding': 'chunked', via: '1.0 jwtgate' } });
});

test('response headers keep order, spelling and repetition, lose what is hop-by-hop, and gain Via', async () => {
  const lane = await startLane({
    reply: answerEach(
      'HTTP/1.1 207 Eh, Multi\r\nX-Odd-CASE: 1\r\nSet-Cookie: a=1\r\nx-two: a\r\nSet-Cookie: b=2\r\nX-Two: b\r\n' +
        'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nVia: 1.1 other\r\nConnection: X-Up, keep-alive\r\nX-Up: 1\r\n' +
        'Keep-Alive: timeout=99\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\n' +
        'Content-Length: 2\r\n\r\nok',
    ),
  });
  const answer = await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(answer).toMatchObject({ status: 207, reason: 'Eh, Multi', body: 'ok' });
  // Behind them, one lane says what HTTP/1.1 takes for granted: Connection: keep-alive.
  expect(answer.rawHeaders.slice(0, 18)).toEqual([
    ...['X-Odd-CASE', '1', 'Set-Cookie', 'a=1', 'x-two', 'a', 'Set-Cookie', 'b=2', 'X-Two', 'b'],
    ...['Date', 'Thu, 01 Jan 1970 00:00:00 GMT', 'Via', '1.1 other', 'Content-Length', '2', 'Via', '1.1 jwtgate'],
  ]);
});

test('a client of "Connection: close" gets its answer, and nothing it sent behind is a request', async () => {
  const lane = await startLane();
  const client = await lane.client();
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(await client.response()).toMatchObject({ status: 200, headers: { connection: 'close' } });
  expect(await client.closed()).toBe('end');
  expect(lane.gate.heads.map(({ target }) => target)).toEqual(['/1']);
});

test('pipelined requests are judged, sent and answered one after the other', async () => {
  const lane = await startLane({ reply: answerEach() });
  const client = await lane.client();
  client.send(
    Array.from({ length: 50 }, (_, i) => `POST /${i} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`).join(''),
  );
  for (let i = 0; i < 50; i += 1) expect((await client.response()).status).toBe(200);
  expect(lane.upstream.requests().map(({ target }) => target)).toEqual(Array.from({ length: 50 }, (_, i) => `/${i}`));
  expect(lane.upstream.connections).toHaveLength(1);
});

test('a flood of pipelined requests on the node lane is bounded: the connection closes in front of the surplus', async () => {
  const lane = await startLane({ reply: answerEach(), lane: 'node' });
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2_000));
  await client.closed();
  const answered = lane.gate.heads.length;
  expect(answered).toBeGreaterThan(100);
  expect(answered).toBeLessThan(300);
  expect(await lane.gate.gotOutcomes(answered)).toHaveLength(answered);
});

test('a refused request with a small body keeps its connection, one with a large body does not', async () => {
  const lane = await startLane({ decide: () => refusal('tokenMissing') });
  const client = await lane.client();
  client.send(`${post}Content-Length: 2\r\n\r\nhi`);
  expect((await client.response()).headers.connection).not.toBe('close');
  client.send(`${post}Content-Length: 10000000\r\n\r\nhi`);
  expect((await client.response()).headers.connection).toBe('close');
  // The answer is read in peace, although more was sent than anybody wanted.
  client.send('x'.repeat(100_000));
  expect(await client.closed()).toBe('end');
});

test('a gate that decides late holds nothing up, and the body waits for it', async () => {
  const waiting = Promise.withResolvers<void>();
  const lane = await startLane({
    decide: async (head) => {
      await waiting.promise;
      return allow(lane.upstream.upstream, head);
    },
  });
  const client = await lane.client();
  client.send(`${post}Content-Length: 2\r\n\r\nhi`);
  await until('the gate was asked', () => lane.gate.heads.length === 1);
  expect(lane.upstream.received).toBe('');
  waiting.resolve();
  expect((await client.response()).status).toBe(200);
  expect(lane.upstream.requests()[0]?.body).toBe('hi');
});

test('a gate whose decision outlives the client: nothing is sent, and the outcome comes once', async () => {
  const waiting = Promise.withResolvers<void>();
  const lane = await startLane({
    decide: async (head) => {
      await waiting.promise;
      return allow(lane.upstream.upstream, head);
    },
  });
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('the gate was asked', () => lane.gate.heads.length === 1);
  client.destroy();
  await until('the door knows that the client is gone', () => lane.door.openConnections === 0);
  expect(lane.gate.outcomes).toHaveLength(0);
  waiting.resolve();
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([
    { end: 'clientGone', status: 0, decision: { kind: 'allowed' } },
  ]);
  expect(lane.upstream.received).toBe('');
  expect(lane.door.activeExchanges).toBe(0);
});
