import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { readCertificate } from '../../../src/wire/tls/client-certificate.ts';
import type { ServerTls } from '../../../src/wire/tls/server-tls.ts';
import { type CertificateAndKey, newAuthority } from '../../support/certificates.ts';
import { newFolder } from '../../support/scratch-folder.ts';
import { connectTls, localhostTls, openTlsClient } from '../../support/tls.ts';
import { fewTurns, until } from '../../support/until.ts';
import { startTlsDoor, type TlsRig } from './tls-rig.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const clients = newAuthority('clients');
const others = newAuthority('others');
const alice = clients.issue({ name: 'alice', alternativeNames: ['alice.example', 'spiffe://example/alice'] });

const asking = (changes: Partial<ServerTls> = {}) => localhostTls({ clientCa: clients.ca, ...changes });
const optional = asking({ clientAuth: 'optional' });
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

interface Seen {
  readonly name: string | undefined;
  readonly reused: boolean;
  readonly session: Buffer | undefined;
}

/** One request, and what the gate was told of its client; rejects where it never came to that. */
async function visit(
  { port, gate }: TlsRig,
  version: (typeof versions)[number],
  options: Partial<CertificateAndKey> & { readonly session?: Buffer | undefined } = {},
): Promise<Seen> {
  const client = await openTlsClient({ port, minVersion: version, maxVersion: version, ...options });
  let session: Buffer | undefined;
  client.socket.on('session', (ticket) => {
    session = ticket;
  });
  try {
    client.send(get);
    await client.response();
    if (version === 'TLSv1.2') session = client.socket.getSession();
    else if (options.session === undefined) await until('a ticket', () => session !== undefined);
    const { clientCertificate } = gate.heads.at(-1) ?? {};
    return { name: clientCertificate?.commonName, reused: client.socket.isSessionReused(), session };
  } finally {
    client.destroy();
  }
}

