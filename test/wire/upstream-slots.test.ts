import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { answerOf, openHttp2 } from '../support/http2-client.ts';
import { openTlsClient } from '../support/tls.ts';
import { until } from '../support/until.ts';
import { answerEach, plainAnswer } from '../support/upstream.ts';
import type { TlsRig, TlsRigOptions } from './tls/tls-rig.ts';
import { startTlsDoor } from './tls/tls-rig.ts';

// `maxConnections` is one number for an upstream, whichever lanes its requests come by; who finds no connection left waits
// in one line until `timeouts.connect`, and a connection counts until it has ended, however it ends.

const ways = ['fast', 'node', 'http2'] as const;
type Way = (typeof ways)[number];

interface Pending {
  /** The answer's status; rejects where there is none. */
  readonly status: Promise<number>;
  /** Leaves without a word. */
  leave(): void;
}

interface SendOptions {
  readonly path?: string;
  /** POST, with a body of which this is the beginning, and no more comes. */
  readonly unfinished?: string;
}

/** One request on a client connection of its own: HTTP/1.1 as the fast lane takes it, HTTP/1.0, or HTTP/2. */
async function send(rig: TlsRig, way: Way, { path = '/', unfinished }: SendOptions = {}): Promise<Pending> {
  const { port } = rig;
  if (way === 'http2') {
    const client = await openHttp2({ port });
    onTestFinished(client.close);
    const stream = client.open(
      { ':path': path, ...(unfinished !== undefined && { ':method': 'POST' }) },
      unfinished === undefined,
    );
    if (unfinished !== undefined) stream.write(unfinished);
    const status = answerOf(stream).then((answer) => answer.status);
    status.catch(() => undefined);
    return { status, leave: client.close };
  }
  const client = await openTlsClient({ port, ALPNProtocols: ['http/1.1'] });
  onTestFinished(() => client.destroy());
  const version = way === 'fast' ? 'HTTP/1.1' : 'HTTP/1.0';
  if (unfinished === undefined) client.send(`GET ${path} ${version}\r\nHost: a\r\n\r\n`);
  else client.send(`POST ${path} ${version}\r\nHost: a\r\nContent-Length: 1000\r\n\r\n${unfinished}`);
  const status = client.response().then((answer) => answer.status);
  status.catch(() => undefined);
  return { status, leave: () => client.destroy() };
}

/** An upstream that answers when the test says so, a door with all lanes, and at most so many connections. */
function startHeld(maxConnections: number, options: TlsRigOptions = {}): Promise<TlsRig> {
  return startTlsDoor(undefined, { reply: () => undefined, upstream: { maxConnections }, ...options });
}

/** Answers the request of this path, wherever it waits. */
async function answer(rig: TlsRig, path: string, text = plainAnswer): Promise<void> {
  const holds = () => rig.upstream.connections.find(({ received }) => received.includes(` ${path} HTTP`));
  await until(`${path} is upstream`, () => holds() !== undefined);
  holds()?.socket.write(text);
}

test('all lanes together open no more connections than maxConnections says', async () => {
  const rig = await startHeld(2);
  const pending: Pending[] = [];
  for (const [index, way] of [...ways, ...ways].entries()) pending.push(await send(rig, way, { path: `/${index}` }));
  await until('all of them are allowed', () => rig.gate.heads.length === 6);
  await rig.upstream.gotRequests(2);
  for (let done = 0; done < 6; done++) {
    await rig.upstream.gotRequests(Math.min(6, done + 2));
    expect(rig.upstream.openSockets).toBeLessThanOrEqual(2);
    await answer(rig, `/${done}`);
    expect(await pending[done]?.status).toBe(200);
  }
});

