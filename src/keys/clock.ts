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
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number) => {
      const next = () => (leftMs > maxDelayMs ? arm(leftMs - maxDelayMs) : callback());
      timer = setTimeout(next, Math.min(leftMs, maxDelayMs));
      timer.unref();
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(timer) };
  },
};
