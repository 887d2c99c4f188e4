import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFrontDoor } from '../../../src/wire/front-door.ts';
import { createTlsAcceptor } from '../../../src/wire/tls/tls-acceptor.ts';
import { newAuthority, testCertificates } from '../../support/certificates.ts';
import { openRawClient } from '../../support/raw-client.ts';
import { connectTls, localhostTls, openTlsClient, serverTls } from '../../support/tls.ts';
import { fewTurns, until } from '../../support/until.ts';
import { startRawUpstream } from '../../support/upstream.ts';
import { fakeGate } from '../fake-gate.ts';
import { startTlsDoor } from './tls-rig.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('what is spoken', () => {
  test.for(['TLSv1.2', 'TLSv1.3'] as const)('%s: requests take the fast lane, and say https', async (version) => {
    const { port, gate, handshakes } = await startTlsDoor();
    const client = await openTlsClient({ port, minVersion: version, maxVersion: version });
    for (let i = 0; i < 2; i++) {
      client.send(get);
      expect((await client.response()).status).toBe(200);
    }
    const [first] = await gate.gotOutcomes(2);
    expect(first).toMatchObject({ lane: 'fast', head: { scheme: 'https', peer: '127.0.0.1' } });
    expect(handshakes).toEqual(['complete']);
    client.destroy();
  });

  test('an odd request goes on in the node lane, TLS and all', async () => {
    const { port, gate } = await startTlsDoor();
    const client = await openTlsClient({ port });
    client.send(get);
    await client.response();
    client.send('PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.response()).status).toBe(200);
    client.send(get);
    expect((await client.response()).status).toBe(200);
    const outcomes = await gate.gotOutcomes(3);
    expect(outcomes.map(({ lane }) => lane)).toEqual(['fast', 'node', 'node']);
    expect(outcomes[2]?.head?.scheme).toBe('https');
    client.destroy();
  });

  test.for([
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['a suite without forward secrecy', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }],
    ['a suite without authenticated encryption', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' }],
  ] as const)('%s is not spoken', async ([, options]) => {
    const { port, handshakes } = await startTlsDoor();
    await expect(connectTls({ port, ...options })).rejects.toThrow();
    await until('the handshake failed', () => handshakes.length === 1);
    expect(handshakes[0]).toMatch(/^unsupported ERR_SSL_/);
  });

  test('minVersion TLSv1.3 refuses TLS 1.2', async () => {
    const { port, handshakes } = await startTlsDoor(localhostTls({ minVersion: 'TLSv1.3' }));
    await expect(connectTls({ port, maxVersion: 'TLSv1.2' })).rejects.toThrow();
    await until('the handshake failed', () => handshakes.length === 1);
    expect(handshakes[0]).toMatch(/^unsupported/);
  });

  test('a client that asks for a renegotiation gets none', async () => {
    const { port } = await startTlsDoor();
    const socket = await connectTls({ port, maxVersion: 'TLSv1.2' });
    const refused = await new Promise<Error | null>((resolve) => {
      socket.on('error', resolve);
      socket.renegotiate({}, (error) => resolve(error));
    });
    expect(String(refused)).toContain('no renegotiation');
    socket.destroy();
  });

  test('a client that leaves because it does not believe the certificate is counted', async () => {
    const { port, handshakes } = await startTlsDoor();
    await expect(connectTls({ port, ca: newAuthority('another CA').ca })).rejects.toThrow();
    await until('it is counted', () => handshakes.length === 1);
    // Node's client leaves without a word; with one it is 'distrusted'.
    expect(handshakes[0]).toMatch(/^aborted/);
  });

  test.skipIf(!hasOpenssl)('a client that says why it leaves is heard (needs openssl)', async () => {
    const { port, handshakes } = await startTlsDoor();
    const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-verify_return_error', '-tls1_2']);
    await once(client, 'close');
    expect(handshakes).toEqual(['distrusted ERR_SSL_TLSV1_ALERT_UNKNOWN_CA']);
  });
});

