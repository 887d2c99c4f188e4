import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Refused } from '../../../src/gate/decision.ts';
import { answerOf } from '../../support/http2-client.ts';
import { flags, frame, getRequest, headersFrame, uint32 } from '../../support/http2-frames.ts';
import { rawRequest } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';
import { answerEach, startRawUpstream } from '../../support/upstream.ts';
import { allow, fakeGate, refusal } from '../fake-gate.ts';
import { openDoor } from '../lane-rig.ts';
import { startHttp2 } from './http2-rig.ts';

const refusing = (more: Partial<Refused> = {}) => ({ decide: () => refusal('tokenMissing', more) });

describe('a refusal', () => {
  test('looks as over HTTP/1.1', async () => {
    const headers = ['Content-Type', 'application/problem+json', 'WWW-Authenticate', 'Bearer', 'X-Request-Id', 'r-1'];
    const rig = await startHttp2(refusing({ headers }));
    const answer = await (await rig.client()).get('/');
    const upstream = await startRawUpstream();
    const { port } = await openDoor(fakeGate({ upstream: upstream.upstream, ...refusing({ headers }) }));
    const same = await rawRequest({ port }, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await upstream.close();
    expect(answer.status).toBe(same.status);
    expect(answer.body).toBe(same.body);
    for (const name of ['content-type', 'www-authenticate', 'x-request-id', 'content-length']) {
      expect(answer.headers[name]).toBe(same.headers[name]);
    }
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ status: 401, end: 'complete', lane: 'http2' }]);
    expect(rig.upstream.received).toBe('');
  });

  test('of a HEAD has no body', async () => {
    const rig = await startHttp2(refusing());
    const client = await rig.client();
    const answer = await answerOf(client.open({ ':method': 'HEAD', ':path': '/' }, true));
    expect(answer).toMatchObject({ status: 401, body: '', endedWithHead: true });
  });

  test('does not wait for the body, nor end the connection', async () => {
    const rig = await startHttp2(refusing({ close: true }));
    const client = await rig.client();
    const stream = client.open({ ':method': 'POST', ':path': '/' });
    stream.write('some of it');
    expect((await answerOf(stream)).status).toBe(401);
    expect((await client.get('/again')).status).toBe(401);
  });

  test('whose configured header can’t be sent is one all the same', async () => {
    const rig = await startHttp2(refusing({ headers: ['X-A', 'b\0c'] }));
    expect((await (await rig.client()).get('/')).status).toBe(401);
  });

  test.for([
    ['tokenMissing', 401, '16'],
    ['claimRefused', 403, '7'],
    ['tokenAmbiguous', 400, '13'],
    ['keysUnavailable', 503, '14'],
  ] as const)('%s of a gRPC request is a grpc-status in trailers-only form', async ([reason, status, code]) => {
    const rig = await startHttp2({
      decide: () => refusal(reason, { headers: ['Content-Type', 'application/problem+json', 'X-Request-Id', 'r-1'] }),
    });
    const client = await rig.client();
    const stream = client.open({
      ':method': 'POST',
      ':path': '/p.S/M',
      'content-type': 'application/grpc+proto',
      te: 'trailers',
    });
    stream.end('\0\0\0\0\0');
    const answer = await answerOf(stream);
    expect(answer).toMatchObject({ status: 200, body: '', endedWithHead: true });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/grpc',
      'grpc-status': code,
      'x-request-id': 'r-1',
    });
    expect(answer.headers['grpc-message']).toMatch(/^[A-Z][A-Za-z' ]+$/);
    // The log tells them apart.
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ status, end: 'complete' }]);
  });

  test.for(['application/grpc-web', 'application/grpcx', 'text/plain'])('of %s is HTTP like other', async (type) => {
    const rig = await startHttp2(refusing());
    const client = await rig.client();
    expect(await client.send('/', 'x', { 'content-type': type })).toMatchObject({ status: 401 });
  });
});

