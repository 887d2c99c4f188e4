import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { UpstreamTls } from '../../../src/gate/policy.ts';
import { lastChunkWith } from '../../../src/wire/fast/framing.ts';
import { testCertificates } from '../../support/certificates.ts';
import { startFarewellUpstream } from '../../support/farewell-upstream.ts';
import { answerOf } from '../../support/http2-client.ts';
import { frame, getRequest, headersFrame, uint32 } from '../../support/http2-frames.ts';
import { until } from '../../support/until.ts';
import { answerEach, readRequests, startRawUpstream } from '../../support/upstream.ts';
import { startHttp2 } from './http2-rig.ts';

/** What a client by HTTP/2 is told of the answers of an upstream of HTTP/1.1, however and in however many pieces they come. */

const head = 'HTTP/1.1 200 OK\r\n';

test('an answer is the same in however many pieces it comes', async () => {
  const rig = await startHttp2({ reply: () => undefined });
  const client = await rig.client();
  const framing = fc.constantFrom('length', 'chunked', 'close');
  const body = fc.array(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }), { maxLength: 5 });
  const cuts = fc.array(fc.nat(400), { maxLength: 6 });
  let serial = 0;
  const property = fc.asyncProperty(framing, body, fc.boolean(), cuts, async (kind, pieces, hints, places) => {
    serial++;
    const path = `/${serial}`;
    const data = pieces.join('');
    const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
    const text = {
      length: `${head}Content-Length: ${data.length}\r\n\r\n${data}`,
      chunked: `${head}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${chunks}0\r\nX-Sum: 1\r\n\r\n`,
      close: `${head}Connection: close\r\n\r\n${data}`,
    }[kind];
    const whole = `${hints ? 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' : ''}${text}`;
    const answer = client.get(path);
    const holder = () => rig.upstream.connections.find(({ received }) => received.includes(` ${path} HTTP`));
    await until('it is upstream', () => holder() !== undefined);
    const socket = holder()?.socket;
    const ends = [...places.filter((place) => place < whole.length).sort((a, b) => a - b), whole.length];
    let from = 0;
    for (const end of ends) {
      socket?.write(whole.slice(from, end));
      from = end;
      // Around the loop: it leaves in a piece of its own.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (kind === 'close') socket?.end();
    const { status, body: got, trailers, interim } = await answer;
    expect([status, got, interim]).toEqual([200, data, hints ? [103] : []]);
    expect({ ...trailers }).toEqual(kind === 'chunked' ? expect.objectContaining({ 'x-sum': '1' }) : {});
  });
  await fc.assert(property, { numRuns: 100 });
});

describe('an upstream that dies', () => {
  const answers = [
    `${head}Content-Length: 5\r\n\r\nhello`,
    `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
  ];
  test.for(answers)('at any byte of %j is never taken for one that has answered', async (answer) => {
    let sent = '';
    const rig = await startHttp2({
      reply: (unanswered, { socket }) => {
        if (readRequests(unanswered).requests.length > 0) socket.end(sent);
        return undefined;
      },
    });
    const client = await rig.client();
    const headEnd = answer.indexOf('\r\n\r\n') + 4;
    for (let length = 0; length < answer.length; length++) {
      sent = answer.slice(0, length);
      const told = await client.get('/').then(
        ({ status }) => status,
        () => 'reset',
      );
      expect(told, JSON.stringify(sent)).toBe(length < headEnd ? 502 : 'reset');
    }
    sent = answer;
    expect(await client.get('/')).toMatchObject({ status: 200, body: 'hello' });
    const ends = (await rig.gate.gotOutcomes(answer.length + 1)).map(({ end }) => end);
    expect(ends.filter((end) => end === 'upstreamGone')).toHaveLength(answer.length - headEnd);
  });
});

test('a second answer that nobody asked for is not the answer to the next request', async () => {
  let served = 0;
  const rig = await startHttp2({
    reply: () => {
      served++;
      const own = `${head}Content-Length: 3\r\n\r\n#0${served}`;
      return served === 1 ? `${own}${head}Content-Length: 4\r\n\r\nevil` : own;
    },
  });
  const client = await rig.client();
  expect((await client.get('/1')).body).toBe('#01');
  expect((await client.get('/2')).body).toBe('#02');
  expect(rig.upstream.connections).toHaveLength(2);
});