describe('what is not TLS', () => {
  test('plain HTTP is told where it is, and is counted and reported', async () => {
    const { port, gate, handshakes } = await startTlsDoor();
    const client = await openRawClient({ port, host: '127.0.0.1' });
    client.send(get);
    const answer = await client.response();
    expect(answer).toMatchObject({ status: 400, headers: { 'content-type': 'text/plain; charset=utf-8' } });
    expect(answer.body).toContain('https://');
    await client.closed();
    expect(handshakes).toEqual(['notTls no TLS record']);
    expect(await gate.gotOutcomes(1)).toMatchObject([{ status: 400, decision: { reason: 'requestRefused' } }]);
    expect(gate.heads).toEqual([]);
    client.destroy();
  });

  test.for([
    ['a byte that begins nothing', '\x00'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['an old SSL hello', '\x80\x2e\x01\x00\x02'],
  ])('%s ends the connection', async ([, bytes]) => {
    const { port, handshakes } = await startTlsDoor();
    const client = await openRawClient({ port, host: '127.0.0.1' });
    client.send(bytes as string);
    await client.closed();
    expect(handshakes).toEqual(['notTls no TLS record']);
    client.destroy();
  });

  test('a client that says nothing, or half a hello, is cut after timeouts.header', async () => {
    const { port, door, handshakes } = await startTlsDoor(localhostTls(), { timeouts: { headerMs: 300 } });
    const silent = await openRawClient({ port, host: '127.0.0.1' });
    const slow = await openRawClient({ port, host: '127.0.0.1' });
    slow.send('\x16\x03\x01\x02\x00\x01\x00');
    await Promise.all([silent.closed(), slow.closed()]);
    expect(handshakes).toEqual(['timeout not within 300 ms', 'timeout not within 300 ms']);
    await until('nothing is kept of them', () => door.openConnections === 0);
  });

  test('a drip of bytes does not put the time-out off', async () => {
    const { port, handshakes } = await startTlsDoor(localhostTls(), { timeouts: { headerMs: 400 } });
    const slow = await openRawClient({ port, host: '127.0.0.1' });
    slow.send('\x16\x03\x01\x02\x00');
    const drip = setInterval(() => slow.send('\x00'), 50);
    await slow.closed();
    clearInterval(drip);
    await until('it is counted', () => handshakes.length === 1);
    expect(handshakes[0]).toMatch(/^(timeout|failed)/);
  });

  test('a client that leaves in the middle of its hello is counted as that', async () => {
    const { port, door, handshakes } = await startTlsDoor();
    const client = await openRawClient({ port, host: '127.0.0.1' });
    client.send('\x16\x03\x01\x02\x00\x01\x00');
    await until('it is accepted', () => door.openConnections === 1);
    await fewTurns();
    client.socket.resetAndDestroy();
    await until('it is counted', () => handshakes.length === 1);
    expect(handshakes[0]).toMatch(/^aborted/);
  });

  test('broken hellos harm nobody', async () => {
    const { port, handshakes } = await startTlsDoor();
    const bytes = ['\x16\x03\x01\xff\xff', '\x16\x03\x01\x00\x05\x01\x02\x03\x04\x05', '\x16'.repeat(600)];
    const clients = await Promise.all(bytes.map(() => openRawClient({ port, host: '127.0.0.1' })));
    for (const [index, client] of clients.entries()) {
      client.send(bytes[index] as string);
      client.socket.end();
    }
    await Promise.all(clients.map((client) => client.closed()));
    await until('all are counted', () => handshakes.length === bytes.length);
    const client = await openTlsClient({ port });
    client.send(get);
    expect((await client.response()).status).toBe(200);
    client.destroy();
  });

  test('handshakes that wait crowd out the oldest of them, not an honest client', async () => {
    const ends: string[] = [];
    const acceptor = createTlsAcceptor({
      tls: localhostTls(),
      handshakeMs: () => 20_000,
      onSecure: (socket) => void socket.end('welcome'),
      onPlain: (socket) => void socket.destroy(),
      onHandshake: (end) => void ends.push(end),
      mostHandshakes: 16,
    });
    const server = createServer({ allowHalfOpen: true }, acceptor.accept).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const waiting = await Promise.all(Array.from({ length: 40 }, () => openRawClient({ port, host: '127.0.0.1' })));
    await until('the oldest are cut', () => ends.length === 24);
    const client = await openTlsClient({ port });
    expect(await client.closed()).toBe('end');
    expect(client.received).toBe('welcome');
    expect(ends).toEqual([...Array.from({ length: 25 }, () => 'crowdedOut'), 'complete']);
    for (const one of [client, ...waiting]) one.destroy();
    server.close();
  });
});

describe('another certificate', () => {
  const authority = newAuthority('a CA');
  const [older, newer] = [1, 2].map(() => authority.issue({ name: 'localhost', alternativeNames: ['localhost'] }));

  test('new connections get it, established ones live on', async () => {
    const { port, door } = await startTlsDoor(serverTls(older as never));
    const before = await openTlsClient({ port, ca: authority.ca });
    door.useTls(serverTls(newer as never));
    const after = await openTlsClient({ port, ca: authority.ca });
    const serial = (client: typeof before) => client.socket.getPeerCertificate().serialNumber;
    expect(serial(before)).not.toBe(serial(after));
    for (const client of [before, after, before]) {
      client.send(get);
      expect((await client.response()).status).toBe(200);
    }
    before.destroy();
    after.destroy();
  });

  test('a session of the one before is not resumed', async () => {
    const tls = serverTls(older as never);
    const { port, door } = await startTlsDoor(tls);
    const session = async (known?: Buffer) => {
      const client = await openTlsClient({ port, ca: authority.ca, maxVersion: 'TLSv1.2', session: known });
      client.send(get);
      await client.response();
      const reused = client.socket.isSessionReused();
      const ticket = client.socket.getSession();
      client.destroy();
      return { reused, ticket };
    };
    const { ticket } = await session();
    expect((await session(ticket)).reused).toBe(true);
    door.useTls(tls);
    expect((await session(ticket)).reused).toBe(true);
    door.useTls(serverTls(newer as never));
    expect((await session(ticket)).reused).toBe(false);
  });
});

describe('the end', () => {
  test('drain: idle clients hear close_notify, not a cut', async () => {
    const { port, door } = await startTlsDoor();
    const client = await openTlsClient({ port });
    client.send(get);
    await client.response();
    const silent = await openTlsClient({ port });
    const closed = door.close({ drainMs: 600_000 });
    expect(await client.closed()).toBe('end');
    expect(await silent.closed()).toBe('end');
    await closed;
  });

  test('drain: a request under way is answered, and handshakes under way are given up', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const upstream = await startRawUpstream();
    onTestFinished(() => upstream.close());
    const rig = await startTlsDoor(localhostTls(), {
      decide: async (head) => {
        await promise;
        return rig.gate.refuse('tokenMissing', head.id, { head });
      },
    });
    const client = await openTlsClient({ port: rig.port });
    client.send(get);
    await until('it is under way', () => rig.gate.heads.length === 1);
    const silent = await openRawClient({ port: rig.port, host: '127.0.0.1' });
    await until('it is accepted', () => rig.door.openConnections === 2);
    const closed = rig.door.close({ drainMs: 600_000 });
    await silent.closed();
    resolve();
    expect(await client.response()).toMatchObject({ status: 401, headers: { connection: 'close' } });
    expect(await client.closed()).toBe('end');
    await closed;
  });
});

test('an answer that ends with its connection, and breaks off, is seen to: the connection is reset', async () => {
  const { port, upstream } = await startTlsDoor(localhostTls(), {
    reply: () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n',
  });
  const client = await openTlsClient({ port });
  client.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  await until('it begins', () => client.received.includes('begin'));
  upstream.connections[0]?.socket.destroy();
  expect(await client.closed()).toBe('reset');
  client.destroy();
});

test('a unix socket speaks TLS, too', async () => {
  const { mkdtempSync, rmSync } = await import('node:fs');
  const folder = mkdtempSync('/tmp/jwtgate-');
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const upstream = await startRawUpstream();
  onTestFinished(() => upstream.close());
  const gate = fakeGate({ upstream: upstream.upstream });
  const path = `${folder}/door.sock`;
  const door = await createFrontDoor({ listen: { kind: 'unix', path }, gate: () => gate, tls: localhostTls() });
  onTestFinished(() => door.close({ drainMs: 0 }));
  const socket = await connectTls({ path, ca: testCertificates().ca });
  socket.write(get);
  const [first] = (await once(socket, 'data')) as [Buffer];
  expect(first.toString()).toMatch(/^HTTP\/1\.1 200/);
  socket.destroy();
});
