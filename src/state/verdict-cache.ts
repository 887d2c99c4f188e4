import { LRUCache } from 'lru-cache';
import type { Json, JsonObject, UnverifiedToken } from '../gate/token.ts';
import type { VerifiedToken } from '../gate/verify.ts';
import type { VerificationKey } from '../keys/key-ring.ts';
import { createSecondSight } from './second-sight.ts';
import { tokenPlace } from './token-place.ts';

export interface VerdictCacheLimits {
  /** Tokens; 0 turns the cache off. */
  readonly entries: number;
  /** Estimated heap bytes of all entries together; 0 turns it off, too. */
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
  find(raw: string): UnverifiedToken | undefined;
  /** The verdict of the tenant with this fingerprint; undefined once its key is gone or the token's time is over. */
  verdictFor(token: UnverifiedToken, fingerprint: string, nowMs: number): CachedVerdict | undefined;
  insert(unverified: UnverifiedToken, verdict: NewVerdict): void;
  /** Was a token with this signature verified before, in living memory? For those that are not worth keeping else. */
  wasVerified(signature: Uint8Array): boolean;
  /** Did every one of these keys refuse this very token before? */
  wasRefused(raw: string, keys: readonly VerificationKey[]): boolean;
  /**
   * Remembers that, if it is not the first time, apart from the verdicts: what was refused never pushes out what was
   * verified.
   */
  refuse(token: Pick<UnverifiedToken, 'raw' | 'signature'>, keys: readonly VerificationKey[]): void;
  stats(): VerdictCacheStats;
}

interface StoredVerdict {
  readonly fingerprint: string;
  readonly isLive: () => boolean;
  readonly expiresAtMs: number;
  readonly verdict: CachedVerdict;
}

interface Refusal {
  readonly raw: string;
  /** All of them refused it. */
  readonly keys: readonly VerificationKey[];
}

/** Tenants that can hold a verdict on one token at the same time; the oldest makes room. */
const maxVerdictsPerToken = 8;

/** For a client that sends the same bad token over and over; who makes up new ones gets past it anyway. */
const maxRefusals = 1000;
const maxRefusalBytes = 1024 * 1024;
const refusalBytes = 200;

/** Makes the cache, bounded in tokens and in estimated bytes; what was used longest ago goes first. */
export function createVerdictCache(limits: VerdictCacheLimits): VerdictCache {
  let hits = 0;
  let misses = 0;
  if (limits.entries === 0 || limits.bytes === 0) {
    return {
      find: () => undefined,
      verdictFor: () => {
        misses++;
        return undefined;
      },
      insert: () => {},
      wasVerified: () => false,
      wasRefused: () => false,
      refuse: () => {},
      stats: () => ({ hits, misses, entries: 0, bytes: 0 }),
    };
  }
  const entries = new LRUCache<number, KeptToken>({ max: limits.entries, maxSize: limits.bytes });
  const verified = createSecondSight(limits.entries, { lastBytes: 16 });
  const refused = createSecondSight(maxRefusals);
  const refusals = new LRUCache<number, Refusal>({ max: maxRefusals, maxSize: maxRefusalBytes });

  function find(raw: string): KeptToken | undefined {
    const kept = entries.get(tokenPlace(raw));
    return kept?.raw === raw ? kept : undefined;
  }

  function verdictFor(token: UnverifiedToken, fingerprint: string, nowMs: number): CachedVerdict | undefined {
    const kept = token instanceof KeptToken ? token : find(token.raw);
    const stored = kept?.verdictOf(fingerprint);
    if (kept === undefined || stored === undefined) {
      misses++;
      return undefined;
    }
    if (nowMs < stored.expiresAtMs && stored.isLive()) {
      hits++;
      return stored.verdict;
    }
    kept.drop(fingerprint);
    if (kept.verdicts.length === 0) entries.delete(tokenPlace(kept.raw));
    misses++;
    return undefined;
  }

  function insert(unverified: UnverifiedToken, { fingerprint, token, isLive, expiresAtMs }: NewVerdict): void {
    const place = tokenPlace(unverified.raw);
    const there = entries.peek(place);
    // Its size changes, which the cache would not look at; or it is another token, and makes room.
    if (there !== undefined) entries.delete(place);
    const kept = there?.raw === unverified.raw ? there : new KeptToken(unverified);
    const { raw, unverifiedHeader: header, unverifiedClaims: claims } = kept;
    const verdict: CachedVerdict = { kind: 'verified', token: { ...token, raw, header, claims }, cached: true };
    kept.drop(fingerprint);
    kept.verdicts = [...kept.verdicts.slice(1 - maxVerdictsPerToken), { fingerprint, isLive, expiresAtMs, verdict }];
    entries.set(place, kept, { size: kept.bytes + kept.verdicts.length * verdictBytes });
  }

  function wasRefused(raw: string, keys: readonly VerificationKey[]): boolean {
    const refusal = refusals.get(tokenPlace(raw));
    if (refusal?.raw !== raw || refusal.keys.length !== keys.length) return false;
    return keys.every((key, index) => key === refusal.keys[index]);
  }

  function refuse(
    { raw, signature }: Pick<UnverifiedToken, 'raw' | 'signature'>,
    keys: readonly VerificationKey[],
  ): void {
    if (!refused.wasSeen(signature)) return;
    refusals.set(tokenPlace(raw), { raw: detached(raw), keys }, { size: raw.length + refusalBytes });
  }

  return {
    find,
    verdictFor,
    insert,
    wasVerified: verified.wasSeen,
    wasRefused,
    refuse,
    stats: () => ({ hits, misses, entries: entries.size, bytes: entries.calculatedSize }),
  };
}

