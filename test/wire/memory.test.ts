import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { untilStill } from '../support/until.ts';

const bodyBytes = 200 * 1024 * 1024;
/** While nothing moves: what stands in the streams' own buffers. */
const mostHeldBytes = 16 * 1024 * 1024;
/** At full speed: chunks that were passed on and wait for the garbage collector. */
const mostMovingBytes = 80 * 1024 * 1024;

async function startUpstream(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function startProxy(
  upstreamPort: number,
): Promise<{ child: ChildProcess; port: number; rss: () => Promise<number> }> {
  const script = fileURLToPath(new URL('./serve-for-memory.ts', import.meta.url));
  // As the executable runs.
  const child = fork(script, [String(upstreamPort)], { execArgv: ['--max-semi-space-size=1'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const rss = async () => {
    child.send('rss');
    const [answer] = (await once(child, 'message')) as [{ rss: number }];
    return answer.rss;
  };
  return { child, port, rss };
}

/** Writes `bodyBytes` as fast as they are taken; `pushed` is how much that was so far. */
function push(socket: Socket): { pushed: () => number } {
  const chunk = Buffer.alloc(256 * 1024, 'x');
  let pushed = 0;
  const more = () => {
    while (pushed < bodyBytes) {
      pushed += chunk.byteLength;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', more);
  more();
  return { pushed: () => pushed };
}

/** Reads all there is, but nothing at all until it is told to. */
function pull(socket: Socket, wanted: number): { start: () => void; done: Promise<void> } {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let pulled = 0;
  return {
    start: () => {
      socket.on('data', (chunk) => {
        pulled += chunk.length;
        if (pulled >= wanted) resolve();
      });
      socket.resume();
    },
    done,
  };
}

test('a slow client and a fast upstream: 200 MiB down leave memory flat', async () => {
  let pushing: ReturnType<typeof push> | undefined;
  const upstreamPort = await startUpstream((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bodyBytes}\r\n\r\n`);
      pushing = push(socket);
    });
  });
  const { port, rss } = await startProxy(upstreamPort);
  const client = connect({ port }).pause();
  onTestFinished(() => void client.destroy());
  const before = await rss();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const pulling = pull(client, bodyBytes);
  await untilStill(() => pushing?.pushed() ?? -2);
  expect((await rss()) - before).toBeLessThan(mostHeldBytes);
  expect(pushing?.pushed()).toBeLessThan(bodyBytes / 4);
  pulling.start();
  await pulling.done;
  expect((await rss()) - before).toBeLessThan(mostMovingBytes);
});

test.for([
  ['with a length', `Content-Length: ${bodyBytes}\r\n\r\n`],
  ['as one chunk', `Transfer-Encoding: chunked\r\n\r\n${bodyBytes.toString(16)}\r\n`],
] as const)('a fast client and a slow upstream: 200 MiB up %s leave memory flat', async ([, rest]) => {
  const reached = Promise.withResolvers<Socket>();
  const upstreamPort = await startUpstream((socket) => {
    socket.pause();
    reached.resolve(socket);
  });
  const { port, rss } = await startProxy(upstreamPort);
  const client = connect({ port });
  client.on('error', () => undefined);
  onTestFinished(() => void client.destroy());
  const before = await rss();
  client.write(`POST / HTTP/1.1\r\nHost: a\r\n${rest}`);
  const { pushed } = push(client);
  const upstreamSocket = await reached.promise;
  const pulling = pull(upstreamSocket, bodyBytes);
  await untilStill(pushed);
  expect((await rss()) - before).toBeLessThan(mostHeldBytes);
  expect(pushed()).toBeLessThan(bodyBytes / 4);
  pulling.start();
  await pulling.done;
  expect((await rss()) - before).toBeLessThan(mostMovingBytes);
});
