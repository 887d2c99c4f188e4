/** Time as the key sources see it: one that tests can set, and that a stepped wall clock can't turn back. */
export interface Clock {
  /** Milliseconds since the epoch, never falling. */
  readonly nowMs: () => number;
  /** Calls back once; the pending call does not keep the process alive. */
  readonly after: (delayMs: number, callback: () => void) => Timer;
}

export interface Timer {
  readonly cancel: () => void;
}

/** setTimeout takes a longer delay for none at all. */
const maxDelayMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), maxDelayMs));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
