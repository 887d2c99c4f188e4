import { describe, expect, test, vi } from 'vitest';
import { createTicketSecrets } from '../../../src/server/ticket-secrets.ts';
import type { ServerTls } from '../../../src/wire/tls/server-tls.ts';
import { newTicketSecret, ticketKeys } from '../../../src/wire/tls/ticket-keys.ts';
import { type CertificateAndKey, newAuthority } from '../../support/certificates.ts';
import { localhostTls, openTlsClient } from '../../support/tls.ts';
import { until } from '../../support/until.ts';
import { startTlsDoor, type TlsRig } from './tls-rig.ts';

const clients = newAuthority('clients');
const others = newAuthority('others');
const alice = clients.issue({ name: 'alice' });

interface Visit {
  readonly reused: boolean;
  /** Whose certificate the gate was told of. */
  readonly name: string | undefined;
  readonly session: Buffer | undefined;
}

type Version = 'TLSv1.2' | 'TLSv1.3';

/** One request on a connection of its own; rejects where there was no answer. */
async function visit(
  { port, gate }: TlsRig,
  version: Version,
  options: Partial<CertificateAndKey> & { readonly session?: Buffer | undefined } = {},
): Promise<Visit> {
  const client = await openTlsClient({ port, minVersion: version, maxVersion: version, ...options });
  let session: Buffer | undefined;
  client.socket.on('session', (ticket) => {
    session = ticket;
  });
  try {
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.response();
    if (version === 'TLSv1.2') session = client.socket.getSession();
    else if (options.session === undefined) await until('a ticket', () => session !== undefined);
    const reused = client.socket.isSessionReused();
    return { reused, name: gate.heads.at(-1)?.clientCertificate?.commonName, session };
  } finally {
    client.destroy();
  }
}

/** Two of the same rules and secret, as two workers have them. */
async function twoDoors(tls: ServerTls): Promise<[TlsRig, TlsRig]> {
  const ticketSecret = newTicketSecret();
  return [await startTlsDoor(tls, { ticketSecret }), await startTlsDoor(tls, { ticketSecret })];
}

describe.for(['TLSv1.2', 'TLSv1.3'] as const)('%s', (version) => {
  test('a session made at one worker resumes at another', async () => {
    const [one, other] = await twoDoors(localhostTls());
    const { session } = await visit(one, version);
    expect((await visit(other, version, { session })).reused).toBe(true);
  });

  test('a session of a client with a certificate resumes at another worker, with that certificate', async () => {
    const [one, other] = await twoDoors(localhostTls({ clientCa: clients.ca }));
    const { session } = await visit(one, version, alice);
    expect(await visit(other, version, { session })).toMatchObject({ reused: true, name: 'alice' });
  });

  test('a process with another secret does not resume it', async () => {
    const tls = localhostTls();
    const { session } = await visit(await startTlsDoor(tls), version);
    expect((await visit(await startTlsDoor(tls), version, { session })).reused).toBe(false);
  });

  test('a client whose CA was removed does not get in by a session of before, at whichever worker', async () => {
    const before = localhostTls({ clientCa: clients.ca, clientAuth: 'optional' });
    const [one, other] = await twoDoors(before);
    const { session } = await visit(one, version, alice);
    for (const { door } of [one, other]) {
      door.useTls(localhostTls({ clientCa: others.ca, clientAuth: 'optional' }));
    }
    for (const rig of [one, other]) {
      expect(await visit(rig, version, { session })).toMatchObject({ reused: false, name: undefined });
    }
    for (const { door } of [one, other]) door.useTls(localhostTls({ clientCa: others.ca }));
    for (const rig of [one, other]) await expect(visit(rig, version, { session })).rejects.toThrow();
  });

  test('a worker that has not reloaded yet resumes no session of one that has, nor the other way round', async () => {
    const ticketSecret = newTicketSecret();
    const before = localhostTls({ clientCa: clients.ca, clientAuth: 'optional' });
    const [one, other] = [await startTlsDoor(before, { ticketSecret }), await startTlsDoor(before, { ticketSecret })];
    const { session: old } = await visit(one, version, alice);
    other.door.useTls(localhostTls({ clientCa: others.ca, clientAuth: 'optional' }));
    const { session: young } = await visit(other, version);
    expect((await visit(other, version, { session: old })).reused).toBe(false);
    expect((await visit(one, version, { session: young })).reused).toBe(false);
  });

  test('a new secret ends the sessions of the one before; established connections live on', async () => {
    const rig = await startTlsDoor();
    const open = await openTlsClient({ port: rig.port });
    const { session } = await visit(rig, version);
    rig.door.useTicketSecret(newTicketSecret());
    const second = await visit(rig, version, { session });
    expect(second.reused).toBe(false);
    const { session: young } = version === 'TLSv1.3' ? await visit(rig, version) : second;
    expect((await visit(rig, version, { session: young })).reused).toBe(true);
    open.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await open.response()).status).toBe(200);
    open.destroy();
  });

  test('a new secret is that of the next certificate, too', async () => {
    const [one, other] = await twoDoors(localhostTls());
    const [secret, next] = [newTicketSecret(), localhostTls()];
    for (const { door } of [one, other]) {
      door.useTicketSecret(secret);
      door.useTls(next);
    }
    const { session } = await visit(one, version);
    expect((await visit(other, version, { session })).reused).toBe(true);
  });
});

test('keys are 48 bytes, and others for any other secret or rules', () => {
  const secrets = [newTicketSecret(), newTicketSecret()];
  const keys = secrets.flatMap((secret) => ['a', 'b'].map((id) => ticketKeys(secret, { id }).toString('hex')));
  expect(new Set(keys).size).toBe(4);
  expect(keys.every((key) => key.length === 96)).toBe(true);
  expect(ticketKeys(secrets[0] as Uint8Array, { id: 'a' }).toString('hex')).toBe(keys[0]);
});

test('a secret lives for half a day, and is wiped then', () => {
  vi.useFakeTimers();
  try {
    const used: Uint8Array[] = [];
    const secrets = createTicketSecrets((secret) => used.push(secret));
    const first = secrets.current;
    const copy = Buffer.from(first);
    vi.advanceTimersByTime(12 * 3_600_000 - 1);
    expect(secrets.current).toBe(first);
    vi.advanceTimersByTime(1);
    expect(used).toEqual([secrets.current]);
    expect(Buffer.from(secrets.current).equals(copy)).toBe(false);
    expect(first.every((byte) => byte === 0)).toBe(true);
    vi.advanceTimersByTime(12 * 3_600_000);
    expect(used).toHaveLength(2);
    secrets.stop();
    vi.advanceTimersByTime(48 * 3_600_000);
    expect(used).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});
