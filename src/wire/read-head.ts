import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Gate } from '../gate/gate.ts';
import type { RequestHead } from '../gate/request-head.ts';
import type { RawHead } from './framing.ts';
import { clientCertificate } from './tls/client-certificate.ts';

/** What Node's parser read, as it came: neither merged nor lower-cased. */
export function rawHead(request: IncomingMessage): RawHead {
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersion: request.httpVersion,
    headers: request.rawHeaders,
  };
}

/** The head for the gate, of a request whose framing is clear. */
export function readHead(request: IncomingMessage, gate: Gate): RequestHead {
  const { socket } = request;
  const peer = peerAddress(socket.remoteAddress);
  return {
    id: gate.requestId(peer, request.rawHeaders),
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersion: request.httpVersion === '1.0' ? '1.0' : '1.1',
    headers: request.rawHeaders,
    scheme: (socket as TLSSocket).encrypted === true ? 'https' : 'http',
    peer,
    clientCertificate: clientCertificate(socket),
  };
}

/** A plain address: no zone, and an IPv4 client of a dual-stack listener as IPv4. */
export function peerAddress(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return '';
  const address = remoteAddress.split('%', 1)[0] ?? '';
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