describe('what is read of a certificate', () => {
  const read = (spec: Parameters<typeof clients.issue>[0]) =>
    readCertificate(new X509Certificate(clients.issue(spec).cert));

  test('names, and both forms of its digest', () => {
    const certificate = readCertificate(new X509Certificate(alice.cert));
    expect(certificate).toMatchObject({
      subject: 'CN=alice',
      commonName: 'alice',
      issuer: 'CN=clients',
      dns: ['alice.example'],
      uri: ['spiffe://example/alice'],
      email: [],
    });
    expect(certificate.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(Buffer.from(certificate.thumbprint, 'base64url').toString('hex')).toBe(certificate.fingerprint);
  });

  test('a common name that is written like two parts stays one', () => {
    expect(read({ name: 'admin,O=Example' })).toMatchObject({
      subject: 'CN=admin\\,O=Example',
      commonName: 'admin,O=Example',
    });
    expect(read({ name: 'a\nCN=root' }).subject).toBe('CN=a\\0ACN=root');
  });

  test('two common names are none', () => {
    expect(read({ name: ['root', 'mallory'] })).toMatchObject({ subject: 'CN=mallory,CN=root', commonName: undefined });
  });

  test('an alternative name that is written like several stays one (CVE-2021-44532)', () => {
    const { uri, dns } = read({ name: 'x', alternativeNames: ['spiffe://x/a, DNS:root.example', 'x.example'] });
    expect(uri).toEqual(['spiffe://x/a, DNS:root.example']);
    expect(dns).toEqual(['x.example']);
  });
});

describe.for(versions)('%s', (version) => {
  test('the gate is told who the client is, in either lane', async () => {
    const rig = await startTlsDoor(asking());
    expect((await visit(rig, version, alice)).name).toBe('alice');
    const client = await openTlsClient({ port: rig.port, maxVersion: version, ...alice });
    client.send('PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.response();
    expect(rig.gate.heads.at(-1)?.clientCertificate?.uri).toEqual(['spiffe://example/alice']);
    client.destroy();
  });

  test('required: without a certificate, or with one of another CA, nobody gets in', async () => {
    const rig = await startTlsDoor(asking());
    await expect(visit(rig, version)).rejects.toThrow();
    await expect(visit(rig, version, others.issue({ name: 'alice' }))).rejects.toThrow();
    await until('both are counted', () => rig.handshakes.length === 2);
    expect(rig.handshakes[0]).toMatch(/^clientCertificateMissing/);
    expect(rig.handshakes[1]).toMatch(/^clientCertificateRefused UNABLE_TO_/);
    expect(rig.gate.heads).toEqual([]);
  });

  test('optional: who shows none is nobody, who shows a bad one is refused', async () => {
    const rig = await startTlsDoor(optional);
    expect((await visit(rig, version)).name).toBeUndefined();
    expect((await visit(rig, version, alice)).name).toBe('alice');
    await expect(visit(rig, version, others.issue({ name: 'alice' }))).rejects.toThrow();
    await until('it is counted', () => rig.handshakes.length === 3);
    expect(rig.handshakes[2]).toMatch(/^clientCertificateRefused/);
  });

  test('one that signed itself, or has expired, is refused', async () => {
    const rig = await startTlsDoor(optional);
    const expired = clients.issue({ name: 'alice', notAfterMs: Date.now() - 1_000 });
    await expect(visit(rig, version, expired)).rejects.toThrow();
    await expect(visit(rig, version, newAuthority('clients').issue({ name: 'alice' }))).rejects.toThrow();
    expect(rig.gate.heads).toEqual([]);
  });

  test('where no CA is named nobody is asked, and nothing that is shown counts', async () => {
    const rig = await startTlsDoor(localhostTls());
    expect((await visit(rig, version, alice)).name).toBeUndefined();
  });

  test('a resumed session keeps its client', async () => {
    const rig = await startTlsDoor(optional);
    const first = await visit(rig, version, alice);
    const second = await visit(rig, version, { session: first.session });
    expect(second).toMatchObject({ name: 'alice', reused: true });
  });

  test('a session without a client gains none when it is resumed with a certificate at hand', async () => {
    const rig = await startTlsDoor(optional);
    const first = await visit(rig, version);
    expect(first.name).toBeUndefined();
    const second = await visit(rig, version, { ...alice, session: first.session });
    expect(second).toMatchObject({ name: undefined, reused: true });
  });

  test('a session without a client is no way in once certificates are required', async () => {
    const rig = await startTlsDoor(optional);
    const { session } = await visit(rig, version);
    rig.door.useTls(asking());
    await expect(visit(rig, version, { session })).rejects.toThrow();
  });

  test('a session of a client whose CA is believed no more is not resumed', async () => {
    const rig = await startTlsDoor(optional);
    const { session } = await visit(rig, version, alice);
    rig.door.useTls(localhostTls({ clientCa: others.ca, clientAuth: 'optional' }));
    const second = await visit(rig, version, { session });
    expect(second).toMatchObject({ name: undefined, reused: false });
  });

  test('a session does not outlive its certificate', async () => {
    const rig = await startTlsDoor(optional);
    const notAfterMs = Math.ceil(Date.now() / 1000) * 1000 + 3_000;
    const { name, session } = await visit(rig, version, clients.issue({ name: 'brief', notAfterMs }));
    expect(name).toBe('brief');
    await new Promise((resolve) => setTimeout(resolve, notAfterMs - Date.now() + 10));
    await expect(visit(rig, version, { session })).rejects.toThrow();
    expect(rig.handshakes.at(-1)).toBe('clientCertificateRefused CERT_HAS_EXPIRED');
  });
});

test('a connection ends when its certificate expires', async () => {
  const rig = await startTlsDoor(asking());
  const notAfterMs = Math.ceil(Date.now() / 1000) * 1000 + 3_000;
  const client = await openTlsClient({ port: rig.port, ...clients.issue({ name: 'brief', notAfterMs }) });
  client.send(get);
  await client.response();
  expect(await client.closed()).toBe('end');
  expect(Date.now()).toBeGreaterThanOrEqual(notAfterMs - 50);
});

test('another CA: those who came by the old one go, idle ones at once, busy ones after their answer', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const rig: TlsRig = await startTlsDoor(asking(), {
    decide: async (head) => {
      await promise;
      return rig.gate.refuse('tokenMissing', '', { head });
    },
  });
  const [idle, busy] = [
    await openTlsClient({ port: rig.port, ...alice }),
    await openTlsClient({ port: rig.port, ...alice }),
  ];
  busy.send(get);
  await until('it is under way', () => rig.gate.heads.length === 1);
  rig.door.useTls(localhostTls({ clientCa: others.ca }));
  expect(await idle.closed()).toBe('end');
  resolve();
  expect(await busy.response()).toMatchObject({ status: 401, headers: { connection: 'close' } });
  expect(await busy.closed()).toBe('end');
});

test('a handshake that began by rules which were replaced meanwhile ends there', async () => {
  const rig = await startTlsDoor(optional);
  // The first byte chooses the context; the rest of the hello comes after the reload.
  const { Duplex } = await import('node:stream');
  const { connect } = await import('node:net');
  const raw = connect(rig.port, '127.0.0.1');
  let held: Buffer | undefined;
  const sent = Promise.withResolvers<void>();
  const slow = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      if (held === undefined) {
        held = chunk.subarray(1);
        raw.write(chunk.subarray(0, 1), () => sent.resolve());
      } else raw.write(chunk);
      done();
    },
  });
  raw.on('data', (chunk) => slow.push(chunk)).on('close', () => slow.destroy());
  const handshake = connectTls({ socket: slow, ...alice }).then(
    (socket: TLSSocket) => new Promise((resolve) => socket.on('close', () => resolve('closed')).resume()),
    () => 'closed',
  );
  await sent.promise;
  await until('it is accepted', () => rig.door.openConnections === 1);
  await fewTurns();
  rig.door.useTls(localhostTls({ clientCa: others.ca, clientAuth: 'optional' }));
  raw.write(held as Buffer);
  expect(await handshake).toBe('closed');
  expect(rig.gate.heads).toEqual([]);
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

