/** Something that has at most one deadline at a time. */
export interface Expiring {
  /** On `performance.now`'s clock; Infinity: none. Written as often as it moves, which is all that it costs. */
  deadlineMs: number;
  /** Called once when the deadline has passed; it stands at Infinity again by then. */
  onDeadline(): void;
}

/** One timer for all deadlines of a lane. They pass up to a tick late, which none of them minds. */
export interface CoarseTimer {
  add(expiring: Expiring): void;
  delete(expiring: Expiring): void;
  close(): void;
}

/** A timer a request would cost more than many a request's own work; looking at all deadlines costs some 10 ns each. */
export const defaultTickMs = 100;

export function createCoarseTimer(tickMs: number): CoarseTimer {
  const watched = new Set<Expiring>();
  let timer: NodeJS.Timeout | undefined;

  const sweep = () => {
    const nowMs = performance.now();
    for (const expiring of watched) {
      if (expiring.deadlineMs > nowMs) continue;
      expiring.deadlineMs = Number.POSITIVE_INFINITY;
      expiring.onDeadline();
    }
  };

  return {
    add(expiring) {
      watched.add(expiring);
      // The sockets keep the process alive, not their deadlines.
      timer ??= setInterval(sweep, tickMs).unref();
    },
    delete(expiring) {
      watched.delete(expiring);
      if (watched.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
    close() {
      watched.clear();
      clearInterval(timer);
      timer = undefined;
    },
  };
}
