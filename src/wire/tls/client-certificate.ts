import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '../../gate/client-certificate.ts';
import type { ServerTls } from './server-tls.ts';

const verified = new WeakMap<Socket, ClientCertificate>();

/** The certificate that this connection's client was verified by; undefined where it was not, or has none. */
export function clientCertificate(socket: Socket): ClientCertificate | undefined {
  return verified.get(socket);
}

export type ClientVerdict =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'verified'; readonly certificate: ClientCertificate }
  /** `detail`: OpenSSL's word for what is wrong with it. */
  | { readonly kind: 'missing' | 'refused'; readonly detail: string };

/**
 * Judges who is at the other end of a handshake that is complete, be it a new session or a resumed one. Node is told
 * to refuse by itself where a certificate is required; this is the one place that says a client is verified.
 */
export function judgeClient(socket: TLSSocket, { clientCa, clientAuth }: ServerTls, nowMs: number): ClientVerdict {
  if (clientCa === undefined) return { kind: 'anonymous' };
  const presented = socket.getPeerX509Certificate();
  if (presented === undefined) {
    return clientAuth === 'optional' ? { kind: 'anonymous' } : { kind: 'missing', detail: 'no certificate' };
  }
  if (!socket.authorized) return { kind: 'refused', detail: String(socket.authorizationError) };
  const certificate = readCertificate(presented);
  // A resumed session brings a verdict of its first handshake.
  if (certificate.notAfterMs <= nowMs) return { kind: 'refused', detail: 'CERT_HAS_EXPIRED' };
  verified.set(socket, certificate);
  return { kind: 'verified', certificate };
}

export function readCertificate(certificate: X509Certificate): ClientCertificate {
  const names = alternativeNames(certificate.subjectAltName ?? '');
  const named = (kind: string) => names.flatMap(([type, name]) => (type === kind ? [name] : []));
  const fingerprint = Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex');
  return {
    subject: distinguishedName(certificate.subject),
    commonName: commonName(certificate),
    issuer: distinguishedName(certificate.issuer),
    serialNumber: certificate.serialNumber,
    fingerprint: fingerprint.toString('hex'),
    thumbprint: fingerprint.toString('base64url'),
    dns: named('DNS'),
    uri: named('URI'),
    email: named('email'),
    ip: named('IP Address'),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

/** Node gives a line a part, the widest first, with what has a meaning in RFC 4514 escaped: line breaks, too. */
function distinguishedName(lines: string | undefined): string {
  return (lines ?? '').split('\n').reverse().join(',');
}

function commonName(certificate: X509Certificate): string | undefined {
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: unknown };
  return typeof CN === 'string' ? CN : undefined;
}

/**
 * Reads Node's `DNS:a, URI:"b, DNS:c"`: a name with anything odd in it stands as a JSON text (CVE-2021-44532 came of
 * reading it otherwise). What can't be read to its end has no names at all.
 */
function alternativeNames(text: string): [type: string, name: string][] {
  const names: [string, string][] = [];
  const entry = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const [, type = '', name = ''] = entry.exec(text) ?? [];
    if (type === '') return [];
    const plain = name.startsWith('"') ? parseJsonText(name) : name;
    if (plain === undefined) return [];
    names.push([type, plain]);
  }
  return names;
}

function parseJsonText(text: string): string | undefined {
  try {
    return String(JSON.parse(text));
  } catch {
    return undefined;
  }
}
