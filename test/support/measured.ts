import type { Measured } from '../../src/ops/measured.ts';
import type { MetricSources } from '../../src/ops/metrics.ts';
import { zeroTraffic } from '../../src/ops/traffic.ts';

/** A process that has done nothing yet, but for what a test says of it. */
export function measured(over: Partial<Measured> = {}): Measured {
  return {
    traffic: zeroTraffic(),
    activeRequests: 0,
    verdictCache: { entries: 0, bytes: 0 },
    keySources: [],
    revocations: [],
    replays: { entries: 0, shared: [] },
    tls: undefined,
    droppedLogLines: 0,
    spans: undefined,
    process: {
      cpuS: 0,
      residentBytes: 0,
      privateBytes: 0,
      heapBytes: 0,
      externalBytes: 0,
      eventLoopUtilization: 0,
    },
    ...over,
  };
}

/** A scrape of it. */
export function metricSources(over: Partial<MetricSources> = {}): MetricSources {
  return {
    measured: measured(),
    build: { version: '1.2.3', commit: 'abc', runtime: 'node 26' },
    reloads: { succeeded: 0, failed: 0, unchanged: 0, lastSucceeded: true, lastSuccessMs: 1_000, needsRestart: [] },
    startedAtMs: 0,
    config: { generation: 1, hash: 'ff', tenants: 2 },
    ...over,
  };
}
