import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createFrontDoor, type FrontDoor } from '../../src/wire/front-door.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { type FakeGate, fakeGate } from './fake-gate.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

async function socketPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jwtgate-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'door.sock');
}

async function openUnixDoor(path: string, mode?: number): Promise<{ door: FrontDoor; gate: FakeGate }> {
  const upstream = await startRawUpstream();
  onTestFinished(() => upstream.close());
  const gate = fakeGate({ upstream: upstream.upstream });
  const listen = { kind: 'unix', path, ...(mode !== undefined && { mode }) } as const;
  const door = await createFrontDoor({ listen, gate: () => gate });
  onTestFinished(() => door.close({ drainMs: 0 }));
  return { door, gate };
}

test('a unix socket serves, with the wanted permissions, and its file goes with the door', async () => {
  const path = await socketPath();
  const { door, gate } = await openUnixDoor(path, 0o600);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await rawRequest({ path }, get)).toMatchObject({ status: 200, body: 'ok' });
  expect(gate.heads[0]?.peer).toBe('');
  expect(door.address).toEqual({ kind: 'unix', path, mode: 0o600 });
  await door.close({ drainMs: 0 });
  expect(existsSync(path)).toBe(false);
});

test('permissions are for owner and group unless told otherwise', async () => {
  const path = await socketPath();
  await openUnixDoor(path);
  expect((await stat(path)).mode & 0o777).toBe(0o660);
});

test('a socket file that a killed process left behind is replaced', async () => {
  const path = await socketPath();
  const child = fork(fileURLToPath(new URL('./leave-socket-behind.ts', import.meta.url)), [path]);
  await once(child, 'message');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(existsSync(path)).toBe(true);
  await openUnixDoor(path);
  expect((await rawRequest({ path }, get)).status).toBe(200);
});

test('a socket that somebody answers on is left alone', async () => {
  const path = await socketPath();
  const other = createServer((socket) => socket.on('error', () => undefined).end('mine'));
  other.listen({ path });
  await once(other, 'listening');
  onTestFinished(() => void other.close());
  await expect(openUnixDoor(path)).rejects.toThrow('EADDRINUSE');
  expect(existsSync(path)).toBe(true);
});

test('a file that is no socket is left alone', async () => {
  const path = await socketPath();
  await writeFile(path, 'precious');
  await expect(openUnixDoor(path)).rejects.toThrow('EADDRINUSE');
  expect(existsSync(path)).toBe(true);
});

test('a port that is taken rejects', async () => {
  const upstream = await startRawUpstream();
  onTestFinished(() => upstream.close());
  const gate = fakeGate({ upstream: upstream.upstream });
  const listen = { kind: 'tcp', host: '127.0.0.1', port: upstream.port } as const;
  await expect(createFrontDoor({ listen, gate: () => gate })).rejects.toThrow('EADDRINUSE');
});
