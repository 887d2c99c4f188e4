import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type CertificateAndKey, newAuthority } from '../../support/certificates.ts';
import { childrenOf } from '../../support/children.ts';
import { parseExposition } from '../../support/exposition-parser.ts';
import { type HeldUpstream, startHeldUpstream } from '../../support/held-upstream.ts';
import { endAll } from '../../support/jwtgate-process.ts';
import { configText, type RunningGate, runGate, tokenOf } from '../../support/running-gate.ts';
import { newFolder } from '../../support/scratch-folder.ts';
import { openTlsClient } from '../../support/tls.ts';
import { until } from '../../support/until.ts';

const authority = newAuthority('a CA');
const server = authority.issue({ name: 'localhost', alternativeNames: ['localhost'] });
const [clients, others] = [newAuthority('clients'), newAuthority('others')];
const alice = clients.issue({ name: 'alice' });

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

async function start(tls = ''): Promise<{ readonly gate: RunningGate; readonly folder: string }> {
  const folder = newFolder();
  await writeFile(join(folder, 'key.pem'), server.key, { mode: 0o600 });
  await writeFile(join(folder, 'cert.pem'), server.cert);
  await writeFile(join(folder, 'clients.pem'), clients.ca);
  const listen = `listen: {address: 127.0.0.1:0, tls: {cert: cert.pem, key: {file: key.pem}${tls}}}`;
  const text = configText({ upstreamPort: upstream.port, tenants: ['acme'], more: 'workers: 2' });
  return { gate: await runGate(text.replace('listen: 127.0.0.1:0', listen), { folder }), folder };
}

type Options = Partial<CertificateAndKey> & { readonly session?: Buffer | undefined };

/** One request, on a connection that stays: the next goes to the worker that has fewer. */
async function connect(gate: RunningGate, options: Options = {}) {
  const client = await openTlsClient({ port: gate.proxyPort, ca: authority.ca, ...options });
  let session: Buffer | undefined;
  client.socket.on('session', (ticket) => {
    session = ticket;
  });
  client.send(`GET /acme/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${tokenOf('acme')}\r\n\r\n`);
  expect((await client.response()).status).toBe(200);
  if (options.session === undefined) await until('a ticket', () => session !== undefined);
  return { session, reused: client.socket.isSessionReused(), destroy: client.destroy };
}

async function connectionsByWorker(gate: RunningGate): Promise<number[]> {
  const samples = parseExposition((await gate.ops('/metrics')).body);
  return samples.filter(({ name }) => name === 'jwtgate_worker_connections').map(({ value }) => value);
}

test.for([
  ['of anybody', '', {}],
  ['of a client with a certificate', ', clientCa: clients.pem', alice],
] as const)('two workers: a session %s, made at one, resumes at the other', async ([, tls, options]) => {
  const { gate } = await start(tls);
  const first = await connect(gate, options);
  const second = await connect(gate, { session: first.session });
  await until('each has one', async () => (await connectionsByWorker(gate)).join() === '1,1');
  expect([first.reused, second.reused]).toEqual([false, true]);
  first.destroy();
  second.destroy();
});

test('two workers: a client whose CA was removed by a reload gets in by no session, at neither', async () => {
  const { gate, folder } = await start(', clientCa: clients.pem');
  const first = await connect(gate, alice);
  await writeFile(join(folder, 'clients.pem'), others.ca);
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  for (let i = 0; i < 4; i++) await expect(connect(gate, { session: first.session })).rejects.toThrow();
  const bob = others.issue({ name: 'bob' });
  const open = [await connect(gate, bob), await connect(gate, bob)];
  await until('each has one', async () => (await connectionsByWorker(gate)).join() === '1,1');
  for (const { destroy } of open) destroy();
  first.destroy();
});

test('a worker that takes the place of one that ended resumes sessions of the others', async () => {
  const { gate } = await start();
  const first = await connect(gate);
  const second = await connect(gate, { session: first.session });
  // Whichever of them it is: one of the two connections ends with it.
  const [pid] = childrenOf(gate.process.child.pid);
  process.kill(pid as number, 'SIGKILL');
  await gate.process.logged('worker replaced');
  const third = await connect(gate, { session: first.session });
  const fourth = await connect(gate, { session: first.session });
  expect([third.reused, fourth.reused]).toEqual([true, true]);
  for (const { destroy } of [first, second, third, fourth]) destroy();
});
