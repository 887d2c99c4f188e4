import { expect, test } from 'vitest';
import type { BodyRead } from '../../src/gate/gate.ts';
import { until } from '../support/until.ts';
import { answerEach } from '../support/upstream.ts';
import { allow, refusal } from './fake-gate.ts';
import { type LaneRig, type LaneRigOptions, startLane } from './lane-rig.ts';

const post = 'POST / HTTP/1.1\r\nHost: a\r\n';

/** A gate that reads up to 10 bytes of every body. */
async function startReadingLane(options: LaneRigOptions = {}): Promise<{ lane: LaneRig; reads: BodyRead[] }> {
  const reads: BodyRead[] = [];
  const lane = await startLane({
    ...options,
    decide: async (head, body) => {
      const read = await body.read(10);
      reads.push(read);
      if (read.kind !== 'read') return refusal('requestRefused', { status: read.kind === 'tooLarge' ? 413 : 400 });
      return allow(lane.upstream.upstream, head, { body: read.bytes });
    },
  });
  return { lane, reads };
}

test.for([
  ['with a length', 'Content-Length: 10\r\n\r\n0123456789', '0123456789'],
  ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\nX-Sum: 1\r\n\r\n', '0123456789'],
  ['of no bytes', 'Content-Length: 0\r\n\r\n', ''],
  ['that is not there', '\r\n', ''],
  ['in no chunks', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', ''],
] as const)('a body %s that the gate reads arrives as it was, framed as it was', async ([, rest, expected]) => {
  const { lane, reads } = await startReadingLane();
  const client = await lane.client();
  for (let i = 0; i < 2; i += 1) {
    client.send(`${post}${rest}`);
    expect((await client.response()).status).toBe(200);
  }
  const [request] = lane.upstream.requests();
  expect(request?.body).toBe(expected);
  if (rest.startsWith('Transfer')) expect(request?.headers['transfer-encoding']).toBe('chunked');
  else expect(request?.headers['content-length']).toBe(String(expected.length));
  expect(request?.trailers).toBe(rest.includes('X-Sum') ? 'X-Sum: 1\r\n' : '');
  expect(reads.map((read) => read.kind === 'read' && Buffer.from(read.bytes).toString())).toEqual([expected, expected]);
  expect(await lane.gate.gotOutcomes(2)).toMatchObject([{ requestBytes: expected.length }, {}]);
});

test('a gate that reads the body lets the client go on, and no expectation goes upstream', async () => {
  const { lane } = await startReadingLane();
  const client = await lane.client();
  client.send(`${post}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  expect((await client.response()).status).toBe(100);
  client.send('hi');
  expect((await client.response()).status).toBe(200);
  expect(lane.upstream.requests()[0]?.headers.expect).toBeUndefined();
});

test.for([
  ['by its length, without reading or a 100', 'Expect: 100-continue\r\nContent-Length: 11\r\n\r\n'],
  ['by its length', 'Content-Length: 10000000\r\n\r\n0123456789'],
  ['by what came', 'Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n'],
] as const)('a body too large for the gate %s: refused, nothing forwarded', async ([, rest]) => {
  const { lane, reads } = await startReadingLane();
  const client = await lane.client();
  client.send(`${post}${rest}`);
  expect(await client.response()).toMatchObject({ status: 413, headers: { connection: 'close' } });
  expect(await client.closed()).toBe('end');
  expect(reads).toEqual([{ kind: 'tooLarge' }]);
  expect(lane.upstream.received).toBe('');
});

test.for([
  ['stops coming', (lane: LaneRig) => lane, 400],
  ['breaks its framing', (_: LaneRig, send: (text: string) => void) => send('zz\r\n'), 400],
] as const)('a body that %s while the gate reads it: broken, nothing forwarded', async ([, act, status]) => {
  const { lane } = await startReadingLane({ timeouts: { idleMs: 500 } });
  const client = await lane.client();
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`);
  await until('the gate was asked', () => lane.gate.heads.length === 1);
  act(lane, client.send);
  expect((await client.response()).status).toBe(status);
  expect(await lane.gate.gotOutcomes(1)).toHaveLength(1);
  expect(lane.upstream.received).toBe('');
});

test('a client that leaves while the gate reads its body: broken, one outcome, nothing forwarded', async () => {
  const { lane, reads } = await startReadingLane();
  const client = await lane.client();
  client.send(`${post}Content-Length: 4\r\n\r\nhi`);
  await until('the gate was asked', () => lane.gate.heads.length === 1);
  client.destroy();
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone' }]);
  expect(reads).toEqual([{ kind: 'broken' }]);
  expect(lane.upstream.received).toBe('');
});

test('an answer of our own (a CORS preflight) is written whole, and the connection kept', async () => {
  const lane = await startLane({
    decide: () => {
      const { facts, close } = refusal('requestRefused');
      return { kind: 'answered', status: 204, headers: ['Access-Control-Allow-Origin', '*'], body: '', close, facts };
    },
  });
  const client = await lane.client();
  for (let i = 0; i < 2; i += 1) {
    client.send('OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await client.response();
    expect(answer).toMatchObject({ status: 204, headers: { 'access-control-allow-origin': '*' } });
  }
  expect(lane.upstream.received).toBe('');
  expect(await lane.gate.gotOutcomes(2)).toMatchObject([{ status: 204, decision: { kind: 'answered' } }, {}]);
});

test("response headers from the gate replace the upstream's, and add to Vary", async () => {
  const lane = await startLane({
    reply: answerEach(
      'HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\nVary: Accept\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n',
    ),
    decide: (head) =>
      allow(lane.upstream.upstream, head, {
        responseHeaders: ['Access-Control-Allow-Origin', 'https://a.example', 'Vary', 'Origin'],
      }),
  });
  const answer = await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(answer.headers).toMatchObject({
    'access-control-allow-origin': 'https://a.example',
    vary: 'Accept, Origin',
    'x-a': '1',
  });
});

test('a refusal with a header that cannot be sent is still a refusal', async () => {
  const lane = await startLane({ decide: () => refusal('tokenMissing', { headers: ['X-Bad', 'a\r\nb: c'] }) });
  const answer = await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(answer.status).toBe(401);
  expect(answer.headers.b).toBeUndefined();
});

test('a refusal of a HEAD has no body and keeps the connection in step', async () => {
  const lane = await startLane({ decide: () => refusal('tokenMissing') });
  const client = await lane.client();
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await client.response({ head: true })).status).toBe(401);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await client.response()).body).toContain('token');
});

test.for([
  [
    'throws',
    () => {
      throw new TypeError('secret');
    },
  ],
  ['rejects', () => Promise.reject(new TypeError('secret'))],
] as const)(
  'a gate that %s, against its promise: refused with 500, and nothing of the error told',
  async ([, decide]) => {
    const lane = await startLane({ decide });
    const answer = await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answer.status).toBe(500);
    const [outcome] = await lane.gate.gotOutcomes(1);
    expect(outcome?.decision).toMatchObject({
      kind: 'refused',
      detail: expect.stringMatching(/^the gate failed: TypeError at /),
    });
    expect(JSON.stringify(outcome)).not.toContain('secret');
    expect(lane.upstream.received).toBe('');
  },
);
