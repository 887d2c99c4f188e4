import type { KeySourceStatus } from '../keys/key-source-status.ts';
import type { ReplayStatus } from '../state/replay-stores.ts';
import type { RevocationStatus } from '../state/revocation-lists.ts';
import { maxLabelValues } from './bound-labels.ts';
import type { Measured, ProcessFigures } from './measured.ts';
import type { TlsStatus } from './tls-report.ts';
import type { SpanCounts } from './tracing/exporter.ts';
import { forgetTenants, type TenantCounts, type Traffic, zeroCounts, zeroTraffic } from './traffic.ts';

/** What several processes measured, as if one had; counts of those that ended stay in it. */
export interface MeasuredTogether {
  /** Counts are summed, histograms too; of gauges, what a reader of the sum would expect: memory of all, the worst of key sources. */
  merge(parts: readonly Measured[]): Measured;
  /** Keeps what a process had counted when it ended; what it held at that moment is gone. */
  keepCounts(last: Measured): void;
  /** After a reload: tenants that are no more give their labels up. */
  forgetTenants(kept: { has(tenant: string): boolean }): void;
}

export function createMeasuredTogether(): MeasuredTogether {
  const ended = zeroTraffic();
  const endedFetches = new Map<string, KeySourceStatus['fetches']>();
  const endedHandshakes = new Map<string, number>();
  const endedHttp2 = new Map<string, number>();
  const endedSpans = { exported: 0, dropped: 0, failed: 0 };
  let endedCpuS = 0;
  let endedDroppedLines = 0;
  /** Tenants with a label of their own: once they have one they keep it, or their counts would go back. */
  const labels = new Set<string>();

  /** `from` is what one process counted: it has labels for tenants of its own choice. */
  function addTraffic(to: Traffic, from: Traffic): void {
    for (const [tenant, counts] of from.tenants) {
      if (!labels.has(tenant) && labels.size < maxLabelValues) labels.add(tenant);
      addNumbers(labels.has(tenant) ? countsOf(to, tenant) : to.otherTenants, counts);
    }
    addNumbers(to.otherTenants, from.otherTenants);
    addNumbers(to.unknownTenant, from.unknownTenant);
    addNumbers(to, from, ['tenants', 'otherTenants', 'unknownTenant']);
  }

  return {
    merge(parts) {
      const traffic = zeroTraffic();
      for (const one of [ended, ...parts.map((part) => part.traffic)]) addTraffic(traffic, one);
      const sum = (of: (part: Measured) => number) => parts.reduce((total, part) => total + of(part), 0);
      const cached = parts.flatMap(({ verdictCache }) => verdictCache ?? []);
      return {
        traffic,
        activeRequests: sum((part) => part.activeRequests),
        verdictCache: cached.length === 0 ? undefined : cached.reduce(addVerdictCaches),
        keySources: withEndedFetches(
          parts.flatMap((part) => part.keySources),
          endedFetches,
        ),
        revocations: mergeRevocations(parts.map((part) => part.revocations)),
        replays: mergeReplays(parts.map((part) => part.replays)),
        tls: mergeTls(
          parts.flatMap((part) => part.tls ?? []),
          endedHandshakes,
          endedHttp2,
        ),
        spans: mergeSpans(
          parts.flatMap(({ spans }) => spans ?? []),
          endedSpans,
        ),
        droppedLogLines: endedDroppedLines + sum((part) => part.droppedLogLines),
        process: mergeProcesses(
          parts.map((part) => part.process),
          endedCpuS,
        ),
      };
    },
    keepCounts({ traffic, keySources, tls, spans, droppedLogLines, process }) {
      addTraffic(ended, traffic);
      for (const { url, fetches } of keySources)
        endedFetches.set(url, addFetches(endedFetches.get(url) ?? {}, fetches));
      addCounts(endedHandshakes, tls?.handshakes ?? new Map());
      addCounts(endedHttp2, tls?.http2 ?? new Map());
      if (spans !== undefined) addNumbers(endedSpans, spans);
      endedCpuS += process.cpuS;
      endedDroppedLines += droppedLogLines;
    },
    forgetTenants(kept) {
      forgetTenants(ended, kept);
      for (const tenant of labels) if (!kept.has(tenant)) labels.delete(tenant);
    },
  };
}

function countsOf(traffic: Traffic, tenant: string): TenantCounts {
  const counts = traffic.tenants.get(tenant) ?? zeroCounts();
  traffic.tenants.set(tenant, counts);
  return counts;
}