describe('what is no clear request', () => {
  test.for<[string, readonly (readonly [string, string])[], string]>([
    ['a Host beside another :authority', getRequest('/', [['host', 'other.example']]), '400'],
    [
      'CONNECT',
      [
        [':method', 'CONNECT'],
        [':authority', 'a:443'],
      ],
      '501',
    ],
    ['TRACE', getRequest('/').with(0, [':method', 'TRACE']), '501'],
    // Routes name methods in upper case, and so do upstreams that are lenient: what was judged as `delete` would run as DELETE.
    ['a method in lower case', getRequest('/').with(0, [':method', 'delete']), '400'],
    ['TRACE in lower case', getRequest('/').with(0, [':method', 'trace']), '400'],
    ['a target with a fragment', getRequest('/a#b'), '400'],
    ['the asterisk', getRequest('*').with(0, [':method', 'OPTIONS']), '400'],
    ['an expectation that nobody can meet', getRequest('/', [['expect', 'x']]), '417'],
    [
      'more fields than the limit',
      getRequest(
        '/',
        Array.from({ length: 101 }, (_, i) => [`x-${i}`, '1'] as const),
      ),
      '431',
    ],
    ['a longer head than the limit', getRequest('/', [['x-a', 'a'.repeat(16_500)]]), '431'],
    ['a longer target than its share', getRequest(`/${'a'.repeat(13_000)}`), '414'],
  ])('%s is refused, and the gate is not asked', async ([, fields, status]) => {
    const rig = await startHttp2();
    const client = await rig.frames();
    client.send(headersFrame(1, fields));
    await client.got('HEADERS', 1);
    await rig.gate.gotOutcomes(1);
    expect(String(rig.gate.outcomes[0]?.status)).toBe(status);
    expect(rig.gate.heads).toEqual([]);
    expect(rig.upstream.received).toBe('');
    client.send(headersFrame(3, getRequest('/')));
    await client.got('HEADERS', 3);
    expect(rig.gate.heads).toHaveLength(1);
  });

  test.for<[string, readonly (readonly [string, string])[]]>([
    ['a field name in upper case', getRequest('/', [['X-A', '1']])],
    ['Connection', getRequest('/', [['connection', 'x-user']])],
    ['Transfer-Encoding', getRequest('/', [['transfer-encoding', 'chunked']])],
    ['TE other than trailers', getRequest('/', [['te', 'chunked']])],
    ['a pseudo-header twice', [...getRequest('/'), [':path', '/other']]],
    ['a pseudo-header behind a field', [...getRequest('/').slice(0, 3), ['x-a', '1'], [':authority', 'a']]],
    ['no :path', getRequest('/').filter(([name]) => name !== ':path')],
    ['extended CONNECT', [[':method', 'CONNECT'], [':protocol', 'websocket'], ...getRequest('/').slice(1)]],
    ['a line break in :path', getRequest('/ HTTP/1.1\r\nX-User: evil\r\n\r\nGET /')],
  ])('%s resets its stream, and no other', async ([, fields]) => {
    const rig = await startHttp2();
    const client = await rig.frames();
    client.send(headersFrame(1, fields));
    expect((await client.got('RST_STREAM', 1)).payload.readUInt32BE()).toBe(1);
    client.send(headersFrame(3, getRequest('/')));
    await client.got('HEADERS', 3);
    expect(rig.gate.heads.map(({ target }) => target)).toEqual(['/']);
  });

  test.for([
    ['a NUL', 'a\0b'],
    ['a line break', 'a\r\nx-user: evil'],
  ])('a field value with %s goes no further', async ([, value]) => {
    const rig = await startHttp2();
    const client = await rig.frames();
    client.send(headersFrame(1, getRequest('/', [['x-a', value as string]])));
    await Promise.race([client.got('HEADERS', 1), client.got('RST_STREAM', 1)]);
    expect(rig.upstream.received).not.toMatch(/evil|x-a/);
  });

  test('more data than its length says never reaches the upstream as a second request', async () => {
    const rig = await startHttp2();
    const client = await rig.frames();
    const post = getRequest('/', [['content-length', '3']]).with(0, [':method', 'POST']);
    client.send(
      headersFrame(1, post, false),
      frame('DATA', flags.endStream, 1, Buffer.from('abcGET /admin HTTP/1.1\r\n\r\n')),
    );
    await until('it is refused', () => client.isClosed || client.frames.some(({ type }) => type === 'RST_STREAM'));
    expect(rig.upstream.received).not.toContain('admin');
  });

  test('less data than its length says is not passed on as all of it', async () => {
    const rig = await startHttp2({ reply: () => undefined });
    const client = await rig.frames();
    const post = getRequest('/', [['content-length', '5']]).with(0, [':method', 'POST']);
    client.send(headersFrame(1, post, false), frame('DATA', flags.endStream, 1, Buffer.from('abc')));
    await client.got('RST_STREAM', 1);
    await rig.gate.gotOutcomes(1);
    expect(rig.upstream.requests()).toEqual([]);
    await until('its upstream connection is gone', () => rig.upstream.openSockets === 0);
  });
});

describe('a body that breaks off', () => {
  test.for([
    ['with CANCEL', 8],
    ['with NO_ERROR', 0],
  ] as const)('%s is not passed on as whole', async ([, code]) => {
    const rig = await startHttp2({ reply: () => undefined });
    const client = await rig.frames();
    const post = getRequest('/').with(0, [':method', 'POST']);
    client.send(headersFrame(1, post, false), frame('DATA', 0, 1, Buffer.from('half')));
    await until('half of it is upstream', () => rig.upstream.received.includes('half'));
    client.send(frame('RST_STREAM', 0, 1, uint32(code)));
    await until('the upstream connection is gone', () => rig.upstream.openSockets === 0);
    expect(rig.upstream.requests()).toEqual([]);
    expect(rig.upstream.received).not.toContain('0\r\n\r\n');
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone', requestBytes: 4 }]);
  });

  test.for([8, 0])('with code %d is no body for the gate', async (code) => {
    const reads: string[] = [];
    const rig = await startHttp2({
      decide: async (head, body) => {
        reads.push((await body.read(1_000)).kind);
        return allow(rig.upstream.upstream, head);
      },
    });
    const client = await rig.frames();
    client.send(
      headersFrame(1, getRequest('/').with(0, [':method', 'POST']), false),
      frame('DATA', 0, 1, Buffer.from('half')),
    );
    await until('it is asked', () => rig.gate.heads.length === 1);
    client.send(frame('RST_STREAM', 0, 1, uint32(code)));
    await rig.gate.gotOutcomes(1);
    expect(reads).toEqual(['broken']);
    expect(rig.upstream.received).toBe('');
  });
});

