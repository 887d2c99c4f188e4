import { hash } from 'node:crypto';
import type { ReplayStore, ReplayUse } from '../gate/replay.ts';

export interface ReplayMemory extends ReplayStore {
  readonly entries: number;
  /** Most that is remembered from now on; what is remembered already stays until its end. */
  setLimit(limit: number): void;
}

/** What ends within the same ten seconds is forgotten in one go. */
const slotMs = 10_000;

/**
 * Remembers used ids until their time is over. When full it remembers, and so lets through, nothing more: forgetting
 * one early would let its token through again.
 */
export function createReplayMemory(firstLimit: number): ReplayMemory {
  let limit = firstLimit;
  const used = new Set<string>();
  const slots = new Map<number, string[]>();
  let nextSweepMs = 0;

  function sweep(nowMs: number): void {
    if (nowMs < nextSweepMs) return;
    nextSweepMs = nowMs + slotMs;
    for (const [slot, ids] of slots) {
      if ((slot + 1) * slotMs > nowMs) continue;
      for (const id of ids) used.delete(id);
      slots.delete(slot);
    }
  }

  // 128 bits of it: short, and no two ids share one.
  const digestOf = (id: string) => hash('sha256', id, 'buffer').toString('latin1', 0, 16);
  const full = (): ReplayUse => {
    const detail = `${used.size} used tokens are remembered, and no more fit`;
    return { kind: 'full', detail, retryAfterS: slotMs / 1000 };
  };

  return {
    setLimit(next) {
      limit = next;
    },
    get entries() {
      return used.size;
    },
    use(id, untilMs, nowMs) {
      sweep(nowMs);
      const digest = digestOf(id);
      if (used.has(digest)) return { kind: 'again' };
      if (used.size >= limit) return full();
      used.add(digest);
      const slot = Math.floor(untilMs / slotMs);
      const ids = slots.get(slot);
      if (ids === undefined) slots.set(slot, [digest]);
      else ids.push(digest);
      return { kind: 'first' };
    },
    ask: (id) => (used.has(digestOf(id)) ? { kind: 'again' } : used.size >= limit ? full() : { kind: 'first' }),
  };
}
