import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { RawClient } from '../support/raw-client.ts';
import { openRawClient } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { fakeGate } from '../wire/fake-gate.ts';
import { openDoor } from '../wire/lane-rig.ts';

// Buffers are used again, for the same connection and for others. A client that takes nothing holds on to what was
// written to it, and would see what is written over it: bytes from elsewhere in its answer, or of somebody else's.

/** Says at each place whose it is and where in the whole one is. */
function cells(owner: string, from: number, count: number): string {
  return Array.from({ length: count }, (_, index) => `<${owner} ${String(from + index).padStart(9, '0')}>`).join('');
}

const cellBytes = cells('a', 0, 1).length;

interface Rig {
  readonly stuck: RawClient;
  /** Somebody else's request, and its answer. */
  askElsewhere(): Promise<void>;
}

/** `answer` is called for each request; those of /b are answered here. */
async function startRig(answer: (socket: Socket, target: string) => void): Promise<Rig> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        for (const [, target] of chunk.toString('latin1').matchAll(/^GET (\S+)/gm)) {
          if (target === '/b')
            socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${100 * cellBytes}\r\n\r\n${cells('b', 0, 100)}`);
          else answer(socket, target as string);
        }
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const named = await startRawUpstream();
  onTestFinished(() => named.close());
  const { port } = await openDoor(
    fakeGate({ upstream: { ...named.upstream, port: (server.address() as AddressInfo).port } }),
  );
  const [stuck, other] = [await openRawClient({ port }), await openRawClient({ port })];
  onTestFinished(stuck.destroy);
  onTestFinished(other.destroy);
  stuck.socket.pause();
  return {
    stuck,
    async askElsewhere() {
      other.send('GET /b HTTP/1.1\r\nHost: a\r\n\r\n');
      const { body } = await other.response();
      expect(body === cells('b', 0, 100)).toBe(true);
    },
  };
}

/** Until nothing moves any more, however much is asked for elsewhere. */
async function untilStuck({ askElsewhere }: Rig, progress: () => number): Promise<void> {
  for (let still = 0; still < 20; still++) {
    const before = progress();
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    if (progress() === before && before > 0) await askElsewhere();
    if (progress() !== before || before === 0) still = -1;
  }
}

test('a client that takes none of a long answer, which comes in small pieces, gets all of it as it was', async () => {
  // More than the buffers of two connections hold, though Linux lets one grow to 32 MiB.
  const pieces = 48_000;
  let sent = 0;
  const rig = await startRig((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${pieces * 100 * cellBytes}\r\n\r\n`);
    const sendOn = () => {
      if (sent === pieces) return;
      socket.write(cells('a', 100 * sent++, 100), () => setImmediate(sendOn));
    };
    sendOn();
  });
  rig.stuck.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
  await untilStuck(rig, () => sent);
  expect(sent).toBeLessThan(pieces);
  const all = cells('a', 0, 100 * pieces);
  // What the client has is text that grows: to look for the answer's end in it at each piece would take minutes.
  const { socket } = rig.stuck;
  let bytes = rig.stuck.received;
  socket.removeAllListeners('data');
  const parts: Buffer[] = [];
  let have = bytes.length;
  for await (const part of socket) {
    parts.push(part);
    have += part.length;
    if (have > all.length && (bytes + Buffer.concat(parts).toString('latin1')).endsWith(all.slice(-cellBytes))) break;
  }
  bytes += Buffer.concat(parts).toString('latin1');
  expect(bytes.slice(bytes.indexOf('\r\n\r\n') + 4) === all).toBe(true);
});

test('a client that takes none of many short answers gets all of them as they were', async () => {
  const requests = 20_000;
  let answered = 0;
  const rig = await startRig((socket) => {
    const body = cells('a', 100 * answered++, 100);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  rig.stuck.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(requests));
  await untilStuck(rig, () => answered);
  expect(answered).toBeLessThan(requests);
  const seen = answered;
  rig.stuck.socket.resume();
  for (let index = 0; index < seen; index++) {
    const { body } = await rig.stuck.response();
    if (body !== cells('a', 100 * index, 100)) expect(body).toBe(cells('a', 100 * index, 100));
  }
});
