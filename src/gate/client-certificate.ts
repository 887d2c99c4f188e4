/** A client's certificate that TLS has verified: only then is there one of these (RFC 5280). */
export interface ClientCertificate {
  /** Distinguished name by RFC 4514: the most specific part first, e.g. `CN=device-1,O=Example`. */
  readonly subject: string;
  /** Undefined where the subject has none, or several. */
  readonly commonName: string | undefined;
  readonly issuer: string;
  /** Hexadecimal, upper case. */
  readonly serialNumber: string;
  /** SHA-256 of the whole certificate: hexadecimal, lower case. */
  readonly fingerprint: string;
  /** The same as base64url: `x5t#S256` of RFC 8705 section 3.1. */
  readonly thumbprint: string;
  /** Subject alternative names (RFC 5280 section 4.2.1.6). */
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  readonly email: readonly string[];
  readonly ip: readonly string[];
  /** Milliseconds since the epoch: from then on it is not to be believed. */
  readonly notAfterMs: number;
}
