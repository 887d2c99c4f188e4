import { hash, randomBytes } from 'node:crypto';
import { algorithms, type JwsAlgorithm, type KeyMaterial, prepareCheck, type SignatureCheck } from './algorithms.ts';
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
  material: KeyMaterial,
  fitting: readonly JwsAlgorithm[],
  kid: string | undefined,
): ImportedKey {
  const own = sharedSet(fitting.map(({ name }) => name));
  /** For the algorithm of the last token: an issuer stays with one. */
  let ready: { readonly name: string; readonly check: SignatureCheck } | undefined;
  return {
    kid,
    algorithms: own,
    isLive: always,
    thumbprint: thumbprintOf(material),
    verify: (name, signingInput, signature) => {
      if (ready?.name !== name) {
        const algorithm = own.has(name) ? algorithms.get(name) : undefined;
        if (algorithm === undefined) return false;
        ready = { name: algorithm.name, check: prepareCheck(algorithm, material) };
      }
      return ready.check(signingInput, signature);
    },
  };
}

/** Thousands of keys go with the same few algorithms: one set for each combination, of which there are not many. */
const sets = new Map<string, ReadonlySet<string>>();

function sharedSet(names: readonly string[]): ReadonlySet<string> {
  const key = names.join();
  const known = sets.get(key);
  if (known !== undefined) return known;
  const set = new Set(names);
  sets.set(key, set);
  return set;
}

function thumbprintOf(material: KeyMaterial): string {
  const bytes =
    material instanceof Uint8Array
      ? Buffer.concat([thumbprintSalt, material])
      : material.export({ type: 'spki', format: 'der' });
  return hash('sha256', bytes, 'base64url');
}
