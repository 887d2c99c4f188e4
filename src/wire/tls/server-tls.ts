import { constants, hash } from 'node:crypto';
import type { TlsOptions } from 'node:tls';

/** What a listener speaks TLS with; compiled by the config. */
export interface ServerTls {
  /** PEM: the server's certificate, then its chain. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** PEM of the CAs that certify clients; undefined: they are not asked for a certificate. */
  readonly clientCa: string | undefined;
  readonly clientCrl: string | undefined;
  readonly clientAuth: 'required' | 'optional';
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** HTTP/2 is offered beside HTTP/1.1; undefined: it is not. */
  readonly http2: { readonly maxStreams: number } | undefined;
  /** Two that are alike in all have the same. */
  readonly id: string;
  /** Two that believe the same clients have the same. */
  readonly trustId: string;
}

/**
 * Forward secrecy and authenticated encryption alone (RFC 9325 section 4.2); the TLS 1.2 suites are none of those that
 * HTTP/2 forbids (RFC 9113 appendix A).
 */
const cipherSuites = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];

/** For Node's TLS server, but for the keys of its session tickets (`ticketKeys`). */
export function serverOptions(tls: ServerTls): TlsOptions {
  const { cert, key, clientCa, clientCrl, clientAuth, minVersion, http2, id } = tls;
  return {
    cert,
    key,
    minVersion,
    ALPNProtocols: http2 === undefined ? ['http/1.1'] : ['h2', 'http/1.1'],
    ciphers: cipherSuites.join(':'),
    // A client that renegotiates makes us pay for a handshake each time (CVE-2011-1473).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    // Node's default is made of the command line, which is another in each worker: OpenSSL resumes no session of a client
    // with a certificate then. At most 32 characters.
    sessionIdContext: hash('sha256', id, 'base64url').slice(0, 32),
    requestCert: clientCa !== undefined,
    // Where optional, a certificate that is not valid is refused by `judgeClient`.
    rejectUnauthorized: clientCa !== undefined && clientAuth === 'required',
    ...(clientCa !== undefined && { ca: clientCa }),
    ...(clientCrl !== undefined && { crl: clientCrl }),
  };
}
