import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { allow } from './fake-gate.ts';
import { startLane } from './lane-rig.ts';

// What was measured of proxy libraries (docs/decisions/proxy-library.md), held against our own lane by the same names.

test("M1: with Expect: 100-continue the gate's headers arrive, not the client's", async () => {
  const lane = await startLane({
    reply: (unanswered) =>
      unanswered.endsWith('hi') ? 'HTTP/1.1 204 No Content\r\n\r\n' : 'HTTP/1.1 100 Continue\r\n\r\n',
  });
  const client = await lane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nX-User: spoofed\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
  expect((await client.response()).status).toBe(100);
  client.send('hi');
  expect((await client.response()).status).toBe(204);
  expect(lane.upstream.received).toContain('\r\nX-User: verified\r\n');
  expect(lane.upstream.received).not.toContain('spoofed');
});

test.for(['DELETE', 'OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH'])(
  'M2: a chunked body of %s stays framed, so that it hides no second request',
  async (method) => {
    const lane = await startLane();
    const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
    const size = hidden.length.toString(16);
    await lane.request(
      `${method} /seen HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\n${hidden}\r\n0\r\n\r\n`,
    );
    const requests = lane.upstream.requests();
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ line: `${method} /seen HTTP/1.1`, body: hidden });
    expect(requests[0]?.headers['transfer-encoding']).toBe('chunked');
    expect(requests[0]?.headers['content-length']).toBeUndefined();
  },
);

test("M3: the client's Connection list does not go upstream, where it would name our headers for removal", async () => {
  const lane = await startLane();
  await lane.request('GET / HTTP/1.1\r\nHost: a\r\nConnection: X-User, Host, keep-alive\r\n\r\n');
  const [request] = lane.upstream.requests();
  expect(request?.headers.connection).toBe('keep-alive');
  expect(request?.headers['x-user']).toBe('verified');
});

test("M4: x_user does not pass beside x-user: nothing but the gate's list goes upstream", async () => {
  const lane = await startLane({
    decide: (head) => allow(lane.upstream.upstream, head, { headers: ['Host', 'a', 'X-User', 'verified'] }),
  });
  await lane.request('GET / HTTP/1.1\r\nHost: a\r\nx_user: spoofed\r\nX-USER: spoofed\r\nx.user: spoofed\r\n\r\n');
  expect(lane.upstream.received).not.toContain('spoofed');
  expect(lane.upstream.requests()[0]?.rawHeaders.slice(0, 4)).toEqual(['Host', 'a', 'X-User', 'verified']);
});

test.for([
  ['in mid-answer', 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe beginning'],
  ['before the head of the answer', undefined],
] as const)('M5: a client that leaves %s ends the upstream request at once', async ([, reply]) => {
  const lane = await startLane({ reply: () => reply });
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await lane.upstream.gotRequests(1);
  if (reply !== undefined) await until('the answer begins', () => client.received.includes('the beginning'));
  expect(lane.upstream.openSockets).toBe(1);
  client.destroy();
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0, 500);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone', status: reply === undefined ? 0 : 200 }]);
});

test('M6: a WebSocket client that resets before the upstream answers does no harm', async () => {
  const lane = await startLane({ reply: () => undefined });
  const client = await lane.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await lane.upstream.gotRequests(1);
  client.socket.resetAndDestroy();
  await until('the upstream connection is gone', () => lane.upstream.openSockets === 0, 500);
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone', status: 0 }]);
  expect(lane.door.activeExchanges).toBe(0);
});

test.for([
  ['a value with CRLF', ['Host', 'a', 'X-User', 'a\r\nX-Admin: 1']],
  ['a value with NUL', ['Host', 'a', 'X-User', 'a\0']],
  ['a value above latin1', ['Host', 'a', 'X-User', '→']],
  ['a name with a space', ['Host', 'a', 'X User', 'a']],
  ['an empty name', ['Host', 'a', '', 'a']],
] as const)('M7: %s in the list is a 502, and no throw', async ([, headers]) => {
  const lane = await startLane({ decide: (head) => allow(lane.upstream.upstream, head, { headers }) });
  const answer = await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(answer.status).toBe(502);
  expect(lane.upstream.received).toBe('');
  expect(await lane.gate.gotOutcomes(1)).toMatchObject([{ status: 502, decision: { reason: 'upstreamUnreachable' } }]);
  // The same connection pool and process go on.
  expect(lane.door.activeExchanges).toBe(0);
});

test('M7: a target that Node will not send is a 502, and no throw', async () => {
  const lane = await startLane({ decide: (head) => allow(lane.upstream.upstream, head, { target: '/a b' }) });
  expect((await lane.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(502);
  expect(lane.upstream.received).toBe('');
});

test('M8: neither start nor traffic prints a warning', async () => {
  const script = fileURLToPath(new URL('./serve-and-stop.ts', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  expect(stderr).toBe('');
  expect(code).toBe(0);
});
