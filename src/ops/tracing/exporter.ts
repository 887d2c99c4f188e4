import { setTimeout as delay } from 'node:timers/promises';
import { call } from '../../outbound/call.ts';
import type { Log } from '../log.ts';
import type { TracingSettings } from './settings.ts';
import { createSpanBatch, type SpanBatch } from './span-batch.ts';

/** What became of spans since the start. */
export interface SpanCounts {
  readonly exported: number;
  /** Given up because the queue was full. */
  readonly dropped: number;
  /** Given up because the collector did not take them. */
  readonly failed: number;
}

/** A bounded queue before a collector: what it is too slow for is dropped and counted, and costs no request anything. */
export interface Exporter {
  /** Takes one span as OTLP/JSON. */
  add(span: string): void;
  readonly counts: SpanCounts;
  /** Sends what waits, but tries no longer than this. */
  close(deadlineMs: number): Promise<void>;
}

export interface ExporterOptions {
  readonly settings: Pick<TracingSettings, 'endpoint' | 'headers' | 'ca' | 'timeoutMs' | 'queue'>;
  /** Everything before and behind the list of spans. */
  readonly envelope: readonly [before: string, behind: string];
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** Before the second attempt; doubled for each further one. */
  readonly retryMs?: number;
}

/** For a batch: room for 512 spans with paths that are long, but not all as long as can be. */
const batchBytes = 1024 * 1024;
const attempts = 4;
const mostWaitMs = 30_000;
/** OTLP 1.x, "Retryable Response Codes". */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

type Sent =
  | { readonly kind: 'taken'; readonly rejected: number }
  | { readonly kind: 'notTaken'; readonly detail: string };

export function createExporter({ settings, envelope, env, log, retryMs = 1_000 }: ExporterOptions): Exporter {
  const { endpoint, headers, ca, timeoutMs, queue } = settings;
  const counts = { exported: 0, dropped: 0, failed: 0 };
  const ending = new AbortController();
  /** Full but for the last one, which is being filled. */
  const waiting: SpanBatch[] = [];
  const spare: SpanBatch[] = [];
  const mostBatches = Math.ceil(queue.spans / queue.batchSpans);
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let isAway = false;
  let closed = false;

  const take = (span: string): boolean => {
    const last = waiting.at(-1);
    if (last !== undefined && last.spans < queue.batchSpans && last.add(span)) return true;
    if (waiting.length >= mostBatches) return false;
    const batch = spare.pop() ?? createSpanBatch(batchBytes, envelope);
    waiting.push(batch);
    return batch.add(span);
  };

  const isOneFull = () => waiting.length > 1 || (waiting[0]?.spans ?? 0) >= queue.batchSpans;

  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (sending === undefined && waiting.length === 0) return Promise.resolve();
    sending ??= sendAll().finally(() => {
      sending = undefined;
      if (waiting.length > 0) schedule();
    });
    return sending;
  };

  const schedule = () => {
    if (!closed && sending === undefined) timer ??= setTimeout(flush, queue.delayMs).unref();
  };

  /** One batch at a time, as long as there are full ones; at the end, all. */
  const sendAll = async () => {
    do {
      const batch = waiting.shift() as SpanBatch;
      await send(batch);
      batch.clear();
      spare.push(batch);
    } while (isOneFull() || (closed && waiting.length > 0 && !ending.signal.aborted));
  };

  const send = async (batch: SpanBatch) => {
    const sent = await trySending(batch.request());
    const rejected = sent.kind === 'taken' ? Math.min(sent.rejected, batch.spans) : batch.spans;
    counts.failed += rejected;
    counts.exported += batch.spans - rejected;
    const at = shown(endpoint);
    if (sent.kind === 'notTaken' && !isAway) log.warn(notTaken, { endpoint: at, detail: sent.detail });
    else if (sent.kind === 'taken' && isAway) log.info('spans are taken again', { endpoint: at });
    isAway = sent.kind === 'notTaken';
  };

  const trySending = async (body: Uint8Array): Promise<Sent> => {
    for (let attempt = 1; ; attempt++) {
      const result = await call({
        url: endpoint,
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        timeoutMs,
        maxBytes: 64 * 1024,
        ca,
        env,
        signal: ending.signal,
      });
      if (result.kind === 'answer' && result.status >= 200 && result.status < 300) {
        return { kind: 'taken', rejected: rejectedSpans(result.text) };
      }
      const detail = result.kind === 'answer' ? `status ${result.status}` : result.detail;
      const mayRetry = result.kind === 'none' || retryable.has(result.status);
      // While it is known to be away, one attempt a batch is enough.
      if (!mayRetry || isAway || closed || attempt === attempts) return { kind: 'notTaken', detail };
      const asked = result.kind === 'answer' ? Number(result.retryAfter) * 1_000 : Number.NaN;
      const waitMs = Number.isFinite(asked) ? asked : retryMs * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
      await delay(Math.min(waitMs, mostWaitMs), undefined, { ref: false, signal: ending.signal }).catch(
        () => undefined,
      );
    }
  };

  return {
    counts,
    add(span) {
      if (closed || !take(span)) counts.dropped++;
      else if (isOneFull()) void flush();
      else schedule();
    },
    async close(deadlineMs) {
      closed = true;
      const deadline = setTimeout(() => ending.abort(), deadlineMs);
      while ((waiting.length > 0 || sending !== undefined) && !ending.signal.aborted) await flush();
      clearTimeout(deadline);
      ending.abort();
      counts.failed += waiting.splice(0).reduce((spans, batch) => spans + batch.spans, 0);
    },
  };
}

const notTaken = 'spans are not taken: they are given up until they are';

/** A collector that took only some says how many it did not (ExportTracePartialSuccess). */
function rejectedSpans(text: string): number {
  try {
    const count = Number(JSON.parse(text)?.partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch {
    return 0;
  }
}

function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}
