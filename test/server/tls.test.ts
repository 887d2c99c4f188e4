import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type CertificateAndKey, newAuthority } from '../support/certificates.ts';
import { findSample } from '../support/exposition-parser.ts';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { flags, frame, getRequest, headerBlock, headersFrame, openFrameClient } from '../support/http2-frames.ts';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { openRawClient } from '../support/raw-client.ts';
import { configText, type RunningGate, runGate, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { openTlsClient } from '../support/tls.ts';
import { until } from '../support/until.ts';

const dayMs = 86_400_000;
const authority = newAuthority('a CA');
const certificate = (changes: { notAfterMs?: number } = {}) =>
  authority.issue({ name: 'localhost', alternativeNames: ['localhost'], ...changes });

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

interface Files {
  readonly folder: string;
  /** Both at once, as far as files can. */
  write(pair: CertificateAndKey): Promise<void>;
  readonly config: (tenants?: readonly string[], tls?: string) => string;
}

async function certificateFiles(first: CertificateAndKey): Promise<Files> {
  const folder = newFolder();
  const write = async ({ cert, key }: CertificateAndKey) => {
    await writeFile(join(folder, 'key.next'), key, { mode: 0o600 });
    await writeFile(join(folder, 'cert.next'), cert);
    await rename(join(folder, 'key.next'), join(folder, 'key.pem'));
    await rename(join(folder, 'cert.next'), join(folder, 'cert.pem'));
  };
  await write(first);
  const listen = (tls: string) => `listen: {address: 127.0.0.1:0, tls: {cert: cert.pem, key: {file: key.pem}${tls}}}`;
  return {
    folder,
    write,
    config: (tenants = ['acme'], tls = '') =>
      configText({ upstreamPort: upstream.port, tenants }).replace('listen: 127.0.0.1:0', listen(tls)),
  };
}

async function get(gate: RunningGate, options: { cert?: string; key?: string } = {}) {
  const client = await openTlsClient({ port: gate.proxyPort, ca: authority.ca, ...options });
  try {
    client.send(`GET /acme/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${tokenOf('acme')}\r\n\r\n`);
    const { status } = await client.response();
    return { status, serial: client.socket.getPeerCertificate().serialNumber };
  } finally {
    client.destroy();
  }
}

async function metric(gate: RunningGate, name: string, labels?: Record<string, string>) {
  return findSample((await gate.ops('/metrics')).body, name, labels);
}

/** Lines of this kind: each worker has one of its own, if any. */
function loggedOnce({ process }: RunningGate, message: string): readonly Record<string, unknown>[] {
  const lines = process.log.filter(({ msg }) => msg === message);
  expect(new Set(lines.map(({ worker }) => worker)).size).toBe(lines.length);
  return lines.slice(0, 1);
}

test('SIGHUP brings a new certificate; a connection that is open lives on with its own', async () => {
  const files = await certificateFiles(certificate());
  const gate = await runGate(files.config(), { folder: files.folder });
  const open = await openTlsClient({ port: gate.proxyPort, ca: authority.ca });
  const before = await get(gate);
  await files.write(certificate());
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  const after = await get(gate);
  expect([before.status, after.status]).toEqual([200, 200]);
  expect(after.serial).not.toBe(before.serial);
  open.send(`GET /acme/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${tokenOf('acme')}\r\n\r\n`);
  expect((await open.response()).status).toBe(200);
  expect(await metric(gate, 'jwtgate_config_restart_required')).toBe(0);
  open.destroy();
});

test('--watch: a certificate that is renewed in its place is taken up', async () => {
  const files = await certificateFiles(certificate());
  const gate = await runGate(files.config(), { folder: files.folder, args: ['--watch'] });
  const before = await get(gate);
  await files.write(certificate());
  await gate.process.logged('config reloaded');
  // Between the two renames the key is not the certificate's: that reload may have been refused, the next was not.
  const { serial } = await get(gate);
  expect(serial).not.toBe(before.serial);
});

test.for([
  ['the key of another certificate', { key: certificate().key }, 'is not the certificate of this private key'],
  ['no certificate at all', { cert: 'nothing' }, 'holds no certificate'],
  ['one that has expired', certificate({ notAfterMs: Date.now() - 1_000 }), 'holds a certificate that expired on'],
] as const)('%s: the old one is served on, and the log says why', async ([, broken, problem]) => {
  const first = certificate();
  const files = await certificateFiles(first);
  const gate = await runGate(files.config(), { folder: files.folder });
  const before = await get(gate);
  await files.write({ ...first, ...broken });
  gate.process.signal('SIGHUP');
  await gate.process.logged('reload refused: the config before it is still served');
  const { path, problem: said } = await gate.process.logged('config problem');
  expect(path).toBe('listen.tls.cert');
  expect(said).toContain(problem);
  expect(await get(gate)).toEqual(before);
  expect(await metric(gate, 'jwtgate_config_last_reload_successful')).toBe(0);
});

test('a certificate that expired while it was served stands in the way of no reload', async () => {
  const files = await certificateFiles(certificate());
  const gate = await runGate(files.config(), { folder: files.folder });
  // By a reload, which is much quicker than a start: it has to be done before the certificate expires.
  const untilMs = Math.ceil(Date.now() / 1000) * 1000 + 5_000;
  await files.write(certificate({ notAfterMs: untilMs }));
  gate.process.signal('SIGHUP');
  expect(await gate.process.logged('certificate expires soon')).toMatchObject({ certificate: 'listen', hours_left: 0 });
  expect(await metric(gate, 'jwtgate_certificate_expiry_timestamp_seconds', { certificate: 'listen' })).toBe(
    untilMs / 1000,
  );
  await new Promise((resolve) => setTimeout(resolve, untilMs - Date.now() + 50));
  await gate.rewrite(files.config(['acme', 'globex']));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect(await gate.process.logged('certificate has expired')).toMatchObject({ level: 'error', certificate: 'listen' });
});

test('expiry in time is no news', async () => {
  const files = await certificateFiles(certificate({ notAfterMs: Date.now() + 400 * dayMs }));
  const gate = await runGate(files.config(), { folder: files.folder });
  expect(gate.process.log.filter(({ certificate }) => certificate !== undefined)).toEqual([]);
});

test('handshakes are counted by how they end, and failures logged without a flood', async () => {
  const files = await certificateFiles(certificate());
  const gate = await runGate(files.config(), { folder: files.folder });
  await get(gate);
  for (let i = 0; i < 3; i++) {
    const plain = await openRawClient({ port: gate.proxyPort, host: '127.0.0.1' });
    plain.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await plain.response()).status).toBe(400);
    plain.destroy();
  }
  expect(await metric(gate, 'jwtgate_tls_handshakes_total', { result: 'complete' })).toBe(1);
  expect(await metric(gate, 'jwtgate_tls_handshakes_total', { result: 'notTls' })).toBe(3);
  for (let i = 0; i < 3; i++) {
    expect(await gate.process.logged('request', { status: 400 })).toMatchObject({ reason: 'requestRefused' });
  }
  expect(loggedOnce(gate, 'tls handshakes failed')).toMatchObject([{ result: 'notTls', count: 1 }]);
});

