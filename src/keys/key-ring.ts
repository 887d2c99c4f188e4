/** One key a tenant trusts, bound at import to the algorithms it may verify: never to what a token says. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** JWS algorithm names (RFC 7518, 8037, 9864, 9964), already cut down to the tenant's own list. */
  readonly algorithms: ReadonlySet<string>;
  /** Turns false, for good, when its source no longer names the key: cached verdicts made with it die at once. */
  readonly isLive: () => boolean;
  /** Never throws or rejects; a signature it can't process is an invalid one. */
  verify(algorithm: string, signingInput: string, signature: Uint8Array): boolean | Promise<boolean>;
}

export type KeyLookup =
  | { readonly kind: 'found'; readonly keys: readonly VerificationKey[] }
  /** The tenant has keys, and none is the token's. */
  | { readonly kind: 'unknown'; readonly detail: string }
  /** The tenant's keys could not be had (yet). */
  | { readonly kind: 'unavailable'; readonly detail: string; readonly retryAfterS: number };

/** All keys of one tenant; never shared with another. */
export interface KeyRing {
  /** Answers at once unless a key source must be asked first. `kid` is text; a numeric kid was turned into text. */
  find(kid: string | undefined, algorithm: string, nowMs: number): KeyLookup | Promise<KeyLookup>;
}
