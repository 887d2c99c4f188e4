import { createKeptAcrossReloads, type Lease } from './kept-across-reloads.ts';
import { createRateLimit, type LocalRateLimit, type Rate, type RateLimit } from './rate-limit.ts';

/** The limits of all upstreams, kept across reloads, so that an edit of the config gives nobody a new burst. */
export interface RateLimits {
  /** `key` says all that two limits which are one have in common. */
  hold(key: string, rate: Rate): Lease<RateLimit>;
}

export interface LocalRateLimits extends RateLimits {
  /** One that somebody holds. */
  find(key: string): LocalRateLimit | undefined;
}

export function createRateLimits(): LocalRateLimits {
  const kept = createKeptAcrossReloads<LocalRateLimit>();
  return { hold: (key, rate) => kept.acquire(key, () => createRateLimit(rate)), find: kept.find };
}
