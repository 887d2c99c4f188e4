import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { answerOf } from '../../support/http2-client.ts';
import { frame, getRequest, headersFrame, uint32 } from '../../support/http2-frames.ts';
import {
  grpcMessage,
  type Http2Request,
  type Http2UpstreamOptions,
  startHttp2Upstream,
} from '../../support/http2-upstream.ts';
import { openRawClient } from '../../support/raw-client.ts';
import { fewTurns, until, untilStill } from '../../support/until.ts';
import { allow } from '../fake-gate.ts';
import { startHttp2 } from '../http2/http2-rig.ts';
import { startLane } from '../lane-rig.ts';

async function startBetween(onRequest: (request: Http2Request) => void, options: Http2UpstreamOptions = {}) {
  const upstream = await startHttp2Upstream(onRequest, options);
  onTestFinished(() => upstream.close());
  const rig = await startHttp2({
    upstream: upstream.upstream,
    decide(head) {
      const { headers } = allow(upstream.upstream, head);
      // As the real gate has it.
      return allow(upstream.upstream, head, { headers: [...headers, 'TE', 'trailers'] });
    },
  });
  return { upstream, rig, client: await rig.client() };
}

const grpc = { ':method': 'POST', ':path': '/pkg.Service/Method', 'content-type': 'application/grpc', te: 'trailers' };
const status = (code: string) => ({ 'grpc-status': code });

/** Answers with what it gets, message by message, and a status behind it. */
function echo({ stream }: Http2Request): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(status('0')));
  stream.pipe(stream);
}

describe.for([{ tls: false }, { tls: true }])('gRPC to an upstream of HTTP/2, $tls', (options) => {
  test('a call with its answer and trailers', async () => {
    const { upstream, client, rig } = await startBetween(echo, options);
    const call = client.open(grpc);
    call.end(grpcMessage('hello'));
    const answer = await answerOf(call);
    expect(answer).toMatchObject({ status: 200, body: grpcMessage('hello').toString('latin1') });
    expect({ ...answer.trailers }).toMatchObject(status('0'));
    const [request] = upstream.requests;
    expect(request?.headers).toMatchObject({
      ':method': 'POST',
      ':path': '/pkg.Service/Method',
      ':scheme': options.tls ? 'https' : 'http',
      ':authority': 'gate.example',
      te: 'trailers',
      'x-user': 'verified',
    });
    expect(request?.rawHeaders.filter((name) => /^(?:host|connection|transfer-encoding)$/i.test(name))).toEqual([]);
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ status: 200, end: 'complete', requestBytes: 10 }]);
  });

  test('an answer of trailers alone stays one', async () => {
    const { client } = await startBetween(({ stream }) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true });
    }, options);
    const call = client.open(grpc);
    call.end(grpcMessage('x'));
    const answer = await answerOf(call);
    expect(answer).toMatchObject({ status: 200, endedWithHead: true, body: '' });
    expect(answer.headers['grpc-status']).toBe('5');
  });

  test('messages both ways at once', async () => {
    const { client } = await startBetween(echo, options);
    const call = client.open(grpc);
    await once(call, 'response');
    for (const text of ['one', 'two', 'three']) {
      call.write(grpcMessage(text));
      const [chunk] = (await once(call, 'data')) as [Buffer];
      expect(chunk.subarray(5).toString()).toBe(text);
    }
    call.end();
    call.resume();
    const [trailers] = await once(call, 'trailers');
    expect(trailers).toMatchObject(status('0'));
    await once(call, 'close');
    expect(call.rstCode).toBe(0);
  });
});

