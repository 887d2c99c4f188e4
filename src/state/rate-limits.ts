import { createRateLimit, type Rate, type RateLimit } from './rate-limit.ts';

/** Every rate limit of this process, by the place that asks for it: a reload that changes no rate gives no new burst. */
export interface RateLimits {
  /** A place that is held already gets the same limit, unless its rate changed. */
  acquire(place: string, rate: Rate): RateLimitLease;
}

export interface RateLimitLease {
  readonly limit: RateLimit;
  /** Gives the hold up; the last one forgets the limit. A second call does nothing. */
  release(): void;
}

export function createRateLimits(): RateLimits {
  const held = new Map<string, { readonly limit: RateLimit; leases: number }>();
  return {
    acquire(place, rate) {
      const key = JSON.stringify([place, rate.count, rate.periodMs, rate.burst]);
      const entry = held.get(key) ?? { limit: createRateLimit(rate), leases: 0 };
      held.set(key, entry);
      entry.leases++;
      let released = false;
      return {
        limit: entry.limit,
        release() {
          if (released) return;
          released = true;
          if (--entry.leases === 0) held.delete(key);
        },
      };
    },
  };
}