test.for([[2], [5_000]] as const)(
  'answers that wait for their client keep their %d bytes, whatever comes on their connection',
  async ([bytes]) => {
    let served = 0;
    const rig = await startHttp2({
      reply: () => {
        served++;
        return `${head}Content-Length: ${bytes}\r\n\r\n${String(served).repeat(bytes)}`;
      },
    });
    const client = await rig.frames();
    // SETTINGS_INITIAL_WINDOW_SIZE: 0.
    client.send(frame('SETTINGS', 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])));
    for (const stream of [1, 3, 5]) {
      client.send(headersFrame(stream, getRequest('/')));
      await client.got('HEADERS', stream);
    }
    expect(rig.upstream.connections).toHaveLength(1);
    for (const [index, stream] of [1, 3, 5].entries()) {
      client.send(frame('WINDOW_UPDATE', 0, stream, uint32(bytes)));
      expect(String((await client.got('DATA', stream)).payload)).toBe(String(index + 1).repeat(bytes));
    }
  },
);

test('an upstream’s farewell on an idle connection is not taken for the answer to a request that is just about to go', async () => {
  const upstream = await startFarewellUpstream();
  const rig = await startHttp2({ upstream: { port: upstream.port, key: 'farewell' } });
  const client = await rig.client();
  expect((await client.get('/')).status).toBe(200);
  // Once around the loop the request's frames are in the proxy's socket, which this thread then does not look at.
  const second = client.get('/');
  await new Promise((resolve) => setImmediate(resolve));
  expect(upstream.bidFarewell()).toBe(true);
  expect((await second).status).toBe(200);
});

test('a small body goes out with its head', async () => {
  const rig = await startHttp2();
  const reads: string[] = [];
  const client = await rig.client();
  await client.get('/');
  rig.upstream.connections[0]?.socket.on('data', (bytes) => reads.push(bytes.toString('latin1')));
  await client.send('/', 'hello', { 'content-length': '5' });
  expect(reads).toEqual([expect.stringMatching(/^POST .*\r\n\r\nhello$/s)]);
});

test('a body that lets wait for itself does not hold up its head', async () => {
  const rig = await startHttp2();
  const client = await rig.client();
  const stream = client.open({ ':method': 'POST', ':path': '/slow' });
  await until('the head is upstream', () => rig.upstream.received.includes('POST /slow HTTP/1.1\r\n'));
  stream.end('hello');
  expect((await answerOf(stream)).status).toBe(200);
});

test('trailers end no field, and no body', () => {
  const trailers: [string, string][] = [
    ['x-a', 'a\tb \xe9'],
    ['x-b', '1\r\n\r\nGET /evil HTTP/1.1'],
    ['x c', '1'],
    ['x-d\r\nx-e', '1'],
    ['x-f', '\u010a'],
  ];
  expect(lastChunkWith(trailers)).toBe('0\r\nx-a: a\tb \xe9\r\n\r\n');
  expect(lastChunkWith([])).toBe('0\r\n\r\n');
});

test('answers over TLS that their client takes slowly leave the connection to others', async () => {
  const { ca, server: certificate } = testCertificates();
  const bytes = Buffer.alloc(300_000, 'x');
  let connections = 0;
  const server = createTlsServer(certificate, (_request, response) => response.end(bytes));
  server.on('secureConnection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const tls: UpstreamTls = { ca, cert: undefined, key: undefined, serverName: 'localhost', insecure: false };
  const rig = await startHttp2({ upstream: { port, scheme: 'https', tls, maxConnections: 1 } });
  const client = await rig.client();
  const asked = Array.from({ length: 20 }, () => client.get('/'));
  for (const answer of await Promise.all(asked)) expect(answer.body).toHaveLength(bytes.length);
  expect(connections).toBe(1);
});

test('connections are kept for others, and none is opened that is not needed', async () => {
  const upstream = await startRawUpstream(answerEach());
  onTestFinished(() => upstream.close());
  const rig = await startHttp2({ upstream: { port: upstream.port } });
  for (let clients = 0; clients < 3; clients++) {
    const client = await rig.client();
    for (let requests = 0; requests < 3; requests++) await client.get('/');
  }
  expect(upstream.connections).toHaveLength(1);
});
