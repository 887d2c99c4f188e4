import type { MetricSources } from '../ops/metrics.ts';
import { acceptedAndRefused, type History, type RefusalSeries, stepMs } from './history.ts';

/** What stands at the top of the status page: plain data, times in milliseconds since the epoch. */
export interface Overview {
  readonly nowMs: number;
  readonly startedAtMs: number;
  readonly build: MetricSources['build'];
  readonly config: MetricSources['config'] & { readonly servedSinceMs: number };
  readonly reloads: {
    readonly succeeded: number;
    readonly failed: number;
    readonly unchanged: number;
    /** Why the last one was refused, a line each; empty when it was not. */
    readonly problems: readonly string[];
    readonly needsRestart: readonly string[];
  };
  readonly requests: {
    readonly active: number;
    readonly accepted: number;
    readonly refused: number;
    readonly lanes: Readonly<Record<string, number>>;
  };
  readonly verdictCache: { readonly hits: number; readonly misses: number; readonly entries: number } | undefined;
  readonly memoryBytes: number;
  readonly droppedLogLines: number;
  readonly series: RefusalSeries & { readonly stepMs: number };
}

export interface OverviewSources extends Omit<MetricSources, 'reloads'> {
  readonly reloads: MetricSources['reloads'] & { readonly lastProblems: readonly string[] };
}

export function describeOverview(sources: OverviewSources, history: History, nowMs: number): Overview {
  const { measured, build, reloads, startedAtMs, config } = sources;
  const { traffic, verdictCache } = measured;
  const { generation, hash, tenants } = config;
  let accepted = 0;
  let refused = 0;
  for (const counts of [...traffic.tenants.values(), traffic.unknownTenant, traffic.otherTenants]) {
    const totals = acceptedAndRefused(counts);
    accepted += totals.accepted;
    refused += totals.refused;
  }
  return {
    nowMs,
    startedAtMs,
    build,
    config: { generation, hash, tenants, servedSinceMs: reloads.lastSuccessMs },
    reloads: {
      succeeded: reloads.succeeded,
      failed: reloads.failed,
      unchanged: reloads.unchanged,
      problems: reloads.lastProblems,
      needsRestart: reloads.needsRestart,
    },
    requests: { active: measured.activeRequests, accepted, refused, lanes: traffic.lanes },
    verdictCache: verdictCache && { ...traffic.verdicts, entries: verdictCache.entries },
    memoryBytes: measured.process.privateBytes ?? measured.process.residentBytes,
    droppedLogLines: measured.droppedLogLines,
    series: { ...history.all, stepMs },
  };
}