describe('the upstream fails', () => {
  test('it is not there: 502', async () => {
    const rig = await startHttp2();
    await rig.upstream.close();
    expect((await (await rig.client()).get('/')).status).toBe(502);
    expect(rig.gate.refusals).toMatchObject([{ reason: 'upstreamUnreachable' }]);
  });

  test('gRPC hears UNAVAILABLE of it', async () => {
    const rig = await startHttp2({ reply: (_, { socket }) => void socket.destroy() });
    const client = await rig.client();
    const answer = await client.send('/p.S/M', 'x', { 'content-type': 'application/grpc' });
    expect(answer).toMatchObject({ status: 200, endedWithHead: true });
    expect(answer.headers['grpc-status']).toBe('14');
  });

  test('it does not answer in time: 504', async () => {
    const rig = await startHttp2({ reply: () => undefined, timeouts: { responseMs: 100 } });
    expect((await (await rig.client()).get('/')).status).toBe(504);
    await until('it is not waited for', () => rig.upstream.openSockets === 0);
  });

  test.for(['Content-Length: 100\r\n\r\nbegin', 'Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n'])(
    'it dies in mid-answer (%j): the stream is reset, not ended',
    async (rest) => {
      const rig = await startHttp2({ reply: () => `HTTP/1.1 200 OK\r\n${rest}` });
      const client = await rig.client();
      const stream = client.open({ ':path': '/' }, true);
      const answer = answerOf(stream);
      await once(stream, 'data');
      rig.upstream.connections[0]?.socket.destroy();
      await expect(answer).rejects.toThrow('NGHTTP2_INTERNAL_ERROR');
      expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'upstreamGone', status: 200 }]);
      expect(client.session.destroyed).toBe(false);
    },
  );

  test.for([
    'not HTTP',
    'HTTP/1.1 200 OK\r\nA: b\x01c\r\n\r\n',
    'HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  ])('it answers %j: 502', async (answer) => {
    const rig = await startHttp2({ reply: answerEach(answer) });
    expect((await (await rig.client()).get('/')).status).toBe(502);
  });

  test('a connection that it had closed meanwhile is tried again, once', async () => {
    let closing = false;
    const rig = await startHttp2({
      reply: (text, connection) => {
        if (closing) {
          closing = false;
          connection.socket.resetAndDestroy();
          return undefined;
        }
        return answerEach()(text, connection);
      },
    });
    const client = await rig.client();
    await client.get('/');
    closing = true;
    expect((await client.get('/again')).status).toBe(200);
    closing = true;
    expect((await client.send('/post', 'x')).status).toBe(502);
  });
});

test('a client that leaves takes its upstream request with it, before and in mid-answer', async () => {
  const rig = await startHttp2({
    reply: (text) => (text.includes('/begun') ? 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin' : undefined),
  });
  const client = await rig.client();
  for (const path of ['/waiting', '/begun']) {
    const stream = client.open({ ':path': path }, true);
    stream.on('error', () => undefined);
    await until('it is upstream', () => rig.upstream.received.includes(path));
    stream.close(8);
    await until('its connection is gone', () => rig.upstream.openSockets === 0);
  }
  expect(await rig.gate.gotOutcomes(2)).toMatchObject([{ end: 'clientGone', status: 0 }, { end: 'clientGone' }]);
  expect(rig.door.activeExchanges).toBe(0);
});

test('a client that leaves while the gate thinks is reported when the gate has decided', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const rig = await startHttp2({
    decide: async (head) => {
      await promise;
      return allow(rig.upstream.upstream, head);
    },
  });
  const client = await rig.client();
  const stream = client.open({ ':path': '/' }, true);
  stream.on('error', () => undefined);
  await until('it thinks', () => rig.gate.heads.length === 1);
  client.close();
  await until('the client is gone', () => rig.door.openConnections === 0);
  expect(rig.gate.outcomes).toEqual([]);
  resolve();
  expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone', status: 0 }]);
  expect(rig.upstream.received).toBe('');
});

test('a gate that fails refuses its request, and no other', async () => {
  const rig = await startHttp2({
    decide: (head) => {
      if (head.target === '/bad') throw new Error('secret');
      if (head.target === '/late') return Promise.reject(new Error('secret'));
      return allow(rig.upstream.upstream, head);
    },
  });
  const client = await rig.client();
  expect((await client.get('/bad')).status).toBe(500);
  expect((await client.get('/late')).status).toBe(500);
  expect((await client.get('/good')).status).toBe(200);
  expect(JSON.stringify(rig.gate.refusals)).not.toContain('secret');
});
