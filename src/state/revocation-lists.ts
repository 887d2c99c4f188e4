import { createHash, hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { RevocationList } from '../gate/revocation.ts';
import { type Clock, systemClock, type Timer } from '../keys/clock.ts';
import {
  type Copied,
  createDocumentFetcher,
  type FetchDocument,
  type ProxyEnvironment,
  type Validators,
} from '../keys/fetch-document.ts';
import { retryDelayMs } from '../keys/fetch-policy.ts';
import { displayUrl } from '../keys/provider-url.ts';
import { createRedisLists, isRedisList, redisListName } from './redis-lists.ts';
import { parseRevocations, type RevocationProblem, type Revocations } from './revocations.ts';

/** How a list is fetched. */
export interface ListPolicy {
  /** From one fetch to the next: a revocation works within this time. */
  readonly refreshMs: number;
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM; in place of the built-in certificate authorities. */
  readonly ca: string | undefined;
}

/** What metrics and readiness know of one list. Times are milliseconds since the epoch. */
export interface RevocationStatus {
  /** URL without its query, the file's path, or server and key in Redis. */
  readonly url: string;
  readonly readyOnce: boolean;
  readonly entries: number;
  /** Members of a set in Redis that are no entry, and so revoke nothing. */
  readonly skipped: number;
  readonly bytes: number;
  readonly lastSuccessMs: number | undefined;
  /** Failures in a row; the list before them is in force. */
  readonly failures: number;
}

export type RevocationEvent =
  | { readonly kind: 'listChanged'; readonly url: string; readonly entries: number }
  /** Some members of a set are no entry; `detail` is of the first. */
  | { readonly kind: 'entriesSkipped'; readonly url: string; readonly skipped: number; readonly detail: string }
  | { readonly kind: 'listNotFetched'; readonly url: string; readonly detail: string; readonly entriesLeft: number }
  | { readonly kind: 'recovered'; readonly url: string; readonly failures: number };

/** One config's hold on a list. */
export interface RevocationLease {
  readonly list: RevocationList;
  readonly status: () => RevocationStatus;
  readonly release: () => void;
}

/** Every revocation list of this process; they outlive reloads. */
export interface RevocationLists {
  /** Reads a file's content, or finds it read before; nothing is held yet. */
  read(bytes: Uint8Array): Promise<Revocations | RevocationProblem>;
  holdFile(path: string, revocations: Revocations): RevocationLease;
  /** Holds the list at a URL, or {@link redisListAddress} of one in Redis, and begins to fetch if nobody held it yet. */
  holdUrl(url: string, policy: ListPolicy): RevocationLease;
  statuses(): RevocationStatus[];
  /** Another process of ours has something new of this address: it is asked for at once, not when it is time. */
  refresh(source: string): void;
  close(): void;
}

export interface RevocationListsParts {
  readonly env: ProxyEnvironment;
  readonly onEvent?: ((event: RevocationEvent) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  readonly fetchDocument?: FetchDocument | undefined;
}

/** A million entries with ids of 36 characters are 41 MB. */
const maxListBytes = 128 * 1024 * 1024;

const unforeseen = 'the fetch broke off for a reason that was not foreseen';

interface Held {
  readonly list: RevocationList;
  readonly status: () => RevocationStatus;
  readonly refresh: (source: string) => void;
  readonly close: () => void;
  leases: number;
}

export function createRevocationLists({
  env,
  onEvent = () => {},
  clock = systemClock,
  random = Math.random,
  fetchDocument,
}: RevocationListsParts): RevocationLists {
  const held = new Map<string, Held>();
  const read = new Map<string, WeakRef<Revocations>>();
  const own = fetchDocument === undefined ? createListFetcher(env, clock.nowMs, refresh) : undefined;
  const parts = { onEvent, clock, random, fetchDocument: fetchDocument ?? (own as ListFetcher).fetch };

  function refresh(source: string): void {
    for (const each of held.values()) each.refresh(source);
  }

  function hold(id: string, make: () => Omit<Held, 'leases'>): RevocationLease {
    let entry = held.get(id);
    if (entry === undefined) {
      entry = { ...make(), leases: 0 };
      held.set(id, entry);
    }
    const one = entry;
    one.leases++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      if (--one.leases > 0) return;
      held.delete(id);
      one.close();
    };
    return { list: one.list, status: one.status, release };
  }

  return {
    async read(bytes) {
      const digest = hash('sha256', bytes);
      const known = read.get(digest)?.deref();
      if (known !== undefined) return known;
      const result = await parseRevocations(bytes);
      if (result.kind === 'problem') return result;
      for (const [other, reference] of read) if (reference.deref() === undefined) read.delete(other);
      read.set(digest, new WeakRef(result));
      return result;
    },
    holdFile(path, revocations) {
      // One file, two contents: a request that began before a reload keeps the list it began with.
      const id = `${path}\n${identityOf(revocations)}`;
      return hold(id, () => fileList(path, revocations, clock.nowMs()));
    },
    holdUrl(url, policy) {
      return hold(identityOfUrl(url, policy), () => createRemoteList(url, policy, parts));
    },
    statuses: () => [...held.values()].map(({ status }) => status()),
    refresh,
    close() {
      for (const { close } of held.values()) close();
      held.clear();
      own?.close();
    },
  };
}

export interface ListFetcher {
  readonly fetch: FetchDocument;
  close(): void;
}

/** Fetches lists wherever they may stand; `onNews`: one in Redis has changed, and is worth a fetch now. */
export function createListFetcher(
  env: ProxyEnvironment,
  nowMs: () => number,
  onNews: (source: string) => void,
): ListFetcher {
  const fetchDocument = createDocumentFetcher(env, nowMs);
  const redis = createRedisLists({ onNews });
  return {
    fetch: (request) => (isRedisList(request.url) ? redis.fetch(request) : fetchDocument(request)),
    close: redis.close,
  };
}

const identities = new WeakMap<object, number>();
let lastIdentity = 0;

function identityOf(value: object): number {
  const known = identities.get(value) ?? ++lastIdentity;
  identities.set(value, known);
  return known;
}

function identityOfUrl(url: string, { refreshMs, timeoutMs, headers, ca }: ListPolicy): string {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const all = JSON.stringify([url, refreshMs, timeoutMs, sorted, ca ?? null]);
  return createHash('sha256').update(all).digest('hex');
}

function fileList(path: string, revocations: Revocations, nowMs: number): Omit<Held, 'leases'> {
  const { entries, skipped, bytes } = revocations;
  const status = { url: path, readyOnce: true, entries, skipped, bytes, lastSuccessMs: nowMs, failures: 0 };
  return { list: listOf(revocations, path), status: () => status, refresh: () => {}, close: () => {} };
}

function listOf(revocations: Revocations, name: string): RevocationList {
  return {
    find(tenant, token) {
      const by = revocations.find(tenant, token);
      return by === undefined ? undefined : { kind: 'revoked', detail: `${by} (by the list ${name})` };
    },
  };
}

type RemoteParts = Required<Pick<RevocationListsParts, 'onEvent' | 'clock' | 'random' | 'fetchDocument'>> & {
  readonly onEvent: (event: RevocationEvent) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly fetchDocument: FetchDocument;
};

/** The list at a URL: fetched at once and again and again; what can't be fetched or read leaves the last good one. */
function createRemoteList(address: string, policy: ListPolicy, parts: RemoteParts): Omit<Held, 'leases'> {
  const { clock, random, onEvent, fetchDocument } = parts;
  const url = new URL(address);
  const inRedis = isRedisList(url);
  const name = inRedis ? redisListName(url) : displayUrl(url);
  const closing = new AbortController();
  let current: Revocations | undefined;
  let list: RevocationList | undefined;
  let digest = '';
  let validators: Validators = {};
  let failures = 0;
  let lastError = '';
  let lastSuccessMs: number | undefined;
  let next: { readonly atMs: number; readonly timer: Timer } | undefined;
  let askedMeanwhile = false;

  async function fetchList(): Promise<void> {
    next = undefined;
    const { problem, copied } = await receive().catch(() => ({ problem: unforeseen, copied: undefined }));
    if (closing.signal.aborted) return;
    const again = askedMeanwhile;
    askedMeanwhile = false;
    const tell = copied === undefined ? onEvent : () => {};
    if (problem === undefined) {
      if (failures > 0) tell({ kind: 'recovered', url: name, failures });
      failures = 0;
      const ageMs = copied?.ageMs ?? 0;
      lastSuccessMs = clock.nowMs() - ageMs;
      schedule(again ? 0 : Math.max(0, policy.refreshMs * (0.9 + random() / 10) - ageMs));
      return;
    }
    failures++;
    lastError = problem;
    tell({ kind: 'listNotFetched', url: name, detail: problem, entriesLeft: current?.entries ?? 0 });
    schedule(Math.min(retryDelayMs(failures, random()), Math.max(policy.refreshMs, 1_000)));
  }

  /** What was wrong, if anything; `copied`: somebody else has told of it. */
  async function receive(): Promise<{ readonly problem?: string; readonly copied: Copied | undefined }> {
    const answer = await fetchDocument({
      url,
      headers: policy.headers,
      accept: 'text/plain, */*;q=0.1',
      ca: policy.ca,
      timeoutMs: policy.timeoutMs,
      maxBytes: maxListBytes,
      validators: current === undefined ? {} : validators,
      skipCaches: false,
      reuseMs: policy.refreshMs / 5,
      source: address,
      saysItsEnd: true,
      signal: closing.signal,
    });
    const { copied } = answer;
    if (answer.kind === 'failed') return { problem: answer.detail, copied };
    if (answer.kind === 'notModified') return { copied };
    // Each step of a list of a million entries takes some ten milliseconds: others have their turn between them.
    await setImmediate();
    if (!inRedis && answer.text.includes('\ufffd')) return { problem: 'it is not UTF-8 text', copied };
    const bytes = Buffer.from(answer.text, 'utf8');
    await setImmediate();
    const newDigest = hash('sha256', bytes);
    await setImmediate();
    if (current === undefined || newDigest !== digest) {
      const read = await parseRevocations(bytes, { skipsProblems: inRedis });
      if (read.kind === 'problem') return { problem: read.detail, copied };
      current = read;
      list = listOf(read, name);
      digest = newDigest;
      if (copied === undefined) tellOf(read);
    }
    validators = answer.validators;
    return { copied };
  }

  function tellOf({ entries, skipped, firstSkipped = '' }: Revocations): void {
    onEvent({ kind: 'listChanged', url: name, entries });
    if (skipped > 0) onEvent({ kind: 'entriesSkipped', url: name, skipped, detail: firstSkipped });
  }

  function schedule(delayMs: number): void {
    next = { atMs: clock.nowMs() + delayMs, timer: clock.after(delayMs, () => void fetchList()) };
  }

  void fetchList();
  return {
    list: {
      find(tenant, token) {
        if (list !== undefined) return list.find(tenant, token);
        const waitMs = next === undefined ? 0 : next.atMs - clock.nowMs();
        const why = failures > 0 ? lastError : 'not fetched yet';
        const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000));
        return { kind: 'unavailable', detail: `the revocation list ${name}: ${why}`, retryAfterS };
      },
    },
    status: () => ({
      url: name,
      readyOnce: current !== undefined,
      entries: current?.entries ?? 0,
      skipped: current?.skipped ?? 0,
      bytes: current?.bytes ?? 0,
      lastSuccessMs,
      failures,
    }),
    refresh(source) {
      if (source !== address) return;
      askedMeanwhile = next === undefined;
      next?.timer.cancel();
      if (next !== undefined) void fetchList();
    },
    close() {
      closing.abort();
      next?.timer.cancel();
    },
  };
}
