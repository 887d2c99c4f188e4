import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { answerOf } from '../../support/http2-client.ts';
import { until, untilStill } from '../../support/until.ts';
import { answerEach, readRequests } from '../../support/upstream.ts';
import { allow } from '../fake-gate.ts';
import { startHttp2 } from './http2-rig.ts';

describe('a request', () => {
  test('goes upstream as one of HTTP/1.1, of nothing but what the gate allowed', async () => {
    const rig = await startHttp2();
    const client = await rig.client();
    const headers = { cookie: ['a=1', 'b=2'], 'x-a': ['1', '2'], 'x-user': 'evil', te: 'trailers' };
    expect(await client.get('/a?b', headers)).toMatchObject({ status: 200, body: 'ok' });
    const [request] = rig.upstream.requests();
    expect(request?.line).toBe('GET /a?b HTTP/1.1');
    expect(request?.headers).toMatchObject({ host: 'gate.example', cookie: 'a=1; b=2', 'x-a': '1, 2' });
    expect(request?.headers['x-user']).toBe('verified');
    expect(rig.upstream.received).not.toContain('evil');
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([
      { lane: 'http2', status: 200, responseBytes: 2, end: 'complete', head: { httpVersion: '2', scheme: 'https' } },
    ]);
  });

  test.for([
    ['of a known length', { 'content-length': '11' }, 'content-length', '11'],
    ['of any length', {}, 'transfer-encoding', 'chunked'],
  ] as const)('with a body %s', async ([, headers, name, value]) => {
    const rig = await startHttp2();
    const client = await rig.client();
    expect((await client.send('/', 'hello world', headers)).status).toBe(200);
    const [request] = rig.upstream.requests();
    expect(request).toMatchObject({ method: 'POST', body: 'hello world' });
    expect(request?.headers[name]).toBe(value);
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ requestBytes: 11 }]);
  });

  test.for(['GET', 'DELETE', 'OPTIONS', 'PROPFIND'])('%s with a body is framed, too', async (method) => {
    const rig = await startHttp2();
    const client = await rig.client();
    expect((await client.send('/', 'hello', { ':method': method })).status).toBe(200);
    expect(rig.upstream.requests()).toMatchObject([{ method, body: 'hello' }]);
  });

  test('its trailers follow, but for those that frame or pose as identity', async () => {
    const rig = await startHttp2();
    const client = await rig.client();
    const stream = client.open({ ':method': 'POST', ':path': '/', trailer: 'x-sum' });
    stream.end('hello');
    await answerOf(stream);
    const second = client.session.request(
      { ':authority': 'gate.example', ':method': 'POST', ':path': '/two', trailer: 'x-sum, x-user' },
      { waitForTrailers: true },
    );
    second.on('wantTrailers', () => second.sendTrailers({ 'x-sum': '1', 'x-user': 'evil', authorization: 'evil' }));
    second.end('hello');
    await answerOf(second);
    const [, request] = rig.upstream.requests();
    expect(request?.trailers).toBe('x-sum: 1\r\n');
    expect(request?.headers.trailer).toBe('x-sum');
    expect(rig.upstream.received).not.toContain('evil');
  });

  test('that expects a 100 gets it from here, and goes on without it', async () => {
    const rig = await startHttp2();
    const client = await rig.client();
    const stream = client.open({ ':method': 'POST', ':path': '/', expect: '100-continue' });
    const told = once(stream, 'headers');
    expect((await told)[0]).toMatchObject({ ':status': 100 });
    stream.end('hello');
    expect((await answerOf(stream)).status).toBe(200);
    expect(rig.upstream.requests()).toMatchObject([{ body: 'hello' }]);
    expect(rig.upstream.received).not.toMatch(/expect/i);
  });

  test('whose body the gate reads goes on with what the gate gives in its place', async () => {
    const rig = await startHttp2({
      decide: async (head, body) => {
        const read = await body.read(1_000);
        const bytes = read.kind === 'read' ? read.bytes : Buffer.from(read.kind);
        return allow(rig.upstream.upstream, head, { body: Buffer.concat([bytes, Buffer.from('!')]) });
      },
    });
    const client = await rig.client();
    await client.send('/', 'hello');
    expect(rig.upstream.requests()).toMatchObject([{ body: 'hello!', headers: { 'content-length': '6' } }]);
  });

  test('a large body is passed on at the speed of the upstream', async () => {
    const rig = await startHttp2({ reply: () => undefined });
    const client = await rig.client();
    const stream = client.open({ ':method': 'POST', ':path': '/' });
    stream.on('error', () => undefined);
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let sent = 0;
    const push = () => {
      while (sent < 64 * 1024 * 1024) {
        sent += chunk.length;
        if (!stream.write(chunk)) return;
      }
    };
    stream.on('drain', push);
    await until('it is connected', () => rig.upstream.connections.length === 1);
    rig.upstream.connections[0]?.socket.pause();
    push();
    await untilStill(() => sent);
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });
});

