import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { openRawClient, type RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { refusal } from './fake-gate.ts';
import { startLane } from './lane-rig.ts';

// A request may be answered before all of it is there. What still comes is read into nothing, so that the client can
// read the answer and go on; but neither without end nor for ever.

const post = 'POST / HTTP/1.1\r\nHost: a\r\n';
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const early = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const answerAtOnce = (text: string) => (text.includes('\r\n\r\n') ? early : undefined);
const chunk = `40000\r\n${'x'.repeat(0x40000)}\r\n`;

/** Sends until the connection is closed; how many bytes that took. */
async function sendUntilClosed(client: RawClient, text: string): Promise<number> {
  const { socket } = client;
  socket.on('error', () => undefined);
  const bytes = Buffer.from(text, 'latin1');
  let sent = 0;
  while (!socket.destroyed && socket.writable) {
    sent += bytes.length;
    if (!socket.write(bytes)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    else await new Promise(setImmediate);
  }
  return sent;
}

test('after an answer that came early the rest of the body is read into nothing, and the connection kept', async () => {
  const lane = await startLane({ reply: answerAtOnce });
  const client = await lane.client();
  client.send(`${post}Content-Length: 3000000\r\n\r\nbeginning`);
  expect((await client.response()).status).toBe(200);
  client.send(`${'x'.repeat(3_000_000 - 'beginning'.length)}${get}`);
  expect((await client.response()).status).toBe(200);
  await lane.gate.gotOutcomes(2);
});

test('attack: a body without end after an early answer does not hold the connection', async () => {
  const lane = await startLane({ reply: answerAtOnce });
  const client = await lane.client();
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
  expect((await client.response()).status).toBe(200);
  // Some of it is on its way, in buffers, when the connection ends.
  expect(await sendUntilClosed(client, chunk)).toBeLessThan(64 * 1024 * 1024);
  await until('the door has let go of the client', () => lane.door.openConnections === 0);
});

test('attack: nor does one of a length that will never be reached', async () => {
  const lane = await startLane({ reply: answerAtOnce });
  const client = await lane.client();
  client.send(`${post}Content-Length: 100000000000\r\n\r\nbeginning`);
  expect((await client.response()).status).toBe(200);
  expect(await sendUntilClosed(client, chunk)).toBeLessThan(64 * 1024 * 1024);
  await until('the door has let go of the client', () => lane.door.openConnections === 0);
});

test.for([
  ['relayed', undefined],
  ['refused', () => refusal('tokenMissing')],
] as const)('attack: a body that drips after an early answer, %s, does not hold the connection', async ([, decide]) => {
  const lane = await startLane({
    reply: answerAtOnce,
    timeouts: { idleMs: 1_000 },
    ...(decide !== undefined && { decide }),
  });
  const client = await lane.client();
  client.socket.on('error', () => undefined);
  client.send(`${post}Content-Length: 60000\r\n\r\nbeginning`);
  expect((await client.response()).status).toBe(decide === undefined ? 200 : 401);
  const drip = setInterval(() => client.socket.writable && client.send('x'), 20);
  await client.closed();
  clearInterval(drip);
  await until('the door has let go of the client', () => lane.door.openConnections === 0);
});

test('a drain does not wait for a body that nobody wants', async () => {
  const lane = await startLane({ reply: answerAtOnce });
  const client = await lane.client();
  client.send(`${post}Content-Length: 60000\r\n\r\nbeginning`);
  expect((await client.response()).status).toBe(200);
  await lane.gate.gotOutcomes(1);
  client.send('more');
  const drained = lane.door.close({ drainMs: 600_000 });
  await client.closed();
  client.socket.end();
  await drained;
});

test('attack: a flood behind a refusal that ends the connection is read for a while, and no further', async () => {
  const lane = await startLane({ decide: () => refusal('tokenMissing') });
  // It ignores that we have ended our side.
  const client = await openRawClient({ port: lane.port, allowHalfOpen: true });
  onTestFinished(() => client.destroy());
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
  expect((await client.response()).status).toBe(401);
  expect(await sendUntilClosed(client, chunk)).toBeLessThan(128 * 1024 * 1024);
  await until('the door has let go of the client', () => lane.door.openConnections === 0);
});