describe('an upstream of HTTP/2', () => {
  test('gets a large body at its own speed, and is waited for', async () => {
    const { client, upstream } = await startBetween(({ stream }) => {
      stream.respond({ ':status': 200 });
      stream.pause();
    });
    const call = client.open(grpc);
    call.on('error', () => undefined);
    let sent = 0;
    const chunk = Buffer.alloc(64 * 1024);
    const push = () => {
      while (sent < 64 * 1024 * 1024) {
        sent += chunk.length;
        if (!call.write(chunk)) return;
      }
    };
    call.on('drain', push);
    push();
    await untilStill(() => sent);
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    let received = 0;
    upstream.requests[0]?.stream.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    upstream.requests[0]?.stream.resume();
    await until('all of it is there', () => received === 64 * 1024 * 1024);
  });

  test('is told when the client gives up', async () => {
    const { client, upstream, rig } = await startBetween(({ stream, headers }) => {
      if (headers[':path'] === '/begun') stream.respond({ ':status': 200 });
      if (headers[':path'] === '/begun') stream.write('begin');
    });
    for (const [index, path] of ['/waiting', '/begun'].entries()) {
      const call = client.open({ ...grpc, ':path': path });
      call.on('error', () => undefined);
      if (path === '/begun') await once(call, 'response');
      await until('it is upstream', () => upstream.requests.length === index + 1);
      call.close(8);
      const { stream } = upstream.requests[index] as Http2Request;
      await until('the upstream knows', () => stream.closed);
      expect(stream.rstCode).toBe(8);
    }
    expect(await rig.gate.gotOutcomes(2)).toMatchObject([{ end: 'clientGone' }, { end: 'clientGone' }]);
    expect(upstream.sessions.size).toBe(1);
  });

  test('never sees a request that was broken off as whole', async () => {
    const ended: boolean[] = [];
    const { rig, upstream } = await startBetween(({ stream }) => {
      stream.resume().on('end', () => ended.push(!stream.aborted));
    });
    const client = await rig.frames();
    client.send(
      headersFrame(1, getRequest('/').with(0, [':method', 'POST']), false),
      frame('DATA', 0, 1, Buffer.from('half')),
    );
    await until('it is upstream', () => upstream.requests.length === 1);
    await fewTurns();
    client.send(frame('RST_STREAM', 0, 1, uint32(0)));
    await until('the upstream knows', () => upstream.requests[0]?.stream.closed === true);
    expect(ended).not.toContain(true);
  });

  test.for([8, 2, 11])('that resets with code %d in mid-answer resets the client with the same', async (code) => {
    const { client, rig, upstream } = await startBetween(({ stream }) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.write('begin');
    });
    const call = client.open({ ':path': '/' }, true);
    call.on('error', () => undefined);
    await once(call, 'data');
    upstream.requests[0]?.stream.close(code);
    await until('it is reset', () => call.closed);
    expect(call.rstCode).toBe(code);
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ status: 200, end: 'upstreamGone' }]);
  });

  test.for(['', 'some of it'])(
    'that answers, whole, while a body (%j) is still coming ends no process: Node aborts over streams it destroyed',
    async (beginning) => {
      const { client, rig } = await startBetween(({ stream }) => {
        stream.resume().respond({ ':status': 200 });
        stream.end('enough');
      });
      for (let i = 0; i < 10; i++) {
        const calls = Array.from({ length: 10 }, () => client.open({ ':method': 'POST', ':path': '/' }));
        for (const call of calls) {
          call.on('error', () => undefined);
          if (beginning !== '') call.write(beginning);
        }
        const answers = await Promise.all(calls.map(answerOf));
        expect(answers.every(({ body }) => body === 'enough')).toBe(true);
      }
      const outcomes = await rig.gate.gotOutcomes(100);
      expect(outcomes.every(({ end }) => end === 'complete')).toBe(true);
    },
  );

  test('that resets before it answers is unavailable', async () => {
    const { client, rig } = await startBetween(({ stream }) => stream.close(2));
    const call = client.open(grpc);
    call.end(grpcMessage('x'));
    expect((await answerOf(call)).headers['grpc-status']).toBe('14');
    expect((await client.get('/')).status).toBe(502);
    expect(rig.gate.refusals[0]?.detail).toMatch(/code 2/);
  });

  test('that refuses a stream gets it once more, as it has done nothing with it', async () => {
    let refused = 0;
    const { client } = await startBetween(({ stream }) => {
      if (refused++ === 0) stream.close(7);
      else stream.respond({ ':status': 204 }, { endStream: true });
    });
    expect((await client.get('/')).status).toBe(204);
    expect(refused).toBe(2);
  });

  test('that goes away in order (GOAWAY) is connected anew, and what is under way ends well', async () => {
    const { client, upstream } = await startBetween(({ stream, headers }) => {
      if (headers[':path'] !== '/held') stream.respond({ ':status': 204 }, { endStream: true });
    });
    const held = client.open({ ':path': '/held' }, true);
    await until('it is upstream', () => upstream.requests.length === 1);
    const [first] = upstream.sessions;
    first?.close();
    await until('another connection is there', async () => {
      expect((await client.get('/next')).status).toBe(204);
      return upstream.sessions.size === 2;
    });
    upstream.requests[0]?.stream.respond({ ':status': 200 }, { endStream: true });
    expect((await answerOf(held)).status).toBe(200);
    await until('the first is gone', () => upstream.sessions.size === 1);
  });

  test('that takes few streams at a time gets more connections, not more streams', async () => {
    const { client, upstream } = await startBetween(() => undefined, { maxStreams: 5 });
    expect(upstream.sessions.size).toBe(0);
    const first = client.open({ ':path': '/' }, true);
    first.on('error', () => undefined);
    await until('one is there', () => upstream.requests.length === 1);
    // With it come its settings.
    await fewTurns();
    for (let i = 0; i < 19; i++) client.open({ ':path': '/' }, true).on('error', () => undefined);
    await until('all are upstream', () => upstream.requests.length >= 20);
    expect(upstream.sessions.size).toBe(4);
  });

  test('that is not there: 502, and at once', async () => {
    const { client, upstream, rig } = await startBetween(() => undefined);
    await upstream.close();
    expect((await client.get('/')).status).toBe(502);
    expect(rig.gate.refusals[0]?.detail).toMatch(/ECONNREFUSED/);
    await startHttp2Upstream(() => undefined).then((again) => Object.assign(upstream, { close: again.close }));
  });

  test('that speaks TLS but not HTTP/2: 502, and why is said', async () => {
    const { createServer } = await import('node:tls');
    const { testCertificates } = await import('../../support/certificates.ts');
    const server = createServer(testCertificates().server).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const template = await startHttp2Upstream(() => undefined, { tls: true });
    onTestFinished(() => template.close());
    const rig = await startHttp2({ upstream: { ...template.upstream, port, key: 'another' } });
    expect((await (await rig.client()).get('/')).status).toBe(502);
    expect(rig.gate.refusals[0]?.detail).toContain('does not speak HTTP/2');
  });

  test('that speaks HTTP/1.1: 502', async () => {
    const rig = await startHttp2({
      upstream: { http2: true },
      reply: () => 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n',
    });
    expect((await (await rig.client()).get('/')).status).toBe(502);
  });

  test('that is certified for another name is not spoken to', async () => {
    const upstream = await startHttp2Upstream(() => undefined, { tls: true });
    onTestFinished(() => upstream.close());
    const tls = { ...(upstream.upstream.tls as object), serverName: 'other.example' } as never;
    const rig = await startHttp2({ upstream: { ...upstream.upstream, tls } });
    expect((await (await rig.client()).get('/')).status).toBe(502);
    expect(upstream.requests).toEqual([]);
  });

  test('is let go by a reload that names it no more', async () => {
    const { client, upstream, rig } = await startBetween(({ stream }) =>
      stream.respond({ ':status': 204 }, { endStream: true }),
    );
    await client.get('/');
    expect(upstream.sessions.size).toBe(1);
    rig.door.retainUpstreams(new Set());
    await until('its connection is gone', () => upstream.sessions.size === 0);
    expect((await client.get('/')).status).toBe(204);
  });
});

