import type { Clock, Timer } from './clock.ts';

export interface KidSearchParts {
  readonly clock: Clock;
  readonly cooldownMs: number;
  /** Fetches the set anew; true when that brought an answer. Never rejects. */
  readonly fetch: () => Promise<boolean>;
  /** Does the set as it is now name this kid? */
  readonly has: (kid: string) => boolean;
}

/** Decides when a kid that no key has is worth a fetch. */
export interface KidSearch {
  /** Undefined: not now. Else resolves when the fetch that was begun or joined is over; never rejects. */
  seek(kid: string, seeker: object): Promise<void> | undefined;
  close(): void;
}

/** What one tenant may still spend. */
interface Budget {
  /** End of the cool-down after a fetch that did not bring what was sought. */
  nextMs: number;
  /** Left of the allowance for kids that turned out good, which cost no cool-down; and when it was last filled up. */
  refunds: number;
  refundedMs: number;
}

/** A kid that a fetch did not bring: not sought before `untilMs`, and then `waitMs` longer each time. */
interface Absence {
  readonly untilMs: number;
  readonly waitMs: number;
}

/** Bounds what a flood can make us remember: absent kids, and kids that wait for the end of a cool-down. */
const maxAbsent = 1000;
const maxWanted = 100;

/** No provider names a key by more, and a thousand made-up ones of a token's length are 8 MB for each source. */
const maxKidLength = 256;

/** In cool-downs: the longest that one absent kid waits for its next fetch. */
const longestAbsence = 20;

/** A rotation needs one, an unlucky one a few; one comes back after every second cool-down. */
const maxRefunds = 5;

/** Tenants that share a source leave this part of the cool-down between their fetches: a crowd is no way round it. */
export const sharedPart = 1 / 6;

/**
 * Spends fetches on unknown kids so that no flood of made-up ones reaches the provider, and no rotation waits behind
 * one for longer than a cool-down. The first unknown kid is fetched for at once; then its tenant cools down, and at
 * the end of that one fetch answers for all that were asked meanwhile. A kid that was found costs no cool-down. One
 * that was not waits twice as long each time, so that a client stuck on a retired key leaves the budget to a new one.
 */
export function createKidSearch({ clock, cooldownMs, fetch, has }: KidSearchParts): KidSearch {
  const budgets = new WeakMap<object, Budget>();
  const absent = new Map<string, Absence>();
  const wanted = new Map<string, object>();
  let sharedNextMs = 0;
  let flight: Promise<void> | undefined;
  let trailing: { readonly atMs: number; readonly timer: Timer } | undefined;
  let closed = false;

  function seek(kid: string, seeker: object): Promise<void> | undefined {
    const nowMs = clock.nowMs();
    if (closed || kid.length > maxKidLength || nowMs < (absent.get(kid)?.untilMs ?? 0)) return undefined;
    want(kid, seeker);
    if (flight !== undefined) return flight;
    const atMs = Math.max(budgetOf(seeker).nextMs, sharedNextMs);
    if (nowMs >= atMs) return search();
    searchAt(atMs, nowMs);
    return undefined;
  }

  function want(kid: string, seeker: object): void {
    makeRoom(wanted, maxWanted);
    wanted.set(kid, seeker);
  }

  function searchAt(atMs: number, nowMs: number): void {
    if (trailing !== undefined && trailing.atMs <= atMs) return;
    trailing?.timer.cancel();
    const timer = clock.after(atMs - nowMs, () => {
      trailing = undefined;
      for (const kid of wanted.keys()) if (has(kid)) wanted.delete(kid);
      if (flight === undefined && wanted.size > 0) void search();
    });
    trailing = { atMs, timer };
  }

  function search(): Promise<void> {
    sharedNextMs = clock.nowMs() + cooldownMs * sharedPart;
    flight = fetch().then((answered) => {
      flight = undefined;
      // A failed fetch says nothing of any kid; the source's own retry will bring the set.
      if (answered) settle(clock.nowMs());
      wanted.clear();
    });
    return flight;
  }

  function settle(nowMs: number): void {
    for (const [kid, seeker] of wanted) {
      const budget = budgetOf(seeker);
      if (has(kid)) {
        absent.delete(kid);
        if (takeRefund(budget, nowMs)) continue;
      } else {
        const waitMs = Math.min((absent.get(kid)?.waitMs ?? cooldownMs / 2) * 2, cooldownMs * longestAbsence);
        absent.delete(kid);
        makeRoom(absent, maxAbsent);
        absent.set(kid, { untilMs: nowMs + waitMs, waitMs });
      }
      budget.nextMs = nowMs + cooldownMs;
    }
  }

  function takeRefund(budget: Budget, nowMs: number): boolean {
    const refilled = Math.floor((nowMs - budget.refundedMs) / (2 * cooldownMs));
    if (refilled > 0) {
      budget.refunds = Math.min(maxRefunds, budget.refunds + refilled);
      budget.refundedMs = nowMs;
    }
    if (budget.refunds === 0) return false;
    budget.refunds--;
    return true;
  }

  function budgetOf(seeker: object): Budget {
    const known = budgets.get(seeker);
    if (known !== undefined) return known;
    const fresh: Budget = { nextMs: 0, refunds: maxRefunds, refundedMs: clock.nowMs() };
    budgets.set(seeker, fresh);
    return fresh;
  }

  function close(): void {
    closed = true;
    trailing?.timer.cancel();
    wanted.clear();
  }

  return { seek, close };
}

/** Drops what was put in first. */
function makeRoom(map: Map<string, unknown>, max: number): void {
  if (map.size < max) return;
  const [first] = map.keys();
  map.delete(first as string);
}
