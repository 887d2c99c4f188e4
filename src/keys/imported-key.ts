import { createHash, createHmac, type KeyObject, randomBytes } from 'node:crypto';
import { bindKey, type JwsAlgorithm, type SignatureCheck } from './algorithms.ts';
import type { VerificationKey } from './key-ring.ts';

/** A verification key as import leaves it: bound to its algorithms, and identified. */
export interface ImportedKey extends VerificationKey {
  /**
   * Digest of the key material: the same for the same key, within this process. Part of a tenant's fingerprint; not
   * for display, though a secret can't be guessed from it: it is salted with bytes that never leave the process.
   */
  readonly thumbprint: string;
}

/** How an entry of the config names a key beyond what the key says of itself. */
export interface KeyNaming {
  /** Overrides a JWK's own `kid`. */
  readonly kid?: string | undefined;
  /** Pins the key to one algorithm; must agree with a JWK's own `alg`. */
  readonly alg?: string | undefined;
}

const thumbprintSalt = randomBytes(32);

const always = () => true;

/** Makes the key object out of checked material; it lives for good, where its source can't drop it. */
export function createImportedKey(
  material: KeyObject,
  fitting: readonly JwsAlgorithm[],
  kid: string | undefined,
): ImportedKey {
  const checks = new Map<string, SignatureCheck>(fitting.map((entry) => [entry.name, bindKey(entry, material)]));
  return {
    kid,
    algorithms: new Set(checks.keys()),
    isLive: always,
    thumbprint: thumbprintOf(material),
    verify: (algorithm, signingInput, signature) => checks.get(algorithm)?.(signingInput, signature) ?? false,
  };
}

function thumbprintOf(material: KeyObject): string {
  if (material.type === 'secret') return createHmac('sha256', thumbprintSalt).update(material.export()).digest('hex');
  return createHash('sha256')
    .update(material.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
