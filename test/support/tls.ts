import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { ServerTls } from '../../src/wire/tls/server-tls.ts';
import { type CertificateAndKey, testCertificates } from './certificates.ts';
import { type RawClient, rawClientOn } from './raw-client.ts';

let made = 0;

/** What a listener speaks TLS with; clients are not asked for a certificate unless `changes` say so. */
export function serverTls(server: CertificateAndKey, changes: Partial<ServerTls> = {}): ServerTls {
  const { clientCa, clientCrl, clientAuth = 'required' } = changes;
  return {
    ...server,
    clientCa,
    clientCrl,
    clientAuth,
    minVersion: 'TLSv1.2',
    http2: { maxStreams: 100 },
    id: String(++made),
    trustId: JSON.stringify([clientCa, clientCrl, clientAuth]),
    ...changes,
  };
}

/** For "localhost", from the CA of `testCertificates`. */
export function localhostTls(changes: Partial<ServerTls> = {}): ServerTls {
  return serverTls(testCertificates().server, changes);
}

/** Connects to this machine and completes the handshake; rejects where there is none. */
export async function connectTls(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', ca: testCertificates().ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** A client that sends any bytes over TLS. */
export async function openTlsClient(options: ConnectionOptions): Promise<RawClient & { readonly socket: TLSSocket }> {
  const socket = await connectTls(options);
  return Object.defineProperties({ socket }, Object.getOwnPropertyDescriptors(rawClientOn(socket))) as RawClient & {
    readonly socket: TLSSocket;
  };
}
