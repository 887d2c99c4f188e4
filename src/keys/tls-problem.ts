const unknownAuthority =
  'its certificate is of no authority known here, or its chain is incomplete: name the authority in `ca`';
const noTls = 'no TLS came about: is it plain http there, or does it ask for a client certificate?';

/** By OpenSSL's and Node's codes. */
const problems: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: name it in `ca`',
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it there, or look at the clock here',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names than the one in the URL',
  EPROTO: noTls,
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
};

/**
 * Why TLS to a server came to nothing, and what to do about it; undefined where the code says nothing of that. Node's
 * own words are of no use to an operator: they name flags of Node, which the executable does not take.
 */
export function tlsProblem(code: string): string | undefined {
  return problems[code];
}