test('who waits is served in the order of arrival, whichever lane has a connection to spare', async () => {
  const rig = await startHeld(1);
  const order: readonly Way[] = ['fast', 'node', 'fast', 'http2', 'node', 'http2', 'fast', 'fast', 'node', 'node'];
  const pending: Pending[] = [];
  for (const [index, way] of order.entries()) {
    pending.push(await send(rig, way, { path: `/${index}` }));
    await until('it is allowed', () => rig.gate.heads.length === index + 1);
  }
  for (const [index, { status }] of pending.entries()) {
    await answer(rig, `/${index}`);
    expect(await status).toBe(200);
    const seen = rig.upstream.requests().map(({ target }) => target);
    expect(seen.slice(0, index + 1)).toEqual(order.slice(0, index + 1).map((_, at) => `/${at}`));
  }
});

test.for(ways.flatMap((first) => ways.map((second) => [first, second] as const)))(
  'a connection that the lane %s keeps unused gives way to a request by %s at once',
  async ([first, second]) => {
    const rig = await startTlsDoor(undefined, { upstream: { maxConnections: 1 } });
    expect(await (await send(rig, first)).status).toBe(200);
    await rig.gate.gotOutcomes(1);
    expect(await (await send(rig, second)).status).toBe(200);
    await until('one is left at most', () => rig.upstream.openSockets <= 1);
    expect(rig.upstream.connections.length).toBeLessThanOrEqual(2);
  },
);

