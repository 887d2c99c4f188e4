import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { tryConnection, tryRequest } from '../../../src/wire/try-upstream.ts';
import { startHttp2Upstream } from '../../support/http2-upstream.ts';
import { upstreamAt } from '../../support/upstream.ts';

test.for([{ tls: false }, { tls: true }])(
  'an upstream of HTTP/2 is tried as traffic would reach it: %j',
  async (options) => {
    const upstream = await startHttp2Upstream(({ stream, headers }) => {
      stream.respond({ ':status': headers.authorization === 'Bearer x' ? 204 : 401 }, { endStream: true });
    }, options);
    onTestFinished(() => upstream.close());
    expect(await tryConnection(upstream.upstream, 5_000)).toEqual({ kind: 'connected' });
    expect(await tryRequest(upstream.upstream, '/status', { Authorization: 'Bearer x', Host: 'a' }, 5_000)).toEqual({
      kind: 'answered',
      status: 204,
    });
    expect(upstream.requests[0]?.headers).toMatchObject({ ':path': '/status', ':authority': 'a' });
  },
);

test('one that is not there, or speaks something else, is unreachable', async () => {
  const server = createServer(
    (socket) =>
      void socket
        .on('error', () => undefined)
        .resume()
        .end('HTTP/1.1 400 Bad\r\n\r\n'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  expect(await tryConnection(upstreamAt(port, { http2: true }), 5_000)).toMatchObject({ kind: 'unreachable' });
  server.close();
  await once(server, 'close');
  const gone = { kind: 'unreachable', detail: 'ECONNREFUSED' };
  expect(await tryConnection(upstreamAt(port, { http2: true }), 5_000)).toEqual(gone);
  expect(await tryRequest(upstreamAt(port, { http2: true }), '/', {}, 5_000)).toEqual(gone);
});
