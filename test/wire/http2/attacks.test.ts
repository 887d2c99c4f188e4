import { describe, expect, test } from 'vitest';
import {
  type FrameClient,
  flags,
  frame,
  getRequest,
  headerBlock,
  headersFrame,
  uint32,
} from '../../support/http2-frames.ts';
import { until } from '../../support/until.ts';
import { allow } from '../fake-gate.ts';
import { type Http2Rig, startHttp2 } from './http2-rig.ts';

/** Sends until the connection is closed; the frames come in batches, so that both sides get a word in. */
async function flood(client: FrameClient, most: number, next: (index: number) => Buffer): Promise<number> {
  let sent = 0;
  while (sent < most && !client.isClosed) {
    const batch = Array.from({ length: 50 }, () => next(sent++));
    client.send(...batch);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

async function expectServes(rig: Http2Rig): Promise<void> {
  expect((await (await rig.client()).get('/still-there')).status).toBe(200);
}

describe('a client that', () => {
  test('resets its streams rapidly is cut off soon, and others are served (CVE-2023-44487)', async () => {
    const rig = await startHttp2({ reply: (text) => (text.includes('/still') ? 'HTTP/1.1 204 x\r\n\r\n' : undefined) });
    const client = await rig.frames();
    const sent = await flood(client, 20_000, (index) => {
      const stream = 2 * index + 1;
      return Buffer.concat([headersFrame(stream, getRequest('/')), frame('RST_STREAM', 0, stream, uint32(8))]);
    });
    await client.closed();
    expect(sent).toBeLessThan(20_000);
    expect(rig.gate.heads.length).toBeLessThan(1_000);
    await until('it is counted', () => rig.http2Ends.join() === 'resets');
    const goaway = client.frames.find(({ type }) => type === 'GOAWAY');
    if (goaway !== undefined) expect([0xb, 0x2]).toContain(goaway.payload.readUInt32BE(4));
    await until('nothing is left of it', () => rig.upstream.openSockets === 0 && rig.door.activeExchanges === 0);
    expect((await (await rig.client()).get('/still-there')).status).toBe(204);
  });

  test('makes us reset its streams is cut off, too (CVE-2025-8671)', async () => {
    const rig = await startHttp2({ reply: (text) => (text.includes('/still') ? 'HTTP/1.1 204 x\r\n\r\n' : undefined) });
    const client = await rig.frames();
    await flood(client, 20_000, (index) => {
      const stream = 2 * index + 1;
      // A window beyond 2^31-1 is an error of the stream, which the receiver has to reset.
      const overflow = frame('WINDOW_UPDATE', 0, stream, uint32(0x7fffffff));
      return Buffer.concat([headersFrame(stream, getRequest('/')), overflow, overflow]);
    });
    await client.closed();
    expect(rig.gate.heads.length).toBeLessThan(1_000);
    await until('nothing is left of it', () => rig.door.activeExchanges === 0);
  });

  test('leaves a page with a hundred requests under way may go on', async () => {
    const rig = await startHttp2({ reply: (text) => (text.includes('/still') ? 'HTTP/1.1 204 x\r\n\r\n' : undefined) });
    const client = await rig.client();
    const streams = Array.from({ length: 100 }, (_, index) => client.open({ ':path': `/${index}` }, true));
    for (const stream of streams) stream.on('error', () => undefined);
    await until('all are under way', () => rig.gate.heads.length === 100);
    for (const stream of streams) stream.close(8);
    expect((await client.get('/still-there')).status).toBe(204);
  });

  test('never ends a head in CONTINUATION frames is cut off (CVE-2024-27316)', async () => {
    const rig = await startHttp2();
    const client = await rig.frames();
    const piece = headerBlock([['x-a', 'a'.repeat(1_000)]]);
    client.send(frame('HEADERS', flags.endStream, 1, headerBlock(getRequest('/'))));
    const sent = await flood(client, 5_000, () => frame('CONTINUATION', 0, 1, piece));
    await client.closed();
    await until('it is counted', () => rig.http2Ends.join() === 'flood');
    expect(sent).toBeLessThan(500);
    expect(rig.gate.heads).toEqual([]);
    await expectServes(rig);
  });

  test('sends empty CONTINUATION frames without end is cut off', async () => {
    const rig = await startHttp2();
    const client = await rig.frames();
    client.send(frame('HEADERS', flags.endStream, 1, headerBlock(getRequest('/'))));
    await flood(client, 5_000, () => frame('CONTINUATION', 0, 1));
    await client.closed();
    await expectServes(rig);
  });

  test.for([
    ['SETTINGS (CVE-2019-9515)', () => frame('SETTINGS', 0, 0)],
    ['PING (CVE-2019-9512)', () => frame('PING', 0, 0, Buffer.alloc(8))],
    [
      'PRIORITY (CVE-2019-9513)',
      (index: number) => frame('PRIORITY', 0, 2 * index + 1, Buffer.from('\0\0\0\0\x10', 'latin1')),
    ],
    ['empty DATA (CVE-2019-9518)', () => frame('DATA', 0, 1)],
    [
      'SETTINGS with a hundred entries',
      () => frame('SETTINGS', 0, 0, Buffer.alloc(600, Buffer.from([0, 9, 0, 0, 0, 1]))),
    ],
  ] as const)('floods %s harms nobody else', async ([what, next]) => {
    const rig = await startHttp2({ reply: (text) => (text.includes('/still') ? 'HTTP/1.1 204 x\r\n\r\n' : undefined) });
    const client = await rig.frames();
    if (what.startsWith('empty')) client.send(headersFrame(1, getRequest('/').with(0, [':method', 'POST']), false));
    // It reads nothing of what is answered.
    client.socket.pause();
    await flood(client, 20_000, next);
    expect((await (await rig.client()).get('/still-there')).status).toBe(204);
    expect(process.memoryUsage().rss).toBeLessThan(1_000_000_000);
    client.destroy();
  });

  test('names one long field again and again by its index gets no further than the limit (HPACK bomb)', async () => {
    const rig = await startHttp2();
    const client = await rig.frames();
    // RFC 7541 section 6.2.1: indexed from here on, as the newest entry of the dynamic table (62).
    const literal = headerBlock([['x-a', 'a'.repeat(3_900)]]);
    literal[0] = 0x40;
    const block = Buffer.concat([headerBlock(getRequest('/')), literal, Buffer.alloc(8_000, 0x80 | 62)]);
    client.send(frame('HEADERS', flags.endHeaders | flags.endStream, 1, block));
    await until('it is refused', () => client.isClosed || client.frames.some(({ stream }) => stream === 1));
    expect(client.frames.find(({ stream, type }) => stream === 1 && type === 'HEADERS')).toBeUndefined();
    expect(rig.gate.heads).toEqual([]);
    await expectServes(rig);
  });

  test('opens more streams than it may has the rest refused, untouched', async () => {
    const rig = await startHttp2({ maxStreams: 10, reply: () => undefined });
    const client = await rig.frames();
    client.send(...Array.from({ length: 30 }, (_, index) => headersFrame(2 * index + 1, getRequest(`/${index}`))));
    await until(
      'the rest is refused',
      () => client.frames.filter(({ type }) => type === 'RST_STREAM').length === 20 || client.isClosed,
    );
    expect(rig.gate.heads.length).toBeLessThanOrEqual(10);
    const settings = client.frames.find(({ type, flags }) => type === 'SETTINGS' && flags === 0);
    expect(settings?.payload.includes(Buffer.from([0, 3, 0, 0, 0, 10]))).toBe(true);
  });

  test('takes nothing of its answer is cut after timeouts.idle', async () => {
    const rig = await startHttp2({
      reply: () => `HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`,
      timeouts: { idleMs: 1_000 },
    });
    const client = await rig.frames();
    // SETTINGS_INITIAL_WINDOW_SIZE: 0.
    client.send(frame('SETTINGS', 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])), headersFrame(1, getRequest('/')));
    await client.got('HEADERS', 1);
    await client.got('RST_STREAM', 1);
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ end: 'clientGone', status: 200 }]);
    await until('the upstream is let go', () => rig.upstream.openSockets === 0);
  });

  test('sends none of its body is answered 408 after timeouts.idle', async () => {
    const rig = await startHttp2({ reply: () => undefined, timeouts: { idleMs: 1_000 } });
    const client = await rig.frames();
    client.send(headersFrame(1, getRequest('/').with(0, [':method', 'POST']), false));
    await client.got('HEADERS', 1);
    expect(await rig.gate.gotOutcomes(1)).toMatchObject([{ status: 408 }]);
  });

  test('opens no stream is told to go after timeouts.header, or timeouts.idle when it had one', async () => {
    const rig = await startHttp2({ timeouts: { headerMs: 1_000, idleMs: 5_000 } });
    const silent = await rig.frames();
    const served = await rig.frames();
    served.send(headersFrame(1, getRequest('/')));
    await silent.closed();
    await until('it is counted', () => rig.http2Ends.join() === 'timeout');
    expect(served.isClosed).toBe(false);
    await served.closed();
    expect(silent.frames.at(-1)).toMatchObject({ type: 'GOAWAY' });
    expect(served.frames.at(-1)).toMatchObject({ type: 'GOAWAY' });
    await until('it is counted', () => rig.http2Ends.join() === 'timeout,complete');
    await until('nothing is kept of them', () => rig.door.openConnections === 0);
  });

  test('begins a head and lets wait for the rest is cut after timeouts.header', async () => {
    const rig = await startHttp2({ timeouts: { headerMs: 300 } });
    const client = await rig.frames();
    client.send(frame('HEADERS', flags.endStream, 1, headerBlock(getRequest('/'))));
    await client.closed();
    expect(rig.gate.heads).toEqual([]);
  });

  test.for([
    ['a stream of an even number', headersFrame(2, getRequest('/'))],
    ['DATA for no stream', frame('DATA', 0, 0, Buffer.from('x'))],
    ['DATA for a stream that was never opened', frame('DATA', 0, 5, Buffer.from('x'))],
    ['PUSH_PROMISE', frame('PUSH_PROMISE', flags.endHeaders, 1, uint32(2))],
    ['a frame longer than was agreed', frame('DATA', 0, 1, Buffer.alloc(20_000))],
    ['SETTINGS of an odd length', frame('SETTINGS', 0, 0, Buffer.alloc(5))],
    ['a WINDOW_UPDATE of nothing', frame('WINDOW_UPDATE', 0, 0, uint32(0))],
    ['a window beyond its bounds', Buffer.concat([1, 2].map(() => frame('WINDOW_UPDATE', 0, 0, uint32(0x7fffffff))))],
    ['an HTTP/1.1 request', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ] as const)('sends %s ends its own connection only', async ([, bytes]) => {
    const rig = await startHttp2();
    const client = await rig.frames();
    client.send(bytes);
    await client.closed();
    expect(rig.gate.heads).toEqual([]);
    await until('it is counted', () => rig.http2Ends.join() === 'malformed');
    await expectServes(rig);
  });
});

test('thousands of requests on one connection leave nothing behind', async () => {
  const rig = await startHttp2({ decide: (head) => allow(rig.upstream.upstream, head) });
  const client = await rig.client();
  for (let i = 0; i < 30; i++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.get('/')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  }
  await rig.gate.gotOutcomes(3_000);
  expect(rig.gate.outcomes.every(({ end }) => end === 'complete')).toBe(true);
  expect(rig.door.activeExchanges).toBe(0);
});