describe.each(ways)('by the lane %s', (way) => {
  /** Both places are free again: as many requests as there may be connections are upstream at the same time. */
  async function expectBothFree(rig: TlsRig): Promise<void> {
    const seen = rig.upstream.requests().length;
    const two = [await send(rig, way, { path: '/last1' }), await send(rig, way, { path: '/last2' })];
    await rig.upstream.gotRequests(seen + 2);
    await answer(rig, '/last1');
    await answer(rig, '/last2');
    for (const { status } of two) expect(await status).toBe(200);
  }

  test('who waits longer than timeouts.connect gets 504, and leaves the line', async () => {
    const rig = await startHeld(1, { timeouts: { connectMs: 1_500 } });
    const first = await send(rig, way, { path: '/first' });
    await rig.upstream.gotRequests(1);
    expect(await (await send(rig, way, { path: '/late' })).status).toBe(504);
    await answer(rig, '/first');
    expect(await first.status).toBe(200);
    const next = await send(rig, way, { path: '/next' });
    await answer(rig, '/next');
    expect(await next.status).toBe(200);
    expect(rig.upstream.received).not.toContain('/late');
  });

  test('a client that leaves while it waits makes way for the next', async () => {
    const rig = await startHeld(1);
    const first = await send(rig, way, { path: '/first' });
    await rig.upstream.gotRequests(1);
    const second = await send(rig, way, { path: '/second' });
    await until('the second waits', () => rig.gate.heads.length === 2);
    const third = await send(rig, way, { path: '/third' });
    await until('the third waits', () => rig.gate.heads.length === 3);
    second.leave();
    await rig.gate.gotOutcomes(1);
    await answer(rig, '/first');
    expect(await first.status).toBe(200);
    await answer(rig, '/third');
    expect(await third.status).toBe(200);
    expect(rig.upstream.received).not.toContain('/second');
  });

  test.for([
    ['the client leaves before the answer', {}, undefined],
    ['the client leaves within its body', { unfinished: 'beginning' }, undefined],
    ['the client leaves within the answer', {}, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
    [
      'the client leaves within an answer in chunks',
      {},
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    ],
  ] as const)('a place is free again when %s', async ([, options, beginning]) => {
    const rig = await startHeld(2);
    for (let round = 0; round < 3; round++) {
      const path = `/${round}`;
      const pending = await send(rig, way, { ...options, path });
      await until('it is upstream', () => rig.upstream.received.includes(`${path} HTTP`));
      if (beginning !== undefined) {
        await answer(rig, path, beginning);
        await until('its head was passed', () => rig.gate.heads.length === round + 1);
      }
      pending.leave();
      await rig.gate.gotOutcomes(round + 1);
    }
    await until('the upstream has been let go', () => rig.upstream.openSockets === 0);
    await expectFree(rig);
  });

  /** As above, where the upstream has seen requests that are not whole. */
  async function expectFree(rig: TlsRig): Promise<void> {
    const two = [await send(rig, way, { path: '/last1' }), await send(rig, way, { path: '/last2' })];
    await until('both are upstream', () => ['/last1', '/last2'].every((path) => rig.upstream.received.includes(path)));
    await answer(rig, '/last1');
    await answer(rig, '/last2');
    for (const { status } of two) expect(await status).toBe(200);
  }

  test.for([
    ['hangs up without an answer', (_text: string) => undefined, 502],
    ['answers what is no HTTP', () => 'nonsense\r\n\r\n', 502],
    ['breaks off within its answer', () => 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', undefined],
    ['closes after its answer', () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok', 200],
    ['ends its answer by closing', () => 'HTTP/1.1 200 OK\r\n\r\nok', 200],
    ['switches without having been asked', () => 'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', 502],
    ['answers before the body is there', () => plainAnswer, 200],
  ] as const)('a place is free again when the upstream %s', async ([name, answerText, status]) => {
    const unfinished = name.includes('before the body') ? 'beginning' : undefined;
    const rig = await startHeld(2, {
      reply: (text, { socket }) => {
        if (!text.includes('\r\n\r\n') || text.includes('/last')) return undefined;
        const bytes = answerText(text);
        if (unfinished !== undefined) return bytes;
        if (bytes === undefined) socket.destroy();
        else socket.end(bytes);
        return undefined;
      },
    });
    for (let round = 0; round < 3; round++) {
      const pending = await send(rig, way, { path: `/${round}`, ...(unfinished !== undefined && { unfinished }) });
      await rig.gate.gotOutcomes(round + 1);
      if (status !== undefined) expect(await pending.status).toBe(status);
      pending.leave();
    }
    await expectFree(rig);
  });

  test('a place is free again when there is no connection: refused, or no TLS', async () => {
    const server = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('no TLS'),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const timeouts = { connectMs: 30_000 };
    const upstream = { port, maxConnections: 2 };
    const plain = await startTlsDoor(undefined, { upstream: { ...upstream, scheme: 'https' }, timeouts });
    for (let round = 0; round < 4; round++) expect(await (await send(plain, way)).status).toBe(502);
    server.close();
    await once(server, 'close');
    const refused = await startTlsDoor(undefined, { upstream, timeouts });
    for (let round = 0; round < 4; round++) expect(await (await send(refused, way)).status).toBe(502);
  });

  test('a place is free again after many answers, and connections are kept', async () => {
    const rig = await startTlsDoor(undefined, {
      upstream: { maxConnections: 2 },
      reply: (text, connection) => (text.includes('/last') ? undefined : answerEach()(text, connection)),
    });
    for (let round = 0; round < 10; round++) expect(await (await send(rig, way)).status).toBe(200);
    expect(rig.upstream.connections).toHaveLength(1);
    await expectBothFree(rig);
  });
});

test('a WebSocket counts until it is one: as many as you like may be open beside maxConnections', async () => {
  const rig = await startHeld(1, {
    reply: (text) =>
      text.includes('/ws') && text.includes('\r\n\r\n')
        ? 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
        : undefined,
  });
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n';
  for (let i = 0; i < 3; i++) {
    const client = await openTlsClient({ port: rig.port, ALPNProtocols: ['http/1.1'] });
    onTestFinished(() => client.destroy());
    client.send(`GET /ws HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`);
    expect((await client.response()).status).toBe(101);
  }
  expect(rig.upstream.openSockets).toBe(3);
  const held = await send(rig, 'fast', { path: '/held' });
  await until('the request has a place', () => rig.upstream.received.includes('/held'));
  const waiting = await send(rig, 'node', { path: '/waiting' });
  await until('the other waits', () => rig.gate.heads.length === 5);
  // A WebSocket that ends now gives nothing back: it had no place any more.
  for (const { socket, received } of rig.upstream.connections) if (received.includes('/ws')) socket.destroy();
  await rig.gate.gotOutcomes(3);
  expect(rig.upstream.received).not.toContain('/waiting');
  await answer(rig, '/held');
  expect(await held.status).toBe(200);
  await answer(rig, '/waiting');
  expect(await waiting.status).toBe(200);
});
