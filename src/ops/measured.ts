import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { KeySourceStatus } from '../keys/key-source-status.ts';
import type { ReplayStatus } from '../state/replay-stores.ts';
import type { RevocationStatus } from '../state/revocation-lists.ts';
import type { TlsStatus } from './tls-report.ts';
import type { SpanCounts } from './tracing/exporter.ts';
import type { Traffic } from './traffic.ts';

/** What one process that serves has counted and holds, as plain data: it can be sent, added up, and kept. */
export interface Measured {
  readonly traffic: Traffic;
  readonly activeRequests: number;
  /** Undefined: there is no cache. */
  readonly verdictCache: { readonly entries: number; readonly bytes: number } | undefined;
  readonly keySources: readonly KeySourceStatus[];
  readonly revocations: readonly RevocationStatus[];
  readonly replays: ReplayStatus;
  /** Undefined where the listener speaks plain HTTP. */
  readonly tls: TlsStatus | undefined;
  readonly droppedLogLines: number;
  /** Undefined: nothing is traced. */
  readonly spans: SpanCounts | undefined;
  readonly process: ProcessFigures;
}

export interface ProcessFigures {
  /** User and system, since the start. */
  readonly cpuS: number;
  readonly residentBytes: number;
  /** Resident and not file-backed: what the process itself costs. Undefined where the system doesn't tell. */
  readonly privateBytes: number | undefined;
  readonly heapBytes: number;
  readonly externalBytes: number;
  /** Share of time the event loop was busy since the start, 0 to 1. */
  readonly eventLoopUtilization: number;
}

/** Of this process, now. */
export function processFigures(): ProcessFigures {
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  return {
    cpuS: (cpu.user + cpu.system) / 1e6,
    residentBytes: memory.rss,
    privateBytes: privateBytes(),
    heapBytes: memory.heapUsed,
    externalBytes: memory.external,
    eventLoopUtilization: performance.eventLoopUtilization().utilization,
  };
}

/** Without the executable's pages, which the kernel can drop. Linux only. */
function privateBytes(): number | undefined {
  try {
    const kib = /^RssAnon:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
