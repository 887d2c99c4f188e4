import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { OperatorListener } from '../../src/ops/operator-listener.ts';
import { createOpsListener, type OpsAnswer, textAnswer } from '../../src/ops/ops-listener.ts';
import { newFolder } from '../support/scratch-folder.ts';

const open: OperatorListener[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close()));
});

async function start(address: Parameters<typeof createOpsListener>[0] = { kind: 'tcp', host: '127.0.0.1', port: 0 }) {
  const listener = await createOpsListener(
    address,
    new Map<string, () => OpsAnswer | Promise<OpsAnswer>>([
      ['/livez', () => textAnswer(200, 'ok\n')],
      ['/broken', () => Promise.reject(new Error('secret of ours'))],
    ]),
    async (server, { path }) => {
      await once(server.listen({ path }), 'listening');
    },
  );
  open.push(listener);
  return listener;
}

async function ask(listener: OperatorListener, method: string, path: string) {
  const response = await fetch(`http://${listener.address}${path}`, { method });
  return { status: response.status, body: await response.text(), headers: response.headers };
}

test('GET and HEAD are answered, with or without a query', async () => {
  const listener = await start();
  expect(await ask(listener, 'GET', '/livez?verbose')).toMatchObject({ status: 200, body: 'ok\n' });
  expect(await ask(listener, 'HEAD', '/livez')).toMatchObject({ status: 200, body: '' });
});

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])(
  '%s is answered with 405 and what is allowed',
  async (method) => {
    const { status, headers } = await ask(await start(), method, '/livez');
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe('GET, HEAD');
  },
);

test('an unknown path is answered with 404', async () => {
  const listener = await start();
  for (const path of ['/', '/livez/', '/LIVEZ', '//livez', '/..%2flivez']) {
    expect((await ask(listener, 'GET', path)).status, path).toBe(404);
  }
});

test('a handler that fails is a 500 that tells nothing', async () => {
  expect(await ask(await start(), 'GET', '/broken')).toMatchObject({ status: 500, body: 'failed\n' });
});

test('bytes that are no HTTP close the connection and nothing else', async () => {
  const listener = await start();
  const [host, port] = listener.address.split(':') as [string, string];
  const socket = connect(Number(port), host);
  socket.on('error', () => {});
  socket.write('\x16\x03\x01\x02\x00 not http\r\n\r\n');
  await once(socket, 'close');
  expect((await ask(listener, 'GET', '/livez')).status).toBe(200);
});

test('it listens on a unix socket too', async () => {
  const socketPath = join(newFolder(), 'ops.sock');
  const listener = await start({ kind: 'unix', path: socketPath });
  expect(listener.address).toBe(`unix:${socketPath}`);
  const [response] = await once(request({ socketPath, path: '/livez' }).end(), 'response');
  expect(response.statusCode).toBe(200);
  response.resume();
});

test('an address that is taken is an error that names its code', async () => {
  const listener = await start();
  const port = Number(listener.address.split(':')[1]);
  await expect(start({ kind: 'tcp', host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('closing does not wait for a client that stays connected', async () => {
  const listener = await start();
  const socket = connect(Number(listener.address.split(':')[1]), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  await listener.close();
  if (!socket.closed) await once(socket, 'close');
});
