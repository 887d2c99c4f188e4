import { type MalformedToken, parseToken } from '../../src/gate/token.ts';
import { type Rejection, type Verdict, type Verifier, verifySignature } from '../../src/gate/verify.ts';
import { createKeyRing, type KidMode, staticKeys, type VerificationKey } from '../../src/keys/key-ring.ts';
import type { VerdictCache } from '../../src/state/verdict-cache.ts';
import { keepingCache } from './verdicts.ts';

let made = 0;

/** A tenant as far as signatures go, with a fingerprint of its own unless one is given. */
export function verifierOf(
  keys: readonly VerificationKey[],
  options: { algorithms: Iterable<string>; kid?: KidMode; clockSkewS?: number; fingerprint?: string },
): Verifier {
  const algorithms = new Set(options.algorithms);
  return {
    algorithms,
    fingerprint: options.fingerprint ?? `tenant-${++made}`,
    checks: { clockSkewS: options.clockSkewS ?? 5 },
    keys: createKeyRing([staticKeys(keys)], { algorithms, kid: options.kid ?? 'auto' }),
  };
}

export function emptyCache(): VerdictCache {
  return keepingCache();
}

/** A raw token's way through parsing and verification. */
export async function judge(
  raw: string,
  verifier: Verifier,
  verdicts: VerdictCache = emptyCache(),
  nowMs = Date.now(),
): Promise<Verdict | MalformedToken> {
  const token = parseToken(raw, 16_384);
  return token.kind === 'malformed' ? token : verifySignature(token, verifier, verdicts, nowMs);
}

/** The reason of a refusal, in the config's words; "verified" where there was none. */
export async function reasonOf(...args: Parameters<typeof judge>): Promise<string> {
  const verdict = await judge(...args);
  if (verdict.kind === 'malformed') return 'tokenMalformed';
  return verdict.kind === 'verified' ? 'verified' : (verdict as Rejection).reason;
}