describe('clients of HTTP/1.1 before an upstream of HTTP/2', () => {
  async function startBridged(onRequest: (request: Http2Request) => void) {
    const upstream = await startHttp2Upstream(onRequest);
    onTestFinished(() => upstream.close());
    const lane = await startLane({ upstream: upstream.upstream });
    return { upstream, lane };
  }
  const answer = ({ stream, headers }: Http2Request) => {
    let body = '';
    stream.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk;
    });
    stream.on('end', () => {
      if (stream.aborted) return;
      stream.respond({
        ':status': 200,
        'x-path': headers[':path'] as string,
        'set-cookie': ['a=1', 'b=2'],
        'x-latin': 'caf\xe9',
      });
      stream.end(`${headers[':method']} ${body}`);
    });
  };
  test.for([
    ['GET', 'GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n', 'GET '],
    ['a body of a length', 'POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', 'POST hello'],
    [
      'a body in chunks',
      'POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      'POST hello',
    ],
    ['an odd method', 'PROPFIND /a?b HTTP/1.1\r\nHost: a\r\n\r\n', 'PROPFIND '],
  ] as const)('%s', async ([, request, body]) => {
    const { lane, upstream } = await startBridged(answer);
    const client = await lane.client();
    for (let i = 0; i < 3; i++) {
      client.send(request);
      const { headers, rawHeaders, ...rest } = await client.response();
      expect(rest).toMatchObject({ status: 200, body });
      expect(headers).toMatchObject({ 'x-path': '/a?b', 'x-latin': 'caf\xe9' });
      expect(rawHeaders.filter((name) => name.toLowerCase() === 'set-cookie')).toHaveLength(2);
    }
    expect(upstream.sessions.size).toBe(1);
    expect(upstream.requests[0]?.headers).toMatchObject({ ':authority': 'a', 'x-user': 'verified' });
    expect(await lane.gate.gotOutcomes(3)).toMatchObject([
      { end: 'complete' },
      { end: 'complete' },
      { end: 'complete' },
    ]);
  });

  test('many bodies at once are not mixed up', async () => {
    const { lane } = await startBridged(answer);
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const client = await lane.client();
        for (let i = 0; i < 5; i++) {
          const body = `${index}.${i}`.repeat(2_000);
          client.send(`POST /${index} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
          client.send(body);
          expect(await client.response()).toMatchObject({ body: `POST ${body}`, headers: { 'x-path': `/${index}` } });
        }
      }),
    );
  });

  test.for([
    ['HEAD', { ':status': 200, 'content-length': '5' }, 200],
    ['GET', { ':status': 204 }, 204],
    ['GET', { ':status': 304, etag: '"a"' }, 304],
    ['GET', { ':status': 200 }, 200],
  ] as const)('%s without a body in the answer: %j', async ([method, fields, code]) => {
    const { lane } = await startBridged(({ stream }) => stream.respond(fields, { endStream: true }));
    const client = await lane.client();
    for (let i = 0; i < 2; i++) {
      client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect(await client.response({ head: method === 'HEAD' })).toMatchObject({ status: code, body: '' });
    }
  });

  test('trailers and interim answers come through', async () => {
    const { lane } = await startBridged(({ stream }) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
      stream.end('hello');
    });
    const client = await lane.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.response()).toMatchObject({ status: 103, headers: { link: '</a>' } });
    expect(await client.response()).toMatchObject({
      status: 200,
      body: 'hello',
      trailers: expect.stringContaining('x-sum: 1'),
    });
  });

  test('an answer that breaks off is cut, not ended', async () => {
    const { lane, upstream } = await startBridged(({ stream }) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.write('begin');
    });
    const client = await lane.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('it has begun', () => client.received.includes('begin'));
    upstream.requests[0]?.stream.close(2);
    await client.closed();
    expect(client.received).not.toMatch(/\r\n0\r\n/);
    expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ end: 'upstreamGone' }]);
  });

  test('a body that breaks off is never seen as whole', async () => {
    const whole: boolean[] = [];
    const { lane, upstream } = await startBridged(({ stream }) => {
      stream.resume().on('end', () => whole.push(!stream.aborted));
    });
    const client = await lane.client();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n');
    await until('it is upstream', () => upstream.requests.length === 1);
    await fewTurns();
    client.destroy();
    await until('the upstream knows', () => upstream.requests[0]?.stream.closed === true);
    expect(whole).not.toContain(true);
    expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone' }]);
  });

  test('nobody there: 502', async () => {
    const { lane, upstream } = await startBridged(answer);
    await upstream.close();
    expect((await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(502);
    expect(lane.gate.refusals[0]?.detail).toMatch(/ECONNREFUSED/);
    await startHttp2Upstream(() => undefined).then((again) => Object.assign(upstream, { close: again.close }));
  });

  test('a WebSocket is an ordinary request there, since nobody could switch', async () => {
    const { lane } = await startBridged(answer);
    const client = await openRawClient({ port: lane.port });
    client.send(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
    );
    expect((await client.response()).status).toBe(200);
    client.destroy();
  });

  test('a large answer waits for a slow client', async () => {
    let sent = 0;
    const { lane } = await startBridged(({ stream }) => {
      stream.respond({ ':status': 200, 'content-length': String(64 * 1024 * 1024) });
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const push = () => {
        while (sent < 64 * 1024 * 1024) {
          sent += chunk.length;
          if (!stream.write(chunk)) return;
        }
        stream.end();
      };
      stream.on('drain', push);
      push();
    });
    const client = await lane.client();
    client.socket.pause();
    client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await untilStill(() => sent);
    expect(sent).toBeLessThan(24 * 1024 * 1024);
  });
});
