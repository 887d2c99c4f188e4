import { LRUCache } from 'lru-cache';

/** A token that we made. */
export interface SignedToken {
  readonly kind: 'signed';
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Tokens that may be used again, of all signers together: bounded, whatever the claims they are made from. */
export interface TokenCache {
  /** Undefined where there is none, or it is time for a new one. */
  find(key: string, nowMs: number): SignedToken | undefined;
  insert(key: string, token: SignedToken, nowMs: number): void;
}

interface Entry {
  readonly token: SignedToken;
  readonly fromMs: number;
  readonly untilMs: number;
}

const mostMarginMs = 60_000;

/** A token is replaced before it expires: a fifth of its life, at most a minute, is for its way and for clocks that differ. */
export function renewalAtMs(madeAtMs: number, expiresAtMs: number): number {
  return expiresAtMs - Math.min(mostMarginMs, (expiresAtMs - madeAtMs) / 5);
}

/** `entries` and `bytes` bound the cache, whichever comes first. */
export function createTokenCache({ entries = 10_000, bytes = 16 * 1024 * 1024 } = {}): TokenCache {
  const tokens = new LRUCache<string, Entry>({ max: entries, maxSize: bytes });
  return {
    find(key, nowMs) {
      const entry = tokens.get(key);
      if (entry === undefined) return undefined;
      // A clock that was set back makes a token of the future, which verifiers refuse.
      if (nowMs >= entry.fromMs && nowMs < entry.untilMs) return entry.token;
      tokens.delete(key);
      return undefined;
    },
    insert(key, token, nowMs) {
      const untilMs = renewalAtMs(nowMs, token.expiresAtMs);
      tokens.set(key, { token, fromMs: nowMs, untilMs }, { size: 200 + key.length + token.token.length });
    },
  };
}
