import { isDear, isSymmetric } from '../keys/algorithms.ts';
import type { KeyLookup, VerificationKey } from '../keys/key-ring.ts';
import { quoteForLog } from '../keys/quote-for-log.ts';
import type { VerdictCache } from '../state/verdict-cache.ts';
import type { Tenant } from './policy.ts';
import type { Reason } from './reasons.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { JsonObject, UnverifiedToken } from './token.ts';

declare const signatureVerified: unique symbol;

/** A token whose signature one of the tenant's own keys made. Only this file makes one; time and claims are judged after. */
export interface VerifiedToken {
  readonly [signatureVerified]: true;
  readonly raw: string;
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly algorithm: string;
  readonly kid: string | undefined;
  /** Is the key that made the signature still one of the tenant's? */
  readonly isLive: () => boolean;
}

export type Verdict =
  | { readonly kind: 'verified'; readonly token: VerifiedToken; readonly cached: boolean }
  | Rejection;

export interface Rejection {
  readonly kind: 'rejected';
  readonly reason: Extract<
    Reason,
    'algorithmRefused' | 'keyUnknown' | 'signatureInvalid' | 'keysUnavailable' | 'tokenExpired'
  >;
  /** For the log only. */
  readonly detail: string;
  readonly retryAfterS?: number;
}

/** What of a tenant bears on a signature, and all that is looked at here. */
export type Verifier = Pick<Tenant, 'algorithms' | 'fingerprint'> & {
  readonly keys: Pick<Tenant['keys'], 'find'>;
  readonly checks: Pick<Tenant['checks'], 'clockSkewS'>;
};

/**
 * Judges a token's signature with the tenant's own keys, cheapest test first: the tenant's algorithms
 * (algorithmRefused), `exp` passed (tokenExpired), its key (keyUnknown, keysUnavailable), and only then the signature
 * (signatureInvalid). Answers at once unless keys must be fetched or the algorithm is a slow one; never rejects.
 */
export function verifySignature(
  token: UnverifiedToken,
  tenant: Verifier,
  verdicts: VerdictCache,
  nowMs: number,
  rehearsal?: Rehearsal,
): Verdict | Promise<Verdict> {
  const known = verdicts.verdictFor(token, tenant.fingerprint, nowMs);
  if (known !== undefined) return known;
  rehearsal?.at('algorithm', { token });
  if (!tenant.algorithms.has(token.algorithm)) {
    const accepted = [...tenant.algorithms].join(', ');
    return rejected('algorithmRefused', `the token's alg is ${quoteForLog(token.algorithm)}; accepted: ${accepted}`);
  }
  // Before its key is looked up: no expired token makes us ask a provider for keys.
  rehearsal?.at('expiry');
  const expiresAtMs = expiryMs(token, tenant.checks.clockSkewS);
  if (nowMs >= expiresAtMs) return rejected('tokenExpired', 'its exp has passed; the signature was not checked');

  const question: Question = { token, fingerprint: tenant.fingerprint, verdicts, expiresAtMs, rehearsal };
  rehearsal?.at('key');
  const lookup = tenant.keys.find(token.kid, token.algorithm, nowMs);
  return lookup instanceof Promise ? lookup.then((late) => judge(question, late)) : judge(question, lookup);
}

/** What is left to ask once a token is worth a look at its key. */
interface Question {
  readonly token: UnverifiedToken;
  readonly fingerprint: string;
  readonly verdicts: VerdictCache;
  readonly expiresAtMs: number;
  readonly rehearsal: Rehearsal | undefined;
}

function judge(question: Question, lookup: KeyLookup): Verdict | Promise<Verdict> {
  if (lookup.kind === 'unknown') return rejected('keyUnknown', lookup.detail);
  if (lookup.kind === 'unavailable') return rejected('keysUnavailable', lookup.detail, lookup.retryAfterS);
  const { token, verdicts, rehearsal } = question;
  const { keys } = lookup;
  rehearsal?.at('signature');
  if (isWorthRemembering(token) && verdicts.wasRefused(token.raw, keys)) return signatureInvalid(token);
  const signer = findSigner(token, keys);
  return signer instanceof Promise
    ? signer.then((late) => conclude(question, keys, late))
    : conclude(question, keys, signer);
}

function conclude(question: Question, keys: readonly VerificationKey[], signer: Signer): Verdict {
  if (signer !== undefined) return accept(question, signer);
  const { token, verdicts } = question;
  if (isWorthRemembering(token)) verdicts.refuse(token, keys);
  return signatureInvalid(token);
}

/** An HMAC is checked as quickly as its refusal is remembered. */
function isWorthRemembering({ algorithm }: UnverifiedToken): boolean {
  return !isSymmetric(algorithm);
}

function accept({ token, fingerprint, verdicts, expiresAtMs }: Question, { isLive }: VerificationKey): Verdict {
  const verified = {
    raw: token.raw,
    header: token.unverifiedHeader,
    claims: token.unverifiedClaims,
    algorithm: token.algorithm,
    kid: token.kid,
    isLive,
  } as unknown as VerifiedToken; // the brand exists in the type alone
  // Most of what keeping a verdict costs is lost where its token never comes again.
  if (isDear(token.algorithm) || verdicts.wasVerified(token.signature)) {
    verdicts.insert(token, { fingerprint, token: verified, isLive, expiresAtMs });
  }
  return { kind: 'verified', token: verified, cached: false };
}

type Signer = VerificationKey | undefined;

/** The key that made the signature, if any of them did; each is tried only when those before it did not. */
function findSigner(token: UnverifiedToken, keys: readonly VerificationKey[], from = 0): Signer | Promise<Signer> {
  for (let index = from; index < keys.length; index++) {
    const key = keys[index] as VerificationKey;
    const valid = key.verify(token.algorithm, token.signingInput, token.signature);
    if (valid instanceof Promise) {
      // A key that was withdrawn while its signature was checked no longer counts.
      return valid.then((isValid) => (isValid && key.isLive() ? key : findSigner(token, keys, index + 1)));
    }
    if (valid) return key;
  }
  return undefined;
}

function signatureInvalid({ kid }: UnverifiedToken): Rejection {
  return rejected('signatureInvalid', `not signed with the key${kid === undefined ? '' : ` ${quoteForLog(kid)}`}`);
}

function rejected(reason: Rejection['reason'], detail: string, retryAfterS?: number): Rejection {
  return { kind: 'rejected', reason, detail, ...(retryAfterS === undefined ? {} : { retryAfterS }) };
}

/** Where `exp` is missing or no number, time says nothing yet: the claims are judged on the verified token. */
function expiryMs({ unverifiedClaims }: UnverifiedToken, clockSkewS: number): number {
  const exp = Object.hasOwn(unverifiedClaims, 'exp') ? unverifiedClaims.exp : undefined;
  return typeof exp === 'number' ? (exp + clockSkewS) * 1000 : Number.POSITIVE_INFINITY;
}
