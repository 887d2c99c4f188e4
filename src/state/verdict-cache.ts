import { LRUCache } from 'lru-cache';
import type { Json, UnverifiedToken } from '../gate/token.ts';
import type { VerifiedToken } from '../gate/verify.ts';

export interface VerdictCacheLimits {
  /** Tokens; 0 turns the cache off. */
  readonly entries: number;
  /** Estimated heap bytes of all entries together. */
  readonly bytes: number;
}

export interface CachedVerdict {
  readonly kind: 'verified';
  readonly token: VerifiedToken;
  readonly cached: true;
}

export interface NewVerdict {
  readonly fingerprint: string;
  readonly token: VerifiedToken;
  /** Is the key that verified it still one of the tenant's? */
  readonly isLive: () => boolean;
  /** The verdict's end at the latest, though time is judged anew on every hit; Infinity where the token has none. */
  readonly expiresAtMs: number;
}

export interface VerdictCacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
  readonly bytes: number;
}

/** Signature verdicts by whole raw token and tenant fingerprint; only tokens that some tenant verified are in it. */
export interface VerdictCache {
  /** How a token reads that some tenant has verified before: parsing, and no verdict. */
  find(raw: string): { readonly unverified: UnverifiedToken } | undefined;
  /** The verdict of the tenant with this fingerprint; undefined once its key is gone or the token's time is over. */
  verdictFor(raw: string, fingerprint: string, nowMs: number): CachedVerdict | undefined;
  insert(unverified: UnverifiedToken, verdict: NewVerdict): void;
  stats(): VerdictCacheStats;
}

interface Entry {
  readonly unverified: UnverifiedToken;
  /** Nearly always one; more where tenants share a key, or while a reload's old fingerprint fades. */
  verdicts: readonly StoredVerdict[];
}

interface StoredVerdict {
  readonly fingerprint: string;
  readonly isLive: () => boolean;
  readonly expiresAtMs: number;
  readonly verdict: CachedVerdict;
}

/** Tenants that can hold a verdict on one token at the same time; the oldest makes room. */
const maxVerdictsPerToken = 8;

/** Makes the cache, bounded in tokens and in estimated bytes; what was used longest ago goes first. */
export function createVerdictCache(limits: VerdictCacheLimits): VerdictCache {
  let hits = 0;
  let misses = 0;
  if (limits.entries === 0) {
    return {
      find: () => undefined,
      verdictFor: () => {
        misses++;
        return undefined;
      },
      insert: () => {},
      stats: () => ({ hits, misses, entries: 0, bytes: 0 }),
    };
  }
  const entries = new LRUCache<string, Entry>({ max: limits.entries, maxSize: limits.bytes });

  function find(raw: string): Entry | undefined {
    return entries.get(raw);
  }

  function verdictFor(raw: string, fingerprint: string, nowMs: number): CachedVerdict | undefined {
    const entry = entries.get(raw);
    const stored = entry?.verdicts.find((candidate) => candidate.fingerprint === fingerprint);
    if (stored !== undefined && nowMs < stored.expiresAtMs && stored.isLive()) {
      hits++;
      return stored.verdict;
    }
    if (entry !== undefined && stored !== undefined) drop(raw, entry, stored);
    misses++;
    return undefined;
  }

  function drop(raw: string, entry: Entry, stored: StoredVerdict): void {
    entry.verdicts = entry.verdicts.filter((candidate) => candidate !== stored);
    if (entry.verdicts.length === 0) entries.delete(raw);
  }

  function insert(unverified: UnverifiedToken, { fingerprint, token, isLive, expiresAtMs }: NewVerdict): void {
    const known = entries.peek(unverified.raw);
    const kept = known?.unverified ?? standAlone(unverified);
    const stored: StoredVerdict = {
      fingerprint,
      isLive,
      expiresAtMs,
      verdict: { kind: 'verified', token: { ...token, ...sharedParts(kept) }, cached: true },
    };
    const others = (known?.verdicts ?? []).filter((candidate) => candidate.fingerprint !== fingerprint);
    const verdicts = [...others.slice(1 - maxVerdictsPerToken), stored];
    entries.set(kept.raw, { unverified: kept, verdicts }, { size: estimateBytes(kept, verdicts.length) });
  }

  return {
    find,
    verdictFor,
    insert,
    stats: () => ({ hits, misses, entries: entries.size, bytes: entries.calculatedSize }),
  };
}

/**
 * A copy that keeps nothing else alive, and that no request can change for the next: the raw token was cut out of a
 * whole request head, and the signature's bytes lie in a pool.
 */
function standAlone(token: UnverifiedToken): UnverifiedToken {
  const raw = Buffer.from(token.raw, 'latin1').toString('latin1');
  return {
    ...token,
    raw,
    signingInput: raw.slice(0, token.signingInput.length),
    signature: Uint8Array.from(token.signature),
    unverifiedHeader: freeze(token.unverifiedHeader),
    unverifiedClaims: freeze(token.unverifiedClaims),
  };
}

function sharedParts({ raw, unverifiedHeader, unverifiedClaims }: UnverifiedToken) {
  return { raw, header: unverifiedHeader, claims: unverifiedClaims };
}

/** Depth is bounded by the parser. */
function freeze<T extends Json>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}

/** Calibrated against V8's heap (docs/decisions/signature-checks.md): rather too much than too little. */
function estimateBytes({ raw, signature }: UnverifiedToken, verdicts: number): number {
  return 1000 + raw.length * 3 + signature.length + verdicts * 200;
}
