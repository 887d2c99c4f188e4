import { createHash } from 'node:crypto';
import { type Clock, systemClock } from './clock.ts';
import { createDocumentFetcher, type FetchDocument, type ProxyEnvironment } from './fetch-document.ts';
import type { FetchPolicy } from './fetch-policy.ts';
import { createFetchSlots } from './fetch-slots.ts';
import type { KeySource } from './key-ring.ts';
import type { KeySourceEvent, KeySourceStatus } from './key-source-status.ts';
import { createRemoteKeys, type RemoteKeys } from './remote-keys.ts';
import type { SetAddress } from './set-fetcher.ts';

export interface KeySourcesParts {
  /** Where HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read from. */
  readonly env: ProxyEnvironment;
  readonly onEvent?: ((event: KeySourceEvent) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** In [0, 1): spreads refreshes and retries. */
  readonly random?: (() => number) | undefined;
  readonly fetchDocument?: FetchDocument | undefined;
}

/** One tenant's hold on a source; several may hold the same one. */
export interface KeySourceLease {
  /** A digest, the same for the same address and policy: part of a tenant's fingerprint. */
  readonly id: string;
  readonly source: KeySource;
  readonly status: () => KeySourceStatus;
  /** Gives the hold up; the last one closes the source. A second call does nothing. */
  readonly release: () => void;
}

/** Every remote source of this process, by address and policy. */
export interface KeySources {
  /**
   * Holds a source, and begins to fetch if nobody held it yet. A reload acquires what the new config needs before the
   * old one is released, so that what stays keeps its keys. The address must have passed `parseProviderUrl`.
   */
  acquire(address: SetAddress, policy: FetchPolicy): KeySourceLease;
  /** One for each source, however many tenants share it. */
  statuses(): KeySourceStatus[];
  /** Another process of ours has something new of this address: it is asked for at once, not when it is time. */
  refresh(source: string): void;
  close(): void;
}

/** Background fetches at a time; one that a request waits for is never held back. */
const backgroundFetches = 32;

/** Makes the registry that outlives reloads. */
export function createKeySources({
  env,
  onEvent,
  clock = systemClock,
  random,
  fetchDocument,
}: KeySourcesParts): KeySources {
  const held = new Map<string, { readonly keys: RemoteKeys; leases: number }>();
  const parts = {
    clock,
    random: random ?? Math.random,
    fetchDocument: fetchDocument ?? createDocumentFetcher(env, clock.nowMs),
    slots: createFetchSlots(backgroundFetches),
    onEvent: onEvent ?? (() => {}),
  };

  function acquire(address: SetAddress, policy: FetchPolicy): KeySourceLease {
    const id = identityOf(address, policy);
    let entry = held.get(id);
    if (entry === undefined) {
      entry = { keys: createRemoteKeys(address, policy, parts), leases: 0 };
      held.set(id, entry);
    }
    entry.leases++;
    return leaseOf(id, entry);
  }

  function leaseOf(id: string, entry: { readonly keys: RemoteKeys; leases: number }): KeySourceLease {
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      if (--entry.leases > 0) return;
      held.delete(id);
      entry.keys.close();
    };
    return { id, source: entry.keys, status: entry.keys.status, release };
  }

  return {
    acquire,
    statuses: () => [...held.values()].map(({ keys }) => keys.status()),
    refresh(source) {
      for (const { keys } of held.values()) keys.refresh(source);
    },
    close: () => {
      for (const { keys } of held.values()) keys.close();
      held.clear();
    },
  };
}

function identityOf({ kind, url }: SetAddress, policy: FetchPolicy): string {
  const headers = Object.entries(policy.headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const { refreshMs, timeoutMs, maxStaleMs, cooldownMs, ca, insecure } = policy;
  const all = [kind, url, refreshMs, timeoutMs, maxStaleMs, cooldownMs, headers, ca ?? null, insecure];
  return createHash('sha256').update(JSON.stringify(all)).digest('hex');
}
