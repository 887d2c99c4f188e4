/** So many requests in so long a time, and how many may come at once. */
export interface Rate {
  readonly count: number;
  readonly periodMs: number;
  /** At least 1. In any stretch of time no more pass than the rate gives in it, and these. */
  readonly burst: number;
}

const periodMsByUnit = { s: 1000, m: 60_000, h: 3_600_000 } as const;
const rateForm = /^([1-9]\d{0,8})\/([smh])$/;
const mostBurst = 1_000_000;

/** Reads "10/s", "600/m" or "5000/h". Without a burst, one second's worth may come at once, and at least one. */
export function parseRate(text: string, burst?: number): Rate | { readonly problem: string } {
  const [, digits, unit] = rateForm.exec(text) ?? [];
  if (digits === undefined) return { problem: 'must be a rate such as 10/s, 600/m or 5000/h' };
  if (burst !== undefined && !(Number.isInteger(burst) && burst >= 1 && burst <= mostBurst)) {
    return { problem: `burst must be a whole number from 1 to ${mostBurst}` };
  }
  const count = Number(digits);
  const periodMs = periodMsByUnit[unit as keyof typeof periodMsByUnit];
  return { count, periodMs, burst: burst ?? Math.min(mostBurst, Math.max(1, Math.floor((count * 1000) / periodMs))) };
}

export type Admission =
  | { readonly kind: 'admitted'; readonly nextFreeMs: number }
  /** For Retry-After: whole seconds, at least one. */
  | { readonly kind: 'refused'; readonly retryAfterS: number };

/**
 * The generic cell rate algorithm, which is a token bucket that needs one number for its state: `nextFreeMs`, when the
 * next request would come if all came evenly. An admission says its new value; a refusal changes nothing.
 */
export function admit({ count, periodMs, burst }: Rate, nextFreeMs: number, nowMs: number): Admission {
  const intervalMs = periodMs / count;
  const toleranceMs = intervalMs * (burst - 1);
  // A clock that was set back makes a state of the far future: no wait is longer than a full bucket takes.
  const dueMs = Math.min(Math.max(nextFreeMs, nowMs), nowMs + toleranceMs + intervalMs);
  const waitMs = dueMs - toleranceMs - nowMs;
  // Less than a microsecond is rounding, not a wait.
  if (waitMs > 0.001) return { kind: 'refused', retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) };
  return { kind: 'admitted', nextFreeMs: dueMs + intervalMs };
}

export type Taken =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'refused'; readonly retryAfterS: number }
  /** Whoever counts did not answer. */
  | { readonly kind: 'unavailable'; readonly detail: string; readonly retryAfterS: number };

export interface RateLimit {
  /** Takes one request's share, or says in how many seconds to come again. Never rejects. */
  take(nowMs: number): Taken | Promise<Taken>;
}

/** Counts here; it never has to be waited for. */
export interface LocalRateLimit extends RateLimit {
  take(nowMs: number): Exclude<Taken, { kind: 'unavailable' }>;
}

/** One upstream's limit; it begins with a full burst. */
export function createRateLimit(rate: Rate): LocalRateLimit {
  let nextFreeMs = Number.NEGATIVE_INFINITY;
  return {
    take(nowMs) {
      const admission = admit(rate, nextFreeMs, nowMs);
      if (admission.kind === 'admitted') nextFreeMs = admission.nextFreeMs;
      return admission;
    },
  };
}
