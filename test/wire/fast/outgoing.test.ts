import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Outgoing, outgoing, writePieces } from '../../../src/wire/fast/outgoing.ts';

const open: { destroy(): void }[] = [];

afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** Both ends of a TCP connection; the far one reads nothing until it is asked to. */
async function socketPair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  server.close();
  open.push(near, far);
  return { near, far };
}

async function readAll(far: Socket): Promise<string> {
  let text = '';
  far.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  far.resume();
  await once(far, 'end');
  return text;
}

test('messages for a client that reads late arrive as they were put together', async () => {
  const { near, far } = await socketPair();
  const out = new Outgoing();
  let expected = '';
  // Far more than the system takes at once, so that most of it waits while the next messages are put together.
  for (let i = 0; i < 3_000; i++) {
    const body = `${i}:`.repeat(500);
    out.begin().text(`HTTP/1.1 200 ${i}\r\n`).field('X-Number', String(i)).text('\r\n');
    expected += `${String(out)}${body}`;
    out.send(near, [Buffer.from(body)]);
  }
  out.flush();
  expect(near.writableLength).toBeGreaterThan(0);
  near.end();
  expect(await readAll(far)).toBe(expected);
});

test('a head, large bodies and pieces go out in order', async () => {
  const { near, far } = await socketPair();
  const out = new Outgoing();
  const large = 'l'.repeat(100_000);
  out
    .begin()
    .text('one ')
    .send(near, [Buffer.from(large)]);
  out
    .begin()
    .text(' two ')
    .send(near, ['5\r\n', Buffer.from('hello'), '\r\n']);
  out.begin().text('three ').send(near, ['text']);
  out.begin().text(' four').send(near);
  out.flush();
  near.end();
  expect(await readAll(far)).toBe(`one ${large} two 5\r\nhello\r\nthree text four`);
});

test('what is sent in one turn goes out at its end, to each its own', async () => {
  const pairs = await Promise.all(Array.from({ length: 100 }, socketPair));
  const { turn } = outgoing;
  // More than are kept waiting: the first of them go out before.
  for (const [i, { near }] of pairs.entries()) outgoing.begin().text(`for ${i}, `).send(near);
  const { near } = pairs[99] as (typeof pairs)[number];
  expect(near.bytesWritten).toBe(0);
  outgoing.begin().text('put together and not sent');
  await new Promise((resolve) => setImmediate(resolve));
  expect(near.bytesWritten).toBeGreaterThan(0);
  expect(outgoing.turn).toBeGreaterThan(turn);
  for (const { near } of pairs) outgoing.begin().text('and again').send(near);
  await new Promise((resolve) => setImmediate(resolve));
  for (const { near } of pairs) near.end();
  const read = await Promise.all(pairs.map(({ far }) => readAll(far)));
  expect(read).toEqual(pairs.map((_, i) => `for ${i}, and again`));
});

test('a large body that can wait goes out at the end of the turn, behind its head and before what came later', async () => {
  const [first, second] = (await Promise.all([socketPair(), socketPair()])) as [
    Awaited<ReturnType<typeof socketPair>>,
    Awaited<ReturnType<typeof socketPair>>,
  ];
  const large = 'l'.repeat(20_000);
  outgoing.begin().text('one ').send(second.near);
  outgoing
    .begin()
    .text('head ')
    .send(first.near, [Buffer.from(large), 'end'], true);
  outgoing.begin().text('two').send(second.near);
  expect(first.near.bytesWritten + second.near.bytesWritten).toBe(0);
  await new Promise((resolve) => setImmediate(resolve));
  outgoing
    .begin()
    .text(' head ')
    .send(first.near, [Buffer.from(large)], true);
  // By other means: what waits goes first.
  writePieces(first.near, [' rest']);
  first.near.end();
  second.near.end();
  expect(await Promise.all([readAll(first.far), readAll(second.far)])).toEqual([
    `head ${large}end head ${large} rest`,
    'one two',
  ]);
});

test('what is written now to a socket stands behind what was sent to it before', async () => {
  const { near, far } = await socketPair();
  outgoing
    .begin()
    .text('head, ')
    .send(near, [Buffer.from('beginning, ')]);
  writePieces(near, ['middle, ', Buffer.from('end')]);
  near.end();
  expect(await readAll(far)).toBe('head, beginning, middle, end');
});

test('a socket that was destroyed meanwhile keeps nobody else from what is theirs', async () => {
  const [first, second, third] = (await Promise.all([socketPair(), socketPair(), socketPair()])) as [
    Awaited<ReturnType<typeof socketPair>>,
    Awaited<ReturnType<typeof socketPair>>,
    Awaited<ReturnType<typeof socketPair>>,
  ];
  for (const [i, { near }] of [first, second, third].entries()) outgoing.begin().text(`for ${i}`).send(near);
  second.near.destroy();
  outgoing.flush();
  for (const { near } of [first, third]) near.end();
  expect(await Promise.all([readAll(first.far), readAll(third.far)])).toEqual(['for 0', 'for 2']);
});

test('a message may be larger than the buffer, and hold any byte of latin1', () => {
  const out = new Outgoing().begin();
  const value = '\xe9'.repeat(50_000);
  out.text('a').field('X', value).copy(Buffer.from('0123'), 1, 3);
  expect(String(out)).toBe(`aX: ${value}\r\n12`);
});
