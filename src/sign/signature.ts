import { createHmac, sign as cryptoSign, type KeyObject, type SignKeyObjectInput } from 'node:crypto';
import type { JwsAlgorithm } from '../keys/algorithms.ts';

/**
 * Makes the signature of one signing input (RFC 7515 section 5.1), which is ASCII. A promise only for keys so slow that
 * they would hold up everybody else; it rejects, or the call throws, only where the crypto library itself fails.
 */
export type MakeSignature = (signingInput: string) => Buffer | Promise<Buffer>;

/** Under half a millisecond a signature, and no slower on one thread than on another: docs/decisions/signing.md. */
function isQuick({ name, keyType }: JwsAlgorithm, key: KeyObject): boolean {
  if (keyType === 'RSA') return (key.asymmetricKeyDetails?.modulusLength ?? 0) <= 2048;
  return name === 'ES256' || name === 'EdDSA' || name === 'Ed25519';
}

/** Binds a private key or secret to the one algorithm that it signs with. */
export function bindSigningKey(algorithm: JwsAlgorithm, key: KeyObject): MakeSignature {
  const { digest, options } = algorithm;
  if (algorithm.keyType === 'oct') {
    return (signingInput) =>
      createHmac(digest as string, key)
        .update(signingInput, 'latin1')
        .digest();
  }
  const keyInput: SignKeyObjectInput = { key, ...options };
  if (isQuick(algorithm, key)) {
    return (signingInput) => cryptoSign(digest, Buffer.from(signingInput, 'latin1'), keyInput);
  }
  return (signingInput) =>
    new Promise((resolve, reject) => {
      cryptoSign(digest, Buffer.from(signingInput, 'latin1'), keyInput, (error, signature) => {
        if (error === null) resolve(signature);
        else reject(error);
      });
    });
}
