import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDocumentFetcher } from '../../src/keys/fetch-document.ts';
import { call } from '../../src/outbound/call.ts';
import { createRedisConnection } from '../../src/state/redis-connection.ts';
import { tryRedis } from '../../src/state/try-redis.ts';
import { testCertificates } from '../support/certificates.ts';
import { until } from '../support/until.ts';

/* A variable that somebody set for something else, years ago, must not let anybody hand us keys. */

const name = 'NODE_TLS_REJECT_UNAUTHORIZED';
const before = process.env[name];
beforeAll(() => {
  process.env[name] = '0';
});
afterAll(() => {
  if (before === undefined) delete process.env[name];
  else process.env[name] = before;
});

const { signal } = new AbortController();
const common = { headers: {}, timeoutMs: 20_000, maxBytes: 1_000, ca: undefined, signal };

test(`${name}=0 lets nobody without a certificate hand us keys, lists or tokens`, async () => {
  let answered = 0;
  const server = createServer(testCertificates().server, (_request, response) => {
    answered++;
    response.end('{"keys":[]}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}/`);
  const fetched = await createDocumentFetcher(
    {},
    Date.now,
  )({
    ...common,
    url,
    validators: {},
    skipCaches: false,
    reuseMs: 0,
    source: url.href,
  });
  expect(fetched).toMatchObject({ kind: 'failed', code: 'tls' });
  expect(await call({ ...common, url, method: 'POST', body: 'assertion=secret', env: {} })).toMatchObject({
    kind: 'none',
    detail: expect.stringMatching(/SIGNED|VERIFY/),
  });
  expect(answered).toBe(0);
  server.close();
});

test(`${name}=0 lets nobody without a certificate be our Redis, and see its password`, async () => {
  let seen = '';
  const server = createTlsServer(testCertificates().server, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      seen += chunk.toString();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `rediss://gate:open-sesame@localhost:${(server.address() as AddressInfo).port}`;
  const events: { readonly kind: string }[] = [];
  const connection = createRedisConnection({ url, timeoutMs: 20_000, onEvent: (event) => events.push(event) });
  await until('refused', () => events.length > 0);
  expect(events[0]).toMatchObject({ kind: 'lost', detail: expect.stringMatching(/SIGNED|VERIFY/) });
  expect(await tryRedis(url, 20_000)).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/SIGNED|VERIFY/) });
  expect(seen).toBe('');
  connection.close();
  server.close();
});
