import type { ReplayStore } from '../gate/replay.ts';
import { createReplayMemory, type ReplayMemory } from './replay-memory.ts';
import { createReplayRedis, type ReplayRedis, type ReplayRedisEvent } from './replay-redis.ts';

export interface ReplayLease {
  readonly store: ReplayStore;
  release(): void;
}

export interface ReplayStatus {
  /** Used tokens remembered in memory, of all tenants together. */
  readonly entries: number;
  /** Shared stores by name. */
  readonly shared: readonly { readonly store: string; readonly connected: boolean }[];
}

/** What tokens were used: kept across reloads, so that none gives a token its use back. */
export interface ReplayStores {
  /** A tenant's own memory, so that one tenant's tokens fill nobody else's. */
  holdMemory(tenant: string, entries: number): ReplayLease;
  holdRedis(url: string, timeoutMs: number): ReplayLease;
  status(): ReplayStatus;
  close(): void;
}

/** Used tokens in memory are remembered in this process. */
export interface LocalReplayStores extends ReplayStores {
  /** The memory of a tenant that holds one. */
  findMemory(tenant: string): ReplayMemory | undefined;
}

interface Held<T> {
  readonly store: T;
  leases: number;
}

export function createReplayStores({
  onEvent = () => {},
}: {
  readonly onEvent?: (event: ReplayRedisEvent) => void;
} = {}): LocalReplayStores {
  const memories = new Map<string, Held<ReplayMemory>>();
  const shared = new Map<string, Held<ReplayRedis>>();

  function hold<T extends ReplayStore>(
    all: Map<string, Held<T>>,
    key: string,
    make: () => T,
    close: (store: T) => void,
  ) {
    const held = all.get(key) ?? { store: make(), leases: 0 };
    all.set(key, held);
    held.leases++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      if (--held.leases > 0) return;
      all.delete(key);
      close(held.store);
    };
    return { store: held.store, release };
  }

  return {
    holdMemory(tenant, entries) {
      const lease = hold(
        memories,
        tenant,
        () => createReplayMemory(entries),
        () => {},
      );
      lease.store.setLimit(entries);
      return lease;
    },
    holdRedis(url, timeoutMs) {
      const make = () => createReplayRedis({ url, timeoutMs, onEvent });
      return hold(shared, JSON.stringify([url, timeoutMs]), make, (store) => store.close());
    },
    findMemory: (tenant) => memories.get(tenant)?.store,
    status: () => ({
      entries: [...memories.values()].reduce((sum, { store }) => sum + store.entries, 0),
      shared: [...shared.values()].map(({ store }) => ({ store: store.name, connected: store.connected })),
    }),
    close() {
      for (const { store } of shared.values()) store.close();
    },
  };
}