test.skipIf(!hasOpenssl)(
  'a certificate on the revocation list is refused, others are not (needs openssl)',
  async () => {
    const folder = newFolder();
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=crl CA', '-days', '9');
    const config = '[ca]\ndefault_ca=d\n[d]\ndatabase=db\ndefault_md=sha256\ndefault_crl_days=9\ncrlnumber=number\n';
    writeFileSync(join(folder, 'ca.cnf'), config);
    writeFileSync(join(folder, 'db'), '');
    writeFileSync(join(folder, 'number'), '01\n');
    const issue = (name: string) => {
      openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      const ca = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
      openssl('x509', '-req', '-in', `${name}.csr`, ...ca, '-out', `${name}.pem`, '-days', '9');
      return {
        cert: String(openssl('x509', '-in', `${name}.pem`)),
        key: String(openssl('pkey', '-in', `${name}.key`)),
      };
    };
    const [good, bad] = [issue('good'), issue('bad')];
    openssl('ca', '-config', 'ca.cnf', '-revoke', 'bad.pem', '-keyfile', 'ca.key', '-cert', 'ca.pem');
    const clientCrl = String(openssl('ca', '-config', 'ca.cnf', '-gencrl', '-keyfile', 'ca.key', '-cert', 'ca.pem'));
    const rig = await startTlsDoor(localhostTls({ clientCa: String(openssl('x509', '-in', 'ca.pem')), clientCrl }));
    expect((await visit(rig, 'TLSv1.3', good)).name).toBe('good');
    await expect(visit(rig, 'TLSv1.3', bad)).rejects.toThrow();
    expect(rig.handshakes.at(-1)).toBe('clientCertificateRefused CERT_REVOKED');
  },
);
