import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { importJwk } from './import-jwk.ts';
import type { ImportedKey, KeyNaming } from './imported-key.ts';
import { type KeyProblem, keyProblem } from './key-problem.ts';
import { parsePem } from './pem.ts';

/** The label says how the bytes are parsed, and parsing says what the key is: nothing is guessed from content. */
const readers: ReadonlyMap<string, (der: Buffer) => KeyObject> = new Map([
  ['PUBLIC KEY', (der: Buffer) => createPublicKey({ key: der, format: 'der', type: 'spki' })],
  ['RSA PUBLIC KEY', (der: Buffer) => createPublicKey({ key: der, format: 'der', type: 'pkcs1' })],
  ['CERTIFICATE', (der: Buffer) => new X509Certificate(der).publicKey],
]);

/**
 * Imports a PEM public key or X.509 certificate for the algorithms among `accepted` that its type permits; never an
 * HMAC algorithm. A certificate is taken as a wrapping of its key: whoever configured it pinned it, so neither its
 * dates nor its issuer are checked, and no key stops working at midnight. Take it out of the config to end it.
 */
export async function importPem(
  text: string,
  naming: KeyNaming,
  accepted: ReadonlySet<string>,
): Promise<ImportedKey | KeyProblem> {
  const block = parsePem(text);
  if ('kind' in block) return block;
  if (block.label.endsWith('PRIVATE KEY')) {
    return keyProblem(
      'privateKey',
      `this is a private key (${block.label}): verifying needs its public half only, which "openssl pkey -pubout" prints`,
    );
  }
  const read = readers.get(block.label);
  if (read === undefined) {
    return keyProblem('unsupported', `${block.label} is neither a public key nor a certificate`);
  }
  let jwk: unknown;
  try {
    jwk = read(block.der).export({ format: 'jwk' });
  } catch (error) {
    // A restricted RSA-PSS key (OID id-RSASSA-PSS) parses but has no JWK form, and JOSE no name for it.
    return isUnsupported(error)
      ? keyProblem('unsupported', `the ${block.label} holds a kind of key that no JWS algorithm goes with`)
      : keyProblem('malformed', `the ${block.label} can't be parsed`);
  }
  return importJwk(jwk, { kid: naming.kid, alg: naming.alg }, accepted);
}

function isUnsupported(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_CRYPTO_JWK_UNSUPPORTED_KEY_TYPE';
}
