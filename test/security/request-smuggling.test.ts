import { expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { allow, refusal } from '../wire/fake-gate.ts';
import { startLane } from '../wire/lane-rig.ts';

// Request smuggling: one request for us, two for the upstream, the second of which nobody judged. The upstream here
// takes and records any bytes at all. In every case: either the request is refused and nothing of it arrives, or what
// arrives is exactly one request, framed beyond doubt, with the hidden one inside its body.

const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\nX-User: admin\r\n\r\n';

/** What must never be forwarded: refused with this status and the connection closed, whatever follows on it. */
const refusedHeads: readonly (readonly [attack: string, text: string, status?: number])[] = [
  [
    'CL.TE',
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${5 + hidden.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  ],
  [
    'TE.CL',
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
  ],
  ['TE.CL.0', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n'],
  ...[
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
    'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nTransfer-encoding: chunked',
    'Transfer-Encoding:\tchunked, identity',
    'Transfer-Encoding: identity, chunked',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: Chunked',
    'Transfer-Encoding: CHUNKED',
    'Transfer-Encoding: "chunked"',
    'Transfer-Encoding: chunked;a=b',
    'Transfer-Encoding: chunked,',
    'Transfer-Encoding: ,chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding:\x0bchunked',
    'Transfer-Encoding: \x00chunked',
    'Transfer-Encoding: chunked\x00',
    'Transfer-Encoding: chunked\x0c',
    'Transfer-Encoding: chun\x80ked',
    'Transfer-Encoding:\r\n chunked',
    'Transfer-Encoding\r\n: chunked',
    'X: y\r\n Transfer-Encoding: chunked',
    'X: y\rTransfer-Encoding: chunked',
    'X: y\nTransfer-Encoding: chunked\nX: z',
    ' Transfer-Encoding: chunked',
    '\tTransfer-Encoding: chunked',
    'Transfer\x00-Encoding: chunked',
    'Transfer-Encoding\x00: chunked',
    'Transfer-Encoding\xa0: chunked',
    'Transfer-Encoding: ',
  ].map((line) => [`TE.TE ${JSON.stringify(line)}`, `POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n0\r\n\r\n`] as const),
  ...[
    'Content-Length: 5\r\nContent-Length: 5',
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 0\r\nContent-Length: 5',
    'Content-Length: 5, 5',
    'Content-Length: 5,6',
    'Content-Length: +5',
    'Content-Length: -5',
    'Content-Length: 05',
    'Content-Length: 0x5',
    'Content-Length: 5 5',
    'Content-Length: 5a',
    'Content-Length: 5\x00',
    'Content-Length: 5.0',
    'Content-Length: 1e1',
    'Content-Length: ',
    'Content-Length: 18446744073709551621',
    'Content-Length: 9999999999999999',
    'Content-Length : 5',
    'Content-Length\t: 5',
    ' Content-Length: 5',
    'Content-Length:\r\n 5',
    'X: y\rContent-Length: 5',
    'X: y\r\n\x20Content-Length: 5',
    'Content\x00-Length: 5',
  ].map((line) => [`length ${JSON.stringify(line)}`, `POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n01234`] as const),
  ['chunked in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['HTTP/0.9', 'GET /\r\n'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n'],
  ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/2.0 in text', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
  ['lower-case version', 'GET / http/1.1\r\nHost: a\r\n\r\n'],
  ['bare LF line ends', 'GET / HTTP/1.1\nHost: a\n\n'],
  ['a bare LF in the head', 'GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'],
  ["a bare LF at the head's end", 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
  ['bare CR line ends', 'GET / HTTP/1.1\rHost: a\r\r'],
  ['a bare CR in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n'],
  ['obs-fold with a space', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n'],
  ['obs-fold with a tab', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n'],
  ['a tab before the colon', 'GET / HTTP/1.1\r\nHost: a\r\nX\t: y\r\n\r\n'],
  ['a folded first header', 'GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n'],
  ['a line without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n'],
  ['an empty header name', 'GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n'],
  ['NUL in a name', 'GET / HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n'],
  ['NUL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\0\r\n\r\n'],
  ['NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a control byte in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\x01\r\n\r\n'],
  ['DEL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\x7f\r\n\r\n'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['two equal Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n'],
  ['a list of Hosts', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n'],
  ['userinfo in Host', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n'],
  ['a path in Host', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  ['absolute-form', 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['absolute-form without a host', 'GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['authority-form', 'GET b:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['asterisk-form', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['CONNECT', 'CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\n', 501],
  ['CONNECT with a path', 'CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['TRACE, which would echo identity headers', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['a made-up method', 'GETX / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a lower-case method', 'get / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a method with a NUL', 'GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a tab for a space', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['bytes above 0x7f in the target', 'GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a head in the target', 'GET /%20HTTP/1.1\rX:y HTTP/1.1\r\nHost: a\r\n\r\n'],
  [
    'an expectation nobody can meet',
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: everything\r\nContent-Length: 5\r\n\r\n01234',
    417,
  ],
  [
    'a WebSocket handshake with a body',
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  ],
];

test.for(refusedHeads)('%s: refused, closed, and not a byte of it upstream', async ([, text, status = 400]) => {
  const lane = await startLane();
  const client = await lane.client();
  client.send(text);
  client.send(hidden);
  const answer = await client.response();
  expect(answer.status).toBe(status);
  expect(answer.headers.connection).toBe('close');
  await client.closed();
  expect(client.rest).toBe('');
  expect(lane.gate.heads).toEqual([]);
  expect(lane.upstream.connections).toHaveLength(0);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([
    { status, head: undefined, decision: { reason: 'requestRefused' } },
  ]);
  expect(lane.door.activeExchanges).toBe(0);
});

/** Chunked bodies that a lenient reader takes for something else: begun, then refused or cut. */
const brokenChunks: readonly (readonly [attack: string, chunks: string])[] = [
  ['a size with 0x', `0x5\r\n01234\r\n0\r\n\r\n`],
  ['a negative size', `-5\r\n01234\r\n0\r\n\r\n`],
  ['a size with a plus', `+5\r\n01234\r\n0\r\n\r\n`],
  ['a size with a space in front', ` 5\r\n01234\r\n0\r\n\r\n`],
  ['a size with a space behind', `5 \r\n01234\r\n0\r\n\r\n`],
  ['a size with a tab behind', `5\t\r\n01234\r\n0\r\n\r\n`],
  ['an empty size', `\r\n01234\r\n0\r\n\r\n`],
  ['a size that overflows', `ffffffffffffffff5\r\n01234\r\n0\r\n\r\n`],
  ['a size of 2^64', `10000000000000000\r\n01234\r\n0\r\n\r\n`],
  ['a size line ended by a bare LF', `5\n01234\r\n0\r\n\r\n`],
  ['a size line ended by a bare CR', `5\r01234\r\n0\r\n\r\n`],
  ['a chunk ended by a bare LF', `5\r\n01234\n0\r\n\r\n`],
  ['a chunk without its line end', `5\r\n012340\r\n\r\n`],
  ['a chunk longer than its size', `5\r\n0123456\r\n0\r\n\r\n`],
  ['a bare LF in an extension', `5;a\n01234\r\n0\r\n\r\n`],
  ['a bare CR in an extension', `5;a\rb\r\n01234\r\n0\r\n\r\n`],
  ['NUL in an extension', `5;\0\r\n01234\r\n0\r\n\r\n`],
  ['a NUL size', `\0\r\n\r\n`],
  ['a bare LF after the last chunk', `5\r\n01234\r\n0\n\n`],
  ["a bare LF at the trailer section's end", `5\r\n01234\r\n0\r\n\n`],
  ['a folded trailer', `5\r\n01234\r\n0\r\nX: y\r\n z\r\n\r\n`],
  ['a trailer without a colon', `5\r\n01234\r\n0\r\nX\r\n\r\n`],
  ['a trailer with a space before its colon', `5\r\n01234\r\n0\r\nX : y\r\n\r\n`],
  ['an oversize extension', `5;${'a'.repeat(100_000)}\r\n01234\r\n0\r\n\r\n`],
  ['an oversize trailer section', `5\r\n01234\r\n0\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`],
];

test.for(brokenChunks)(
  '%s: the upstream request never ends, and nothing behind it is a request',
  async ([, chunks]) => {
    const lane = await startLane({ reply: () => undefined });
    const client = await lane.client();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}${hidden}`);
    await client.closed();
    expect(client.received).toMatch(/^HTTP\/1\.1 4(?:00|13|31) /);
    expect(client.received.split('HTTP/1.1 ')).toHaveLength(2);
    await until('the upstream connection is gone', () => lane.upstream.openSockets === 0);
    expect(lane.upstream.requests()).toEqual([]);
    expect(lane.upstream.received).not.toContain('hidden');
    expect(lane.gate.heads).toHaveLength(1);
    expect(await lane.gate.gotOutcomes(1)).toHaveLength(1);
    expect(lane.door.activeExchanges).toBe(0);
  },
);

test.for([
  ['in a body with a length', `Content-Length: ${hidden.length}\r\n\r\n${hidden}`],
  ['in a chunk', `Transfer-Encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`],
  [
    'in a chunk of an odd but legal spelling',
    `Transfer-Encoding: chunked\r\n\r\n000${hidden.length.toString(16).toUpperCase()};a="b c"\r\n${hidden}\r\n000\r\n\r\n`,
  ],
  [
    'in small chunks',
    `Transfer-Encoding: chunked\r\n\r\n${[...hidden].map((byte) => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`,
  ],
] as const)('a hidden request %s stays a body, for every method', async ([, rest]) => {
  const lane = await startLane();
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    await lane.request(`${method} /${method} HTTP/1.1\r\nHost: a\r\n${rest}`);
    const arrived = lane.upstream.requests().filter(({ target }) => target === `/${method}`);
    expect(arrived).toMatchObject([{ method, body: hidden }]);
  }
  expect(lane.upstream.requests()).toHaveLength(8);
  expect(lane.gate.heads).toHaveLength(8);
});

test('HEAD and GET with a body do not get out of step with the upstream', async () => {
  const lane = await startLane();
  const client = await lane.client();
  for (let i = 0; i < 3; i += 1) {
    client.send(`GET /${i} HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`);
    expect((await client.response()).body).toBe('ok');
  }
  expect(lane.upstream.requests().map(({ target }) => target)).toEqual(['/0', '/1', '/2']);
});

test('a pipelined request behind one that the gate refused is judged by itself', async () => {
  const lane = await startLane({
    decide: (head) => (head.target === '/good' ? allow(lane.upstream.upstream, head) : refusal('tokenMissing')),
  });
  const client = await lane.client();
  client.send(
    'GET /bad HTTP/1.1\r\nHost: a\r\n\r\nGET /good HTTP/1.1\r\nHost: a\r\n\r\nGET /bad HTTP/1.1\r\nHost: a\r\n\r\n',
  );
  expect((await client.response()).status).toBe(401);
  expect((await client.response()).status).toBe(200);
  expect((await client.response()).status).toBe(401);
  expect(lane.upstream.requests()).toMatchObject([{ target: '/good' }]);
});

test('a request behind one whose connection the gate gives up is not a request', async () => {
  const lane = await startLane({ decide: () => refusal('requestRefused', { close: true }) });
  const client = await lane.client();
  client.send(`GET /bad HTTP/1.1\r\nHost: a\r\n\r\n${hidden}`);
  expect((await client.response()).headers.connection).toBe('close');
  await client.closed();
  expect(lane.gate.heads).toHaveLength(1);
});

test('a request pipelined behind one that is still being decided waits, and a broken one behind it gives the connection up', async () => {
  const waiting = Promise.withResolvers<void>();
  const lane = await startLane({
    decide: async (head) => {
      await waiting.promise;
      return allow(lane.upstream.upstream, head);
    },
  });
  const client = await lane.client();
  client.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n');
  await until('the gate was asked', () => lane.gate.heads.length === 1);
  waiting.resolve();
  expect(await client.response()).toMatchObject({ status: 200 });
  await client.closed();
  expect(lane.upstream.requests()).toMatchObject([{ target: '/first' }]);
  expect(lane.gate.heads).toHaveLength(1);
});

test('trailers never become headers, nor pass under an identity name in any spelling', async () => {
  const lane = await startLane();
  const names = [
    'X-User',
    'x-user',
    'X_User',
    'x.user',
    'Host',
    'Authorization',
    'Cookie',
    'Content-Type',
    'Connection',
  ];
  const trailers = names.map((name) => `${name}: evil\r\n`).join('');
  await lane.request(
    `POST / HTTP/1.1\r\nHost: a\r\nTrailer: ${names.join(', ')}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailers}X-Ok: 1\r\n\r\n`,
  );
  expect(lane.upstream.requests()).toMatchObject([{ trailers: 'X-Ok: 1\r\n', headers: { 'x-user': 'verified' } }]);
  expect(lane.upstream.received).not.toContain('evil');
});

test.for([
  'close',
  'keep-alive',
  'X-User',
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'close, X-User, Host, Content-Length',
  'Authorization, Cookie, X-Forwarded-For',
])('Connection: %s neither unframes the request nor removes what the gate added', async (list) => {
  const lane = await startLane();
  await lane.request(`POST / HTTP/1.1\r\nHost: a\r\nConnection: ${list}\r\nContent-Length: 5\r\n\r\n01234`);
  const [request] = lane.upstream.requests();
  expect(request?.headers).toMatchObject({ host: 'a', 'x-user': 'verified', 'content-length': '5' });
  expect(['keep-alive', undefined]).toContain(request?.headers.connection);
  expect(request?.body).toBe('01234');
});

test.for([
  ['h2c', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'],
  [
    'h2c without HTTP2-Settings in Connection',
    'Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n',
  ],
  ['a list with websocket in it', 'Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n'],
  ['TLS', 'Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n'],
  ['something unknown', 'Connection: Upgrade\r\nUpgrade: foo\r\n'],
] as const)(
  'an upgrade to %s is ignored: the upstream never hears of it, and nothing behind it is a request',
  async ([, fields]) => {
    const lane = await startLane();
    const client = await lane.client();
    client.send(`GET /first HTTP/1.1\r\nHost: a\r\n${fields}\r\n${hidden}`);
    expect(await client.response()).toMatchObject({ status: 200, headers: { connection: 'close' } });
    client.send(hidden);
    await client.closed();
    expect(client.rest).toBe('');
    expect(lane.gate.heads.map(({ target }) => target)).toEqual(['/first']);
    const [request] = lane.upstream.requests();
    expect(request?.headers).toMatchObject({ 'x-user': 'verified', connection: 'keep-alive' });
    expect(request?.headers.upgrade).toBeUndefined();
    expect(request?.headers['http2-settings']).toBeUndefined();
    expect(lane.upstream.requests()).toHaveLength(1);
  },
);

test('a WebSocket handshake pipelined behind a request on the node lane is no upgrade', async () => {
  const lane = await startLane({ lane: 'node' });
  const client = await lane.client();
  client.send(
    'GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  );
  expect((await client.response()).status).toBe(200);
  expect((await client.response()).status).toBe(200);
  expect(lane.upstream.requests()[1]?.headers.upgrade).toBeUndefined();
});

test('surplus spaces before the target, which the parser skips, do not reach the upstream', async () => {
  const lane = await startLane();
  expect((await lane.request('GET   /a HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200);
  expect(lane.upstream.requests()).toMatchObject([{ line: 'GET /a HTTP/1.1' }]);
});

test('a target from the gate with a line break in it sends nothing', async () => {
  const lane = await startLane({
    decide: (head) => allow(lane.upstream.upstream, head, { target: '/a HTTP/1.1\r\nX-User: admin\r\n\r\n' }),
  });
  expect((await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(502);
  expect(lane.upstream.received).toBe('');
});

test('framing names in the list from the gate do not frame', async () => {
  const lane = await startLane({
    decide: (head) =>
      allow(lane.upstream.upstream, head, {
        headers: [
          'Host',
          'a',
          'Content-Length',
          '0',
          'Transfer-Encoding',
          'chunked',
          'Connection',
          'X-User',
          'Upgrade',
          'h2c',
        ],
      }),
  });
  await lane.request('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n01234');
  expect(lane.upstream.requests()).toMatchObject([{ body: '01234', headers: { 'content-length': '5' } }]);
  expect(lane.upstream.received).not.toMatch(/h2c|X-User/);
});

test('every split of a request into two writes is read the same', async () => {
  const lane = await startLane();
  const text = `POST /split HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\n01234\r\n0\r\nX-Ok: 1\r\n\r\n`;
  const client = await lane.client();
  for (let at = 1; at < text.length; at += 1) {
    client.send(text.slice(0, at));
    await new Promise(setImmediate);
    client.send(text.slice(at));
    expect((await client.response()).status).toBe(200);
  }
  const requests = lane.upstream.requests();
  expect(requests).toHaveLength(text.length - 1);
  expect(requests.every(({ body, trailers }) => body === '01234' && trailers === 'X-Ok: 1\r\n')).toBe(true);
});

test.for(['\x01', '\x1b', '\x7f', '\x0b', '\0'])(
  'a trailer with the control byte %j does not end the process, nor pass',
  async (byte) => {
    const lane = await startLane();
    const client = await lane.client();
    client.send(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Bad: a${byte}b\r\nX-Ok: 1\r\n\r\n`,
    );
    expect([200, 400]).toContain((await client.response()).status);
    expect(lane.upstream.received).not.toContain('X-Bad');
  },
);

test.for(['\x01', '\x1b', '\x7f', '\x0b', '\0'])(
  'an upstream that sends the control byte %j in interim answers, heads or trailers does not end the process',
  async (byte) => {
    const lane = await startLane({
      reply: (unanswered) => {
        if (unanswered.includes('/interim')) {
          return `HTTP/1.1 103 Early Hints\r\nLink: a${byte}b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`;
        }
        if (unanswered.includes('/head')) return `HTTP/1.1 200 OK\r\nX: a${byte}b\r\nContent-Length: 0\r\n\r\n`;
        return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a${byte}b\r\n\r\n`;
      },
    });
    for (const target of ['/interim', '/head', '/trailer']) {
      const client = await lane.client();
      client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      await client.closed();
      expect(client.received).not.toContain(`a${byte}b`);
    }
    expect(await lane.gate.gotOutcomes(3)).toHaveLength(3);
  },
);

test('a body that breaks while the gate decides: one answer, one outcome, nothing forwarded afterwards', async () => {
  const waiting = Promise.withResolvers<void>();
  const lane = await startLane({
    // The fast lane leaves the body where it is until the gate has decided.
    lane: 'node',
    decide: async (head) => {
      await waiting.promise;
      return allow(lane.upstream.upstream, head);
    },
  });
  const client = await lane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
  expect((await client.response()).status).toBe(400);
  waiting.resolve();
  await client.closed();
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 400, decision: { kind: 'refused' } }]);
  expect(lane.upstream.connections).toHaveLength(0);
});
