import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { openChannel } from '../../../src/server/workers/channel.ts';

type Theirs = {
  readonly client: { ask: undefined; answer: undefined };
  readonly word: { ask: undefined; answer: string };
};

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process at the other end, which says 'up' first. */
async function otherEnd(code: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', `process.on('message', () => {}); process.send('up'); ${code}`], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  children.push(child);
  await once(child, 'message');
  return child;
}

test('whoever asked a process that was killed with a socket on its way to it hears so at once, and not at the deadline', async () => {
  const child = await otherEnd('');
  const channel = openChannel<Record<never, never>, Theirs>(child, {}, () => undefined);
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port);
  const [socket] = await once(server, 'connection');

  child.kill('SIGSTOP');
  channel.tell('client', undefined, socket);
  const word = channel.ask('word', undefined, 3_600_000);
  child.kill('SIGKILL');
  expect(await word).toBeUndefined();
  expect(channel.waiting).toBe(0);
  expect(socket.destroyed).toBe(false);
  socket.destroy();
  client.destroy();
  server.close();
});