/**
 * A token that keeps nothing else alive, and that no request can change for the next: the raw text that came was cut
 * out of a whole request head. What only a second signature check needs is cut out of it anew, for memory's sake.
 */
class KeptToken implements UnverifiedToken {
  readonly kind = 'unverified';
  readonly raw: string;
  readonly unverifiedHeader: JsonObject;
  readonly unverifiedClaims: JsonObject;
  readonly algorithm: string;
  readonly kid: string | undefined;
  /** Estimated, without the verdicts. */
  readonly bytes: number;
  /** Nearly always one; more where tenants share a key, or while a reload's old fingerprint fades. */
  verdicts: readonly StoredVerdict[] = [];

  constructor({ raw, unverifiedHeader, unverifiedClaims, algorithm, kid }: UnverifiedToken) {
    this.raw = detached(raw);
    this.unverifiedHeader = unverifiedHeader;
    this.unverifiedClaims = unverifiedClaims;
    this.algorithm = algorithm;
    this.kid = kid;
    this.bytes = tokenBytes + raw.length + freeze(unverifiedHeader) + freeze(unverifiedClaims);
  }

  verdictOf(fingerprint: string): StoredVerdict | undefined {
    for (const stored of this.verdicts) if (stored.fingerprint === fingerprint) return stored;
    return undefined;
  }

  drop(fingerprint: string): void {
    this.verdicts = this.verdicts.filter((stored) => stored.fingerprint !== fingerprint);
  }

  get signingInput(): string {
    return this.raw.slice(0, this.raw.lastIndexOf('.'));
  }

  get signature(): Uint8Array {
    return Buffer.from(this.raw.slice(this.raw.lastIndexOf('.') + 1), 'base64url');
  }
}

function detached(raw: string): string {
  return Buffer.from(raw, 'latin1').toString('latin1');
}

/*
 * What V8 takes, measured on tokens of many shapes (docs/decisions/signature-checks.md has the figures): rather too
 * much than too little, because `bytes` is what an operator sizes the pod by.
 */
const tokenBytes = 450;
const verdictBytes = 250;
const objectBytes = 72;
const listBytes = 48;
const elementBytes = 12;
/** Objects of one shape share it; one with very many members shares it with nobody. */
const memberBytes = 40;
const manyMembers = 30;
const lonelyMemberBytes = 140;
const stringBytes = 24;

/** Freezes a parsed value and says about how much memory it takes. Depth is bounded by the parser. */
function freeze(value: Json): number {
  if (typeof value === 'string') return stringBytes + value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let bytes: number;
  if (Array.isArray(value)) {
    bytes = listBytes + value.length * elementBytes;
    for (const inner of value) bytes += freeze(inner);
  } else {
    bytes = objectBytes;
    const members = Object.entries(value);
    const each = members.length > manyMembers ? lonelyMemberBytes : memberBytes;
    for (const [, inner] of members) bytes += each + freeze(inner as Json);
  }
  Object.freeze(value);
  return bytes;
}
