import { algorithms } from './algorithms.ts';
import { createImportedKey, type ImportedKey, type KeyNaming } from './imported-key.ts';
import { type KeyProblem, keyProblem } from './key-problem.ts';
import { quoteForLog } from './quote-for-log.ts';

export interface SecretOptions extends KeyNaming {
  /** Accept a legacy secret that is shorter than the hash; never an empty one. */
  readonly allowWeakSecret?: boolean | undefined;
}

/** The algorithms among these for which a secret of so many bytes is shorter than the hash (RFC 7518 section 3.2). */
export function findWeakAlgorithms(secretBytes: number, accepted: Iterable<string>): string[] {
  return [...accepted].filter((name) => secretBytes < (algorithms.get(name)?.minSecretBytes ?? 0));
}

const hmacs = [...algorithms.values()].filter(({ keyType }) => keyType === 'oct');

/** Imports a shared secret, decoded, for the HMAC algorithms among `accepted`; each must be satisfied by its length. */
export function importSecret(
  secret: Uint8Array,
  { kid, alg, allowWeakSecret = false }: SecretOptions,
  accepted: ReadonlySet<string>,
): ImportedKey | KeyProblem {
  if (secret.length === 0) return keyProblem('weak', 'the secret is empty');
  if (alg !== undefined && algorithms.get(alg)?.keyType !== 'oct') {
    return keyProblem('algorithmMismatch', `alg ${quoteForLog(alg)}: a secret goes with HS256, HS384 or HS512 only`);
  }
  const fitting = hmacs.filter(({ name }) => accepted.has(name) && (alg === undefined || alg === name));
  if (fitting.length === 0) {
    return keyProblem('algorithmMismatch', `a secret goes with HS256, HS384 or HS512, not ${listed(accepted)}`);
  }
  const weakFor = findWeakAlgorithms(
    secret.length,
    fitting.map(({ name }) => name),
  );
  if (weakFor.length > 0 && !allowWeakSecret) {
    return keyProblem('weak', `the secret has ${secret.length} bytes, ${needs(weakFor)} (RFC 7518 section 3.2)`);
  }
  return createImportedKey(Buffer.from(secret), fitting, kid);
}

function needs(weakFor: readonly string[]): string {
  return weakFor.map((name) => `${name} needs ${algorithms.get(name)?.minSecretBytes}`).join(', ');
}

function listed(accepted: ReadonlySet<string>): string {
  return [...accepted].map(quoteForLog).join(', ') || 'no algorithm';
}