/** Adds every number of a tree to its counterpart; both have the same shape. Bounds of histograms are no counts. */
function addNumbers(to: object, from: object, except: readonly string[] = []): void {
  const target = to as Record<string, unknown>;
  for (const [name, value] of Object.entries(from)) {
    if (name === 'boundsS' || except.includes(name)) continue;
    if (typeof value === 'number') target[name] = (target[name] as number) + value;
    else if (typeof value === 'object' && value !== null) addNumbers(target[name] as object, value);
  }
}

type VerdictCacheSize = NonNullable<Measured['verdictCache']>;

function addVerdictCaches(a: VerdictCacheSize, b: VerdictCacheSize): VerdictCacheSize {
  return { entries: a.entries + b.entries, bytes: a.bytes + b.bytes };
}

function addFetches(a: KeySourceStatus['fetches'], b: KeySourceStatus['fetches']): KeySourceStatus['fetches'] {
  const sum = { ...a };
  for (const [name, count] of Object.entries(b) as [keyof typeof sum, number][]) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Fetches of processes that ended are told with the first source of the same address. */
function withEndedFetches(
  sources: readonly KeySourceStatus[],
  ended: ReadonlyMap<string, KeySourceStatus['fetches']>,
): KeySourceStatus[] {
  const told = new Set<string>();
  return sources.map((source) => {
    const before = told.has(source.url) ? undefined : ended.get(source.url);
    told.add(source.url);
    return before === undefined ? source : { ...source, fetches: addFetches(source.fetches, before) };
  });
}

/** Each process holds the list for itself: bytes are summed; all else is the same, or the worst. */
function mergeRevocations(parts: readonly (readonly RevocationStatus[])[]): RevocationStatus[] {
  // Of one address the newest comes last.
  const newest = parts.map((part) => new Map(part.map((status) => [status.url, status])));
  const urls = new Set(newest.flatMap((part) => [...part.keys()]));
  return [...urls].map((url) => {
    const statuses = newest.flatMap((part) => part.get(url) ?? []);
    return {
      url,
      readyOnce: statuses.every(({ readyOnce }) => readyOnce),
      entries: Math.min(...statuses.map(({ entries }) => entries)),
      skipped: Math.max(...statuses.map(({ skipped }) => skipped)),
      bytes: statuses.reduce((total, { bytes }) => total + bytes, 0),
      lastSuccessMs: earliest(statuses.map(({ lastSuccessMs }) => lastSuccessMs)),
      failures: Math.max(...statuses.map(({ failures }) => failures)),
    };
  });
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  return times.includes(undefined) ? undefined : Math.min(...(times as number[]));
}

/** A store that one process can't reach is not up. */
function mergeReplays(parts: readonly ReplayStatus[]): ReplayStatus {
  const shared = new Map<string, boolean>();
  for (const { store, connected } of parts.flatMap((part) => part.shared)) {
    shared.set(store, connected && shared.get(store) !== false);
  }
  return {
    entries: parts.reduce((total, { entries }) => total + entries, 0),
    shared: [...shared].map(([store, connected]) => ({ store, connected })),
  };
}

type Counts = ReadonlyMap<string, number>;

function mergeTls(parts: readonly TlsStatus[], endedHandshakes: Counts, endedHttp2: Counts): TlsStatus | undefined {
  // All serve the same certificates, but for the moment of a reload.
  const [first] = parts;
  if (first === undefined) return undefined;
  const handshakes = new Map(endedHandshakes);
  const http2 = new Map(endedHttp2);
  for (const part of parts) {
    addCounts(handshakes, part.handshakes);
    addCounts(http2, part.http2);
  }
  return { expiryMs: first.expiryMs, handshakes, http2 };
}

function addCounts(to: Map<string, number>, from: Counts): void {
  for (const [end, count] of from) to.set(end, (to.get(end) ?? 0) + count);
}

function mergeSpans(parts: readonly SpanCounts[], ended: SpanCounts): SpanCounts | undefined {
  if (parts.length === 0) return undefined;
  const sum = { ...ended };
  for (const part of parts) addNumbers(sum, part);
  return sum;
}

/** Memory and CPU of all; of the event loops the busiest, which is the one that requests wait for. */
function mergeProcesses(parts: readonly ProcessFigures[], endedCpuS: number): ProcessFigures {
  const sum = (of: (part: ProcessFigures) => number) => parts.reduce((total, part) => total + of(part), 0);
  const privates = parts.flatMap(({ privateBytes }) => privateBytes ?? []);
  return {
    cpuS: endedCpuS + sum((part) => part.cpuS),
    residentBytes: sum((part) => part.residentBytes),
    privateBytes: privates.length === 0 ? undefined : privates.reduce((total, bytes) => total + bytes, 0),
    heapBytes: sum((part) => part.heapBytes),
    externalBytes: sum((part) => part.externalBytes),
    eventLoopUtilization: Math.max(...parts.map((part) => part.eventLoopUtilization)),
  };
}
