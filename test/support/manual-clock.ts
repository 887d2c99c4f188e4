import type { Clock } from '../../src/keys/clock.ts';

export interface ManualClock extends Clock {
  /** Moves time on, calling back in order whatever falls due. */
  readonly advance: (ms: number) => void;
  readonly pending: () => number;
}

/** A clock that stands still until it is moved. */
export function manualClock(startMs = Date.UTC(2027, 0, 1)): ManualClock {
  let nowMs = startMs;
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  function advance(ms: number): void {
    const untilMs = nowMs + ms;
    for (;;) {
      const [next] = [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      timers.delete(next);
      nowMs = Math.max(nowMs, next.atMs);
      next.callback();
    }
    nowMs = untilMs;
  }

  return {
    nowMs: () => nowMs,
    after: (delayMs, callback) => {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    advance,
    pending: () => timers.size,
  };
}
