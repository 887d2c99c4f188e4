import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createFrontDoor } from '../../src/wire/front-door.ts';
import { rawClientOn } from '../support/raw-client.ts';
import { secretOf, tokenOf } from '../support/running-gate.ts';
import { connectTls, localhostTls } from '../support/tls.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { gateOf } from '../wire/verify/verify-rig.ts';

// Of a TCP client that has reset its connection nobody can tell the address any more, while what it sent can be read. A
// client without an address is one on a unix socket, which this config trusts with X-Forwarded-*.

const configText = (port: number) => `
upstream: http://127.0.0.1:${port}
trustedProxies: [unix]
tenants: {acme: {secret: ${secretOf('acme')}, algorithms: [HS256]}}
`;

const request = (...fields: string[]) =>
  [
    'POST /x HTTP/1.1',
    'Host: a',
    `Authorization: Bearer ${tokenOf('acme')}`,
    ...fields,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');

test.for([
  ['auto', 'TCP'],
  ['node', 'TCP'],
  ['auto', 'TLS'],
  ['node', 'TLS'],
] as const)('a client that resets is not trusted for one on a unix socket (lane %s, %s)', async ([lane, over]) => {
  const upstream = await startRawUpstream();
  onTestFinished(() => upstream.close());
  const { gate, outcomes } = await gateOf(configText(upstream.port));
  const door = await createFrontDoor({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    gate: () => gate,
    lane,
    tls: over === 'TLS' ? localhostTls() : undefined,
  });
  onTestFinished(() => door.close({ drainMs: 0 }));
  const port = door.address.kind === 'tcp' ? door.address.port : 0;
  const open = async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    if (over === 'TCP') return { socket, speaks: socket };
    return { socket, speaks: await connectTls({ socket }) };
  };

  const forged = request('X-Forwarded-User: admin', 'X-Forwarded-For: 192.0.2.6');
  for (let round = 0; round < 20; round++) {
    const left = Array.from({ length: 10 }, async () => {
      const { socket, speaks } = await open();
      speaks.on('error', () => undefined);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      speaks.write(forged, () => socket.resetAndDestroy());
      await closed;
    });
    await Promise.all(left);
  }
  const client = rawClientOn((await open()).speaks);
  onTestFinished(() => client.destroy());
  client.send(request());
  expect(await client.response()).toMatchObject({ status: 200 });
  expect(upstream.received).not.toContain('admin');
  expect(upstream.received).not.toContain('unknown');
  expect(outcomes.map(({ head }) => head?.peer ?? '127.0.0.1')).not.toContain('');
});
