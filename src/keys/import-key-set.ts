import { importJwk, type JwkOptions } from './import-jwk.ts';
import type { ImportedKey } from './imported-key.ts';
import { isKeyProblem, type KeyProblem, type KeyProblemCode, keyProblem } from './key-problem.ts';
import { quoteForLog } from './quote-for-log.ts';

/** A key of a set that is not used, and why; the others are none the worse for it. */
export interface SkippedKey {
  /** Position in the set's `keys`. */
  readonly index: number;
  /** Quoted for display; undefined where it has none that can be read. */
  readonly kid: string | undefined;
  readonly code: KeyProblemCode;
  readonly detail: string;
}

export interface ImportedKeySet {
  readonly keys: readonly ImportedKey[];
  readonly skipped: readonly SkippedKey[];
}

/** More is no key set but a burden; every key costs an import on the main thread. */
const maxKeys = 1000;

/**
 * Imports a JWK set (RFC 7517 section 5) given as a parsed value. An odd key is skipped with its reason; only what is
 * no set at all is a problem. Two different keys under one `kid` both stay: either is one that the set's owner named,
 * and a token's signature tells which; the same key twice counts once.
 */
export async function importKeySet(
  value: unknown,
  options: Pick<JwkOptions, 'allowSecret' | 'allowWeakSecret'>,
  accepted: ReadonlySet<string>,
): Promise<ImportedKeySet | KeyProblem> {
  const jwks = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined;
  if (!Array.isArray(jwks)) return keyProblem('malformed', 'a JWK set is a JSON object with a list "keys"');
  if (jwks.length > maxKeys) return keyProblem('unsupported', `the set has more than ${maxKeys} keys`);
  const keys: ImportedKey[] = [];
  const skipped: SkippedKey[] = [];
  for (const [index, jwk] of jwks.entries()) {
    const key = await importJwk(jwk, options, accepted);
    const problem = isKeyProblem(key) ? key : keys.some((other) => isSameKey(other, key)) ? sameKeyTwice : undefined;
    if (problem === undefined) keys.push(key as ImportedKey);
    else skipped.push({ index, kid: kidOf(jwk), code: problem.code, detail: problem.detail });
  }
  return { keys, skipped };
}

const sameKeyTwice = keyProblem('duplicate', 'the same key stands in the set twice');

function kidOf(jwk: unknown): string | undefined {
  const kid = typeof jwk === 'object' && jwk !== null && 'kid' in jwk ? jwk.kid : undefined;
  return typeof kid === 'string' || typeof kid === 'number' ? quoteForLog(String(kid)) : undefined;
}

function isSameKey(a: ImportedKey, b: ImportedKey): boolean {
  return a.kid === b.kid && a.thumbprint === b.thumbprint && a.algorithms.isSupersetOf(b.algorithms);
}
