/**
 * How many requests of one connection may come to nothing. A client that resets its streams pays for a frame, and we for a
 * request (CVE-2023-44487); one that makes us reset them, no more (CVE-2025-8671). People who leave a page reset a hundred
 * at once.
 */
const burst = 200;
const perSecond = 20;

/** A bucket that fills up again. */
export class ResetBudget {
  private left = burst;
  private filledMs: number;

  constructor(nowMs: number) {
    this.filledMs = nowMs;
  }

  /** False: it is used up. */
  spend(nowMs: number): boolean {
    this.left = Math.min(burst, this.left + ((nowMs - this.filledMs) * perSecond) / 1_000);
    this.filledMs = nowMs;
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}