describe('an answer', () => {
  const reply = (head: string, body = '') => answerEach(`HTTP/1.1 ${head}\r\n\r\n${body}`);

  test('keeps its fields, in order, without what belonged to the connection', async () => {
    const fields = [
      'X-A: 1',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'Connection: X-Hop, keep-alive',
      'X-Hop: 1',
      'Keep-Alive: timeout=5',
      'Upgrade: h2c',
      'Proxy-Authenticate: Basic',
      'X-Latin: caf\xe9',
      'Date: then',
      'Content-Length: 2',
    ];
    const rig = await startHttp2({ reply: reply(`200 Fine\r\n${fields.join('\r\n')}`, 'ok') });
    const { rawHeaders } = await (await rig.client()).get('/');
    expect(rawHeaders).toEqual(
      ['x-a', '1', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-latin', 'caf\xe9', 'date', 'then'].concat([
        'content-length',
        '2',
        'via',
        '1.1 jwtgate',
      ]),
    );
  });

  test('in chunks, with trailers', async () => {
    const chunks = '2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\nAuthorization: evil\r\n\r\n';
    const rig = await startHttp2({ reply: reply('200 OK\r\nTransfer-Encoding: chunked', chunks) });
    const answer = await (await rig.client()).get('/');
    expect(answer).toMatchObject({ status: 200, body: 'hello' });
    expect({ ...answer.trailers }).toMatchObject({ 'x-sum': '1' });
    expect(answer.trailers).not.toHaveProperty('authorization');
    expect(answer.headers).not.toHaveProperty('transfer-encoding');
  });

  test('that ends with its connection', async () => {
    const rig = await startHttp2({
      reply: (unanswered, { socket }) => {
        if (readRequests(unanswered).requests.length > 0) socket.end('HTTP/1.1 200 OK\r\n\r\nbye');
        return undefined;
      },
    });
    expect(await (await rig.client()).get('/')).toMatchObject({ status: 200, body: 'bye' });
  });

  test.for([
    ['HEAD', '200 OK\r\nContent-Length: 5'],
    ['GET', '204 No Content'],
    ['GET', '304 Not Modified\r\nETag: "a"\r\nContent-Length: 9'],
  ])('without a body ends with its head: %s, %s', async ([method, head]) => {
    const rig = await startHttp2({ reply: reply(head as string) });
    const client = await rig.client();
    const answer = await answerOf(client.open({ ':method': method as string, ':path': '/' }, true));
    expect(answer).toMatchObject({ status: Number((head as string).slice(0, 3)), body: '', endedWithHead: true });
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'complete', responseBytes: 0 }]);
  });

  test('comes after its interim ones, without the upstream’s 100', async () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n';
    const rig = await startHttp2({ reply: answerEach(`${interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`) });
    expect(await (await rig.client()).get('/')).toMatchObject({ status: 200, interim: [103] });
  });

  test('waits for the client: no more is fetched than is taken', async () => {
    let pushed = 0;
    const rig = await startHttp2({
      reply: (_, { socket }) => {
        const chunk = Buffer.alloc(64 * 1024, 'x');
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
        const push = () => {
          while (pushed < 64 * 1024 * 1024) {
            pushed += chunk.length;
            if (!socket.write(chunk)) return;
          }
        };
        socket.on('drain', push);
        push();
        return undefined;
      },
    });
    const client = await rig.client();
    const stream = client.open({ ':path': '/' }, true);
    await once(stream, 'response');
    await untilStill(() => pushed);
    expect(pushed).toBeLessThan(16 * 1024 * 1024);
    let received = 0;
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await once(stream, 'close');
    expect(received).toBe(64 * 1024 * 1024);
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'complete', responseBytes: received }]);
  });

  test('that begins before the request is whole is passed on, and the rest is not waited for', async () => {
    const rig = await startHttp2({
      reply: (unanswered) =>
        unanswered.includes('\r\n\r\n') ? 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly' : undefined,
    });
    const client = await rig.client();
    const stream = client.open({ ':method': 'POST', ':path': '/' });
    stream.write('some of it');
    expect(await answerOf(stream)).toMatchObject({ status: 200, body: 'early' });
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'complete' }]);
    await until('the upstream connection is gone', () => rig.upstream.openSockets === 0);
  });

  test('of one stream does not wait for that of another', async () => {
    const rig = await startHttp2({
      reply: (text) => (text.includes('/held') ? undefined : answerEach()(text, {} as never)),
    });
    const client = await rig.client();
    const held = client.open({ ':path': '/held' }, true);
    held.on('error', () => undefined);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => client.get(`/${index}`)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    held.close();
  });
});