test('connections of HTTP/2 are counted by how they end, and attacks logged without a flood', async () => {
  const files = await certificateFiles(certificate());
  const gate = await runGate(files.config(), { folder: files.folder });
  for (let i = 0; i < 3; i++) {
    const client = await openFrameClient(gate.proxyPort, authority.ca);
    client.send(frame('HEADERS', flags.endStream, 1, headerBlock(getRequest('/'))));
    client.send(...Array.from({ length: 100 }, () => frame('CONTINUATION', 0, 1)));
    await client.closed();
  }
  const count = (result: string) => metric(gate, 'jwtgate_http2_connections_total', { result });
  await until('all are counted', async () => (await count('flood')) === 3);
  expect(loggedOnce(gate, 'http2 connections failed')).toMatchObject([{ result: 'flood', count: 1 }]);
  const honest = await openFrameClient(gate.proxyPort, authority.ca);
  honest.send(headersFrame(1, getRequest('/acme/x')));
  await honest.got('HEADERS', 1);
  honest.destroy();
  await until('it is counted', async () => (await count('complete')) === 1);
});

test('TLS where there was none needs a restart, and nothing is half applied', async () => {
  const files = await certificateFiles(certificate());
  const gate = await runGate(configText({ upstreamPort: upstream.port, tenants: ['acme'] }), { folder: files.folder });
  await gate.rewrite(files.config());
  gate.process.signal('SIGHUP');
  const warning = await gate.process.logged('these settings were changed and need a restart; all others are live');
  expect(warning).toMatchObject({ settings: ['listen.tls'] });
  expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
});

test('healthcheck and the ops listener have nothing to do with it', async () => {
  const files = await certificateFiles(certificate());
  const gate = await runGate(files.config(), { folder: files.folder });
  expect((await gate.ops('/readyz')).status).toBe(200);
  const url = `http://127.0.0.1:${gate.opsPort}`;
  expect(await startJwtgate(['healthcheck', '--url', url]).ended).toBe(0);
});

test('SIGTERM: an answer under way is finished over TLS, and the end is said', async () => {
  const files = await certificateFiles(certificate());
  const gate = await runGate(files.config(), { folder: files.folder });
  const client = await openTlsClient({ port: gate.proxyPort, ca: authority.ca });
  client.send(`GET /acme/held HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${tokenOf('acme')}\r\n\r\n`);
  const held = await upstream.nextHeld();
  gate.process.signal('SIGTERM');
  await gate.process.logged('draining');
  held.end('late');
  expect(await client.response()).toMatchObject({ status: 200, body: 'late', headers: { connection: 'close' } });
  expect(await client.closed()).toBe('end');
  expect(await gate.process.ended).toBe(0);
  client.destroy();
});

test('a client certificate is required by clientCa, and a reload that names another CA lets nobody through by the old', async () => {
  const [clients, others] = [newAuthority('clients'), newAuthority('others')];
  const files = await certificateFiles(certificate());
  await writeFile(join(files.folder, 'clients.pem'), clients.ca);
  const gate = await runGate(files.config(['acme'], ', clientCa: clients.pem'), { folder: files.folder });
  const mine = clients.issue({ name: 'me' });
  expect((await get(gate, mine)).status).toBe(200);
  await expect(get(gate)).rejects.toThrow();
  await expect(get(gate, others.issue({ name: 'me' }))).rejects.toThrow();
  const open = await openTlsClient({ port: gate.proxyPort, ca: authority.ca, ...mine });

  await writeFile(join(files.folder, 'clients.pem'), others.ca);
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  await open.closed();
  await expect(get(gate, mine)).rejects.toThrow();
  expect((await get(gate, others.issue({ name: 'me' }))).status).toBe(200);
  const refused = await metric(gate, 'jwtgate_tls_handshakes_total', { result: 'clientCertificateRefused' });
  expect(refused).toBe(2);
  open.destroy();
});
