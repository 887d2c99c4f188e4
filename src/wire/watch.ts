/** A deadline that moves: one at a time, put off by activity. */
export interface Watch {
  /** Replaces whatever was watched: `onExpire` is called after `timeoutMs` without `refresh`. */
  start(timeoutMs: number, onExpire: () => void): void;
  /** Starts the current deadline anew. */
  refresh(): void;
  stop(): void;
}

export function createWatch(): Watch {
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    start(timeoutMs, onExpire) {
      stop();
      timer = setTimeout(() => {
        // A refresh must not bring an expired timer back.
        timer = undefined;
        onExpire();
      }, timeoutMs);
    },
    refresh() {
      timer?.refresh();
    },
    stop,
  };
}
