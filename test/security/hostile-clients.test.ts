import fc from 'fast-check';
import { expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { startLane } from '../wire/lane-rig.ts';

// Nothing a client sends ends the process, reaches the upstream unjudged, or makes memory grow without bound.

test.for([
  ['a target longer than its share', `GET /${'a'.repeat(13_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ['a target longer than the whole head may be', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ['a target without end', `GET /${'a'.repeat(200_000)}`, 414],
  ['a method without end', 'A'.repeat(200_000), 400],
  [
    'one header longer than the whole head may be',
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
    431,
  ],
  ['a header name without end', `GET / HTTP/1.1\r\nHost: a\r\n${'X'.repeat(200_000)}`, 431],
  ['many headers, small in all', `GET / HTTP/1.1\r\nHost: a\r\n${'a:b\r\n'.repeat(100)}\r\n`, 431],
  ['thousands of headers', `GET / HTTP/1.1\r\nHost: a\r\n${'a:b\r\n'.repeat(30_000)}\r\n`, 431],
  ['one header a thousand times', `GET / HTTP/1.1\r\nHost: a\r\n${'Cookie: a=b\r\n'.repeat(1_000)}\r\n`, 431],
  ['empty lines without end', '\r\n'.repeat(100_000), undefined],
  ['zeros', '\0'.repeat(100_000), 400],
  ['a TLS hello on a plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['SSH', 'SSH-2.0-OpenSSH_9.9\r\n', 400],
] as const)('%s: bounded and refused', async ([, text, status]) => {
  const lane = await startLane({ timeouts: { headerMs: 3_000 } });
  const client = await lane.client();
  client.send(text);
  await client.closed();
  if (status !== undefined) expect(client.received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(lane.gate.heads).toHaveLength(0);
  expect(lane.upstream.connections).toHaveLength(0);
  await until('the door has let go of the client', () => lane.door.openConnections === 0);
  expect(lane.gate.outcomes.length).toBe(1);
});

test.for([
  ['at once', ''],
  ['in mid-head', 'GET / HTTP/1.1\r\nHo'],
  ['after its head', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['in mid-body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n012'],
  ['in mid-chunk', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01'],
  ['in mid-trailer', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX'],
  ['while it should go on', 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n'],
  ['after nonsense', 'nonsense\r\n\r\n'],
  ['after a WebSocket handshake', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ['after three requests at once', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3)],
] as const)('a client that closes early, %s, by FIN or by reset, leaves nothing behind', async ([, text]) => {
  const lane = await startLane({ reply: () => undefined });
  for (const leave of ['end', 'resetAndDestroy', 'destroy'] as const) {
    const client = await lane.client();
    if (text !== '') client.send(text);
    await new Promise(setImmediate);
    client.socket[leave]();
  }
  await until('the door has let go', () => lane.door.openConnections === 0 && lane.door.activeExchanges === 0);
  await until('the upstream has been let go', () => lane.upstream.openSockets === 0);
  expect(lane.gate.outcomes.filter(({ head }) => head !== undefined)).toHaveLength(lane.gate.heads.length);
  // A request that waited behind another is not begun for a client that has left.
  expect(lane.gate.heads.length).toBeLessThanOrEqual(3);
});

test('slow heads from many clients at once do not keep others waiting', async () => {
  const lane = await startLane({ timeouts: { headerMs: 5_000 } });
  const slow = await Promise.all(Array.from({ length: 200 }, () => lane.client()));
  for (const client of slow) client.send('GET / HTTP/1.1\r\nHost: a\r\nX: ');
  expect((await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200);
  for (const client of slow) expect((await client.response()).status).toBe(408);
});

const seeds = [
  'GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n01234',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e=1\r\n01234\r\n0\r\nX-T: 1\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x80abcd',
  'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi',
];
const scraps = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  'chunked',
  'Content-Length: 3\r\n',
  '0\r\n\r\n',
  '\xff',
  'GET / HTTP/1.1\r\n',
  ';',
  ',',
];

test('mutated requests: no crash, no hang, and only whole, judged requests upstream', async () => {
  const lane = await startLane({ timeouts: { headerMs: 1_000, idleMs: 1_000, responseMs: 1_000 } });
  const mutation = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.integer({ min: 0, max: 4 }),
    insert: fc.oneof(fc.constantFrom(...scraps), fc.string({ maxLength: 3, unit: 'binary' })),
  });
  const hostile = fc
    .tuple(fc.array(fc.constantFrom(...seeds), { minLength: 1, maxLength: 3 }), fc.array(mutation, { maxLength: 4 }))
    .map(([parts, mutations]) => {
      let text = parts.join('');
      for (const { at, remove, insert } of mutations) {
        const place = Math.floor(at * text.length);
        text = text.slice(0, place) + insert + text.slice(place + remove);
      }
      return text;
    });
  await Promise.all(
    fc.sample(hostile, 200).map(async (text) => {
      const client = await lane.client();
      client.send(text);
      await client.closed();
      client.destroy();
    }),
  );
  await until(
    'the door has let go of everybody',
    () => lane.door.openConnections === 0 && lane.door.activeExchanges === 0,
  );
  const judged = lane.gate.heads.length;
  expect(lane.gate.outcomes.filter(({ head }) => head !== undefined)).toHaveLength(judged);
  // `requests` throws where bytes upstream are no clear request; a WebSocket's own bytes may follow its handshake.
  let seen = 0;
  for (const { received } of lane.upstream.connections) seen += received.split(/^X-User: verified$/m).length - 1;
  expect(seen).toBeLessThanOrEqual(judged);
  expect(lane.upstream.requests().length).toBeLessThanOrEqual(judged);
  expect((await lane.request('GET /alive HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200);
});
