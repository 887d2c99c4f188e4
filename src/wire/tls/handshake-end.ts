/** How handshakes ended; the metric's labels. */
const handshakeEnds = [
  'complete',
  /** Not within `timeouts.header`. */
  'timeout',
  /** The client left. */
  'aborted',
  /** It spoke plain HTTP, or something else that is not TLS. */
  'notTls',
  /** No version, cipher suite or signature algorithm in common. */
  'unsupported',
  /** The client does not believe our certificate. */
  'distrusted',
  'clientCertificateMissing',
  'clientCertificateRefused',
  /** Cut for a newer one: too many at a time. */
  'crowdedOut',
  'failed',
] as const;

export type HandshakeEnd = (typeof handshakeEnds)[number];

/** By OpenSSL's and Node's codes; an alert is what the client said. */
const endByCode: Readonly<Record<string, HandshakeEnd>> = {
  ECONNRESET: 'aborted',
  EPIPE: 'aborted',
  ERR_SSL_HTTP_REQUEST: 'notTls',
  ERR_SSL_WRONG_VERSION_NUMBER: 'notTls',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'unsupported',
  ERR_SSL_VERSION_TOO_LOW: 'unsupported',
  ERR_SSL_NO_SHARED_CIPHER: 'unsupported',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'unsupported',
  ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS: 'unsupported',
  ERR_SSL_NO_SUITABLE_KEY_SHARE: 'unsupported',
  ERR_SSL_NO_SUITABLE_GROUPS: 'unsupported',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'unsupported',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'distrusted',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'distrusted',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'distrusted',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: 'distrusted',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'distrusted',
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'distrusted',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'clientCertificateMissing',
};

export function handshakeEndOf(code: string | undefined): HandshakeEnd {
  return endByCode[code ?? ''] ?? 'failed';
}
