import { type ClaimPath, findClaim } from './claims.ts';
import { type Denial, deny } from './denial.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { VerifiedToken } from './verify.ts';

export type ReplayUse =
  | { readonly kind: 'first' }
  | { readonly kind: 'again' }
  /** Nobody can tell: the store is away. */
  | { readonly kind: 'unavailable'; readonly detail: string; readonly retryAfterS: number }
  /** Nothing more can be remembered. */
  | { readonly kind: 'full'; readonly detail: string; readonly retryAfterS: number };

/** Remembers what was used; of any number of uses of one id at the same time, exactly one is the first. */
export interface ReplayStore {
  /** Never rejects. `untilMs`: until then it must be remembered, in milliseconds since the epoch. */
  use(id: string, untilMs: number, nowMs: number): ReplayUse | Promise<ReplayUse>;
  /** What `use` would answer, without using anything. Never rejects. */
  ask(id: string): ReplayUse | Promise<ReplayUse>;
}

/** A tenant's tokens are for one request each. */
export interface Replay {
  /** The claim that tells tokens apart. */
  readonly claim: ClaimPath;
  readonly store: ReplayStore;
  /** Let through while the store is away. */
  readonly allowsOnFailure: boolean;
}

/** A clock that is turned back, or a replica's that is behind, must not see a token that was forgotten. */
const marginMs = 60_000;

/**
 * Takes a token's one use, which a denial later on does not give back. claimRefused where it can't be told apart or has
 * no end, tokenReplayed for a second use, stateUnavailable where the store can't say.
 */
export function judgeReplay(
  { claim, store, allowsOnFailure }: Replay,
  tenant: { readonly id: string; readonly clockSkewS: number },
  { claims }: Pick<VerifiedToken, 'claims'>,
  nowMs: number,
  rehearsal?: Rehearsal,
): Denial | undefined | Promise<Denial | undefined> {
  const value = findClaim(claims, claim);
  if ((typeof value !== 'string' || value === '') && !Number.isSafeInteger(value)) {
    return deny('claimRefused', `the token has no ${claim.join('.')}, which single use needs`);
  }
  const { exp, iss } = claims;
  if (typeof exp !== 'number') return deny('claimRefused', 'the token has no exp, which single use needs');
  // Issuers number their tokens each for itself; and where routes go by different claims, one's value is not the other's.
  const id = JSON.stringify([tenant.id, typeof iss === 'string' ? iss : null, claim, value]);
  const conclude = (use: ReplayUse): Denial | undefined => {
    switch (use.kind) {
      case 'first':
        return undefined;
      case 'again':
        return deny('tokenReplayed', 'the token was used before');
      case 'unavailable':
        return allowsOnFailure ? undefined : deny('stateUnavailable', use.detail, { retryAfterS: use.retryAfterS });
      case 'full':
        return deny('stateUnavailable', use.detail, { retryAfterS: use.retryAfterS });
    }
  };
  const untilMs = (exp + tenant.clockSkewS) * 1000 + marginMs;
  const takesEffect = rehearsal === undefined || rehearsal.replay === 'use';
  const use = takesEffect ? store.use(id, untilMs, nowMs) : store.ask(id);
  return use instanceof Promise ? use.then(conclude) : conclude(use);
}
