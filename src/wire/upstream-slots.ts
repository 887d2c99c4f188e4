import type { Upstream } from '../gate/policy.ts';
import { type InLine, WaitingLine } from './waiting-line.ts';

/**
 * How long an unused connection is kept where the upstream gives no hint (Keep-Alive: timeout). Below the 5 s after which
 * common servers hang up without having said so: a request that meets such a connection fails, and only an idempotent one
 * may be sent again.
 */
export const idleConnectionMs = 4_000;

/** A lane's connections to one upstream. */
export interface SlotHolder {
  /** Closes a connection that nobody uses, and gives its slot back before it returns; false where there is none. */
  closeIdle(): boolean;
}

/** Somebody who needs a connection where there may be no further one. */
export interface SlotWaiter extends InLine<SlotWaiter> {
  /** Whose idle connections serve it as well as one of its own. */
  readonly holder: SlotHolder;
  /** It has a slot now. */
  onSlot(): void;
}

/**
 * How many connections to one upstream there are, over all lanes: at most `most`. Who finds none left waits in one line,
 * whichever lane it is on; its own deadline ends that. WebSockets don't count once they are joined.
 */
export class UpstreamSlots {
  private readonly most: number;
  private taken = 0;
  private readonly holders = new Set<SlotHolder>();
  private readonly line = new WaitingLine<SlotWaiter>();

  constructor(most: number) {
    this.most = most;
  }

  get inUse(): boolean {
    return this.taken > 0 || this.line.first !== undefined;
  }

  /** For as long as it may have idle connections. */
  join(holder: SlotHolder): void {
    this.holders.add(holder);
  }

  quit(holder: SlotHolder): void {
    this.holders.delete(holder);
  }

  /** A slot, at the expense of an idle connection of any lane's where there is no other; false: better wait. */
  take(): boolean {
    if (this.line.first !== undefined) return false;
    if (this.taken >= this.most && !this.closeIdle()) return false;
    this.taken++;
    return true;
  }

  /** A connection was opened that nobody took a slot for: it counts all the same. */
  takeAnyway(): void {
    this.taken++;
  }

  wait(waiter: SlotWaiter): void {
    this.line.join(waiter);
  }

  /** Gives up waiting; false where it was not. */
  leave(waiter: SlotWaiter): boolean {
    return this.line.leave(waiter);
  }

  waitersOf(holder: SlotHolder): SlotWaiter[] {
    return [...this.line].filter((waiter) => waiter.holder === holder);
  }

  /** Who is served next: an idle connection should go there. */
  get first(): SlotWaiter | undefined {
    return this.line.first;
  }

  /** A connection is gone. */
  release(): void {
    this.taken--;
    const { first } = this;
    if (first === undefined || this.taken >= this.most) return;
    this.line.leave(first);
    this.taken++;
    first.onSlot();
  }

  private closeIdle(): boolean {
    for (const holder of this.holders) if (holder.closeIdle()) return true;
    return false;
  }
}

/** The slots of each upstream, by `Upstream.key`. */
export interface AllUpstreamSlots {
  get(upstream: Upstream): UpstreamSlots;
  /** Forgets upstreams whose key is not among these, once they are unused. */
  retain(keys: ReadonlySet<string>): void;
}

export function createUpstreamSlots(): AllUpstreamSlots {
  const byKey = new Map<string, UpstreamSlots>();
  return {
    get(upstream) {
      let slots = byKey.get(upstream.key);
      if (slots === undefined) {
        slots = new UpstreamSlots(upstream.maxConnections);
        byKey.set(upstream.key, slots);
      }
      return slots;
    },
    retain(keys) {
      for (const [key, slots] of byKey) if (!keys.has(key) && !slots.inUse) byKey.delete(key);
    },
  };
}
