import { expect, onTestFinished, test } from 'vitest';
import { createFrontDoor } from '../../src/wire/front-door.ts';
import { openRawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { allow, type FakeGate, fakeGate } from './fake-gate.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** A door whose gate can be exchanged for another, as a reload does. */
async function startReloadable(first: FakeGate) {
  let current = first;
  const door = await createFrontDoor({ listen: { kind: 'tcp', host: '127.0.0.1', port: 0 }, gate: () => current });
  onTestFinished(() => door.close({ drainMs: 0 }));
  if (door.address.kind !== 'tcp') throw new Error('not a TCP listener');
  const { port } = door.address;
  return {
    reload: (next: FakeGate) => {
      current = next;
    },
    client: async () => {
      const client = await openRawClient({ port });
      onTestFinished(() => client.destroy());
      return client;
    },
  };
}

async function startUpstream() {
  const upstream = await startRawUpstream();
  onTestFinished(() => upstream.close());
  return upstream;
}

test('a request keeps the gate it began with, the next one on the same connection has the new one', async () => {
  const { upstream } = await startUpstream();
  const waiting = Promise.withResolvers<void>();
  const before = fakeGate({
    upstream,
    decide: async (head) => {
      await waiting.promise;
      return allow(upstream, head);
    },
  });
  const after = fakeGate({ upstream });
  const { reload, client } = await startReloadable(before);
  const connection = await client();
  connection.send(get);
  await until('the first gate was asked', () => before.heads.length === 1);
  reload(after);
  connection.send(get);
  waiting.resolve();
  expect((await connection.response()).status).toBe(200);
  expect((await connection.response()).status).toBe(200);
  expect(await before.gotOutcomes(1)).toHaveLength(1);
  expect(await after.gotOutcomes(1)).toHaveLength(1);
  expect([before.heads.length, after.heads.length]).toEqual([1, 1]);
});

test('head limits follow a reload: the count at once, the bytes up for new connections and down at once', async () => {
  const { upstream } = await startUpstream();
  const small = { headerBytes: 1_000, headerCount: 5 };
  const { reload, client } = await startReloadable(fakeGate({ upstream }));
  const old = await client();
  old.send(get);
  expect((await old.response()).status).toBe(200);
  reload(fakeGate({ upstream, limits: small }));
  old.send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(2_000)}\r\n\r\n`);
  expect((await old.response()).status).toBe(431);
  const many = await client();
  many.send(`GET / HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(5)}\r\n`);
  expect((await many.response()).status).toBe(431);
  reload(fakeGate({ upstream, limits: { headerBytes: 50_000 } }));
  const large = await client();
  large.send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`);
  expect((await large.response()).status).toBe(200);
});

test('the header time follows a reload', async () => {
  const { upstream } = await startUpstream();
  const { reload, client } = await startReloadable(fakeGate({ upstream, timeouts: { headerMs: 400 } }));
  reload(fakeGate({ upstream, timeouts: { headerMs: 60_000 } }));
  const patient = await client();
  patient.send('GET / HTTP/1.1\r\nHost: a\r\n');
  await new Promise((resolve) => setTimeout(resolve, 700));
  patient.send('\r\n');
  expect((await patient.response()).status).toBe(200);
});
