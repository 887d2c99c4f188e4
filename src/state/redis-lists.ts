import { randomUUID } from 'node:crypto';
import { type DocumentRequest, type FetchDocument, type FetchResult, failure } from '../keys/fetch-document.ts';
import { createRedisConnection, redisName } from './redis-connection.ts';
import { type AskRedis, countMembers, readSet, type SetBounds } from './redis-set.ts';

/** Lists that stand in Redis, a set each, got as if they were documents: a line a member, and a tag for what was read. */
export interface RedisLists {
  readonly fetch: FetchDocument;
  close(): void;
}

export interface RedisListsParts {
  /** A list has changed, or is in reach again: who fetches `source` should do so now. */
  readonly onNews: (source: string) => void;
}

const bounds: Omit<SetBounds, 'bytes'> = {
  members: 4_000_000,
  // Longer than any claim of a token that gets through.
  memberBytes: 16 * 1024,
};

/** Whatever the server tells of changes, or does not: this often the whole set is read again. */
const wholeEveryMs = 600_000;
/** A set that changes all the time is read for a tenth of the time, and no oftener than this. */
const pausesAReading = 10;
const leastPauseMs = 250;
const leastPauseAfterFailureMs = 1_000;
/** More is none at all for setTimeout. */
const longestTimerMs = 2 ** 31 - 1;

/** The address of a set, with which alone all that is needed to read it can be passed on. It may hold a password. */
export function redisListAddress(url: string, key: string): string {
  const address = new URL(url);
  address.searchParams.set('set', key);
  return address.href;
}

export function isRedisList(address: URL): boolean {
  return address.protocol === 'redis:' || address.protocol === 'rediss:';
}

/** Fit for logs, metrics and pages. */
export function redisListName(address: URL): string {
  return `${redisName(address.href)} ${keyOf(address)}`;
}

function keyOf(address: URL): string {
  return address.searchParams.get('set') ?? '';
}

interface Source {
  fetch(request: DocumentRequest): Promise<FetchResult>;
  close(): void;
}

export function createRedisLists({ onNews }: RedisListsParts): RedisLists {
  const sources = new Map<string, Source>();
  return {
    fetch(request) {
      const { source: address, ca, timeoutMs } = request;
      const id = JSON.stringify([address, ca ?? null, timeoutMs]);
      const source = sources.get(id) ?? openSource(request, onNews, () => sources.delete(id));
      sources.set(id, source);
      return source.fetch(request);
    },
    close() {
      for (const source of [...sources.values()]) source.close();
    },
  };
}

/** One set, and the connection it is read by; nobody asks for it any more: it closes itself. */
function openSource(
  { url, ca, timeoutMs, source }: DocumentRequest,
  onNews: (source: string) => void,
  onClose: () => void,
): Source {
  const key = keyOf(url);
  const plain = new URL(url);
  plain.search = '';
  let current: { readonly tag: string; readonly members: number; readonly atMs: number } | undefined;
  let dirty = true;
  let reading: Promise<FetchResult> | undefined;
  let notBeforeMs = 0;
  let lost: string | undefined;
  let news: NodeJS.Timeout | undefined;
  let idle: NodeJS.Timeout | undefined;
  let wake = () => {};
  let closed = false;

  const connection = createRedisConnection({
    url: plain.href,
    timeoutMs,
    ca,
    onEvent(event) {
      lost = event.kind === 'lost' ? event.detail : undefined;
      dirty = true;
      wake();
      if (event.kind === 'connected') tellSoon();
    },
    onChanged(changed) {
      if (changed !== undefined && changed !== key) return;
      dirty = true;
      tellSoon();
    },
  });

  function tellSoon(): void {
    // Whoever reads now looks again when done.
    if (reading !== undefined || news !== undefined || closed) return;
    news = setTimeout(
      () => {
        news = undefined;
        if (dirty) onNews(source);
      },
      Math.max(0, notBeforeMs - performance.now()),
    ).unref();
  }

  /** Waits for the first outcome of connecting; what is wrong, if anything. */
  async function connected(deadline: number): Promise<string | undefined> {
    while (!connection.connected) {
      if (lost !== undefined) return lost;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return 'no connection within the timeout';
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return undefined;
  }

  async function look({ validators, maxBytes }: DocumentRequest): Promise<FetchResult> {
    const begunMs = performance.now();
    const deadline = begunMs + timeoutMs;
    const trouble = await connected(deadline);
    if (trouble !== undefined) return failure('unreachable', trouble);
    const ask: AskRedis = (command, options) =>
      connection.send(command, { ...options, withinMs: deadline - performance.now() });
    if (current !== undefined && current.tag === validators.etag && begunMs - current.atMs < wholeEveryMs) {
      // The answer comes after what the server has to say of earlier changes.
      const members = await countMembers(ask, key);
      if (typeof members === 'string') return failure('badStatus', members);
      if (!dirty && connection.tracking && members === current.members)
        return { kind: 'notModified', lifetimeMs: undefined };
    }
    dirty = false;
    const readingMs = performance.now();
    const read = await readSet(ask, key, { ...bounds, bytes: maxBytes }, deadline);
    const endedMs = performance.now();
    notBeforeMs = endedMs + Math.max(leastPauseMs, (endedMs - readingMs) * pausesAReading);
    if (read.kind === 'failed') {
      dirty = true;
      return failure('badStatus', read.detail);
    }
    const tag = randomUUID();
    current = { tag, members: read.members, atMs: begunMs };
    return { kind: 'document', text: read.text, validators: { etag: tag }, lifetimeMs: undefined };
  }

  function close(): void {
    closed = true;
    clearTimeout(news);
    clearTimeout(idle);
    connection.close();
    wake();
    onClose();
  }

  return {
    async fetch(request) {
      clearTimeout(idle);
      // The interval is five times what may be copied; failures are tried again sooner.
      idle = setTimeout(close, Math.min(request.reuseMs * 15 + 60_000, longestTimerMs)).unref();
      while (reading !== undefined) await reading;
      reading = look(request);
      try {
        const result = await reading;
        if (result.kind === 'failed') {
          notBeforeMs = Math.max(notBeforeMs, performance.now() + leastPauseAfterFailureMs);
        }
        return result;
      } finally {
        reading = undefined;
        // Something changed while it was read.
        if (dirty && connection.tracking && current !== undefined) tellSoon();
      }
    },
    close,
  };
}
