import type { Clock, Timer } from './clock.ts';
import { type FetchDocument, failure } from './fetch-document.ts';
import { type FetchPolicy, freshnessMs, refreshDelayMs, retryDelayMs } from './fetch-policy.ts';
import type { FetchSlots, SlottedTask } from './fetch-slots.ts';
import type { SkippedKey } from './import-key-set.ts';
import type { KeySource, KeyTrouble } from './key-ring.ts';
import type { FetchOutcome, KeySourceEvent, KeySourceStatus, SourceError } from './key-source-status.ts';
import { createKidSearch } from './kid-search.ts';
import { compareKeys, type LiveKey } from './live-keys.ts';
import { displayUrl } from './provider-url.ts';
import { createSetFetcher, type SetAddress, type SetFetch } from './set-fetcher.ts';

export interface RemoteKeysParts {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly fetchDocument: FetchDocument;
  readonly slots: FetchSlots;
  readonly onEvent: (event: KeySourceEvent) => void;
}

/** The keys of one provider: fetched at once, refreshed in the background, used on for a bounded time when it is away. */
export interface RemoteKeys extends KeySource {
  status(): KeySourceStatus;
  /** Fetches at once if this is its address. */
  refresh(source: string): void;
  /** Ends timers and fetches. The keys stay as they are, for requests that began with them. */
  close(): void;
}

/** What the last answers of the provider left behind. */
interface Stock {
  readonly keys: readonly LiveKey[];
  readonly skipped: readonly SkippedKey[];
  readonly fetchedMs: number;
  readonly freshUntilMs: number;
}

export function createRemoteKeys(address: SetAddress, policy: FetchPolicy, parts: RemoteKeysParts): RemoteKeys {
  const { clock, random, slots, onEvent } = parts;
  const url = displayUrl(new URL(address.url));
  const fetchSet = createSetFetcher(address, policy, parts.fetchDocument, clock.nowMs);
  const closing = new AbortController();
  const fetches: Partial<Record<FetchOutcome, number>> = {};
  let stock: Stock | undefined;
  let readyOnce = false;
  let failures = 0;
  let lastError: SourceError | undefined;
  let flight: SlottedTask<boolean> | undefined;
  let next: { readonly atMs: number; readonly timer: Timer } | undefined;
  let dropping: Timer | undefined;

  const search = createKidSearch({
    clock,
    cooldownMs: policy.cooldownMs,
    fetch: () => {
      const task = flight ?? startFetch(true);
      task.urge();
      return task.result;
    },
    has: (kid) => stock?.keys.some((key) => key.kid === kid) ?? false,
  });

  /** One at a time; `result` is whether the provider answered. */
  function startFetch(skipCaches: boolean): SlottedTask<boolean> {
    next?.timer.cancel();
    next = undefined;
    flight = slots.run(async () => {
      const conditional = stock !== undefined;
      const result = await fetchSet({ conditional, skipCaches, signal: closing.signal }).catch(unforeseen);
      flight = undefined;
      return !closing.signal.aborted && receive(result);
    });
    return flight;
  }

  function receive(result: SetFetch): boolean {
    const { copied } = result;
    const atMs = clock.nowMs() - (copied?.ageMs ?? 0);
    const tell = copied === undefined ? onEvent : () => {};
    if (copied === undefined) {
      const outcome = result.kind === 'failed' ? result.code : result.kind === 'set' ? 'fetched' : 'notModified';
      fetches[outcome] = (fetches[outcome] ?? 0) + 1;
    }
    if (result.kind === 'failed') {
      failures++;
      lastError = { atMs, code: result.code, detail: result.detail };
      tell({ kind: 'fetchFailed', url, error: lastError, keysLeft: stock?.keys.length ?? 0 });
      schedule(retryDelayMs(failures, random()));
      return false;
    }
    if (failures > 0) tell({ kind: 'recovered', url, failures });
    failures = 0;
    readyOnce = true;
    const fresh = freshnessMs(result.lifetimeMs, policy);
    const times = { fetchedMs: atMs, freshUntilMs: atMs + fresh };
    if (result.kind === 'set') replaceKeys(result.set.keys, result.set.skipped, times, tell);
    else if (stock !== undefined) stock = { ...stock, ...times };
    const agedMs = (delayMs: number) => Math.max(0, delayMs - (copied?.ageMs ?? 0));
    schedule(agedMs(refreshDelayMs(fresh, random())));
    dropping?.cancel();
    dropping = clock.after(agedMs(fresh + policy.maxStaleMs), drop);
    return true;
  }

  function replaceKeys(
    imported: Parameters<typeof compareKeys>[1],
    skipped: readonly SkippedKey[],
    times: Pick<Stock, 'fetchedMs' | 'freshUntilMs'>,
    tell: (event: KeySourceEvent) => void,
  ): void {
    const { keys, added, removed } = compareKeys(stock?.keys ?? [], imported);
    for (const key of removed) key.end();
    stock = { keys, skipped, ...times };
    if (added.length + removed.length === 0) return;
    const kids = (list: readonly LiveKey[]) => list.map(({ kid }) => kid);
    tell({ kind: 'keysChanged', url, added: kids(added), removed: kids(removed), skipped });
  }

  function schedule(delayMs: number): void {
    const timer = clock.after(delayMs, () => {
      startFetch(false);
    });
    next = { atMs: clock.nowMs() + delayMs, timer };
  }

  /** Keys that nobody has confirmed for so long may have been withdrawn long ago. */
  function drop(): void {
    for (const key of stock?.keys ?? []) key.end();
    stock = undefined;
    onEvent({ kind: 'keysDropped', url, detail: `no answer for longer than maxStale (${policy.maxStaleMs} ms)` });
  }

  function trouble(): KeyTrouble | undefined {
    if (failures === 0) return undefined;
    const waitMs = next === undefined ? 0 : next.atMs - clock.nowMs();
    return { detail: `${url}: ${lastError?.detail}`, retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) };
  }

  function status(): KeySourceStatus {
    const age = stock === undefined ? undefined : clock.nowMs() - stock.freshUntilMs;
    const empty = readyOnce || failures > 0 ? 'absent' : 'waiting';
    return {
      kind: address.kind,
      url,
      state: age === undefined ? empty : age < 0 ? 'fresh' : 'stale',
      readyOnce,
      keys: (stock?.keys ?? []).map(({ kid, algorithms }) => ({ kid, algorithms: [...algorithms] })),
      skipped: stock?.skipped ?? [],
      lastSuccessMs: stock?.fetchedMs,
      lastError,
      nextFetchMs: next?.atMs,
      failures,
      fetches: { ...fetches },
    };
  }

  function close(): void {
    closing.abort();
    next?.timer.cancel();
    dropping?.cancel();
    search.close();
  }

  startFetch(false);
  return {
    current: () => stock?.keys,
    provider: {
      // Once a fetch has failed nobody waits for the next: a provider that hangs would make every request hang.
      arriving: () => {
        if (flight === undefined || failures > 0) return undefined;
        flight.urge();
        return flight.result.then(() => {});
      },
      seek: (kid, seeker) => (stock === undefined || failures > 0 ? undefined : search.seek(kid, seeker)),
      trouble,
    },
    status,
    refresh(source) {
      if (source === address.url && flight === undefined && !closing.signal.aborted) startFetch(false);
    },
    close,
  };
}

/** A fault of ours must not end the schedule. */
function unforeseen(): SetFetch {
  return failure('unreachable', 'the fetch broke off for a reason that was not foreseen');
}
