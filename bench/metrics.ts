/** Everything a case can measure, and how it is printed. Times are milliseconds unless the title says otherwise. */
export const metrics = {
  cpuUs: { title: 'CPU µs/req', decimals: 1 },
  perSecond: { title: 'req/s', decimals: 0 },
  busy: { title: 'core busy %', decimals: 0 },
  others: { title: 'others on core %', decimals: 1 },
  p50Ms: { title: 'p50 ms', decimals: 2 },
  p99Ms: { title: 'p99 ms', decimals: 2 },
  rssMb: { title: 'RSS MB', decimals: 1 },
  anonMb: { title: 'private MB', decimals: 1 },
  keptShare: { title: 'throughput kept %', decimals: 1 },
  p99Factor: { title: 'p99 × alone', decimals: 2 },
  firstP99Ms: { title: 'p99 ms, first time', decimals: 2 },
  floodPerSecond: { title: 'refused/s', decimals: 0 },
  idleKib: { title: 'RSS KiB/connection', decimals: 2 },
  startMs: { title: 'start ms', decimals: 0 },
  growthBytes: { title: 'growth B/req', decimals: 2 },
  requests: { title: 'requests', decimals: 0 },
} as const;

export type MetricName = keyof typeof metrics;

/** One run of one case against one target. */
export interface Measurement {
  readonly values: Partial<Record<MetricName, number>>;
  /** Why the figures should not be believed, or what they leave out. */
  readonly notes: readonly string[];
}
