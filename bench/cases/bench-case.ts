import type { Measurement, MetricName } from '../metrics.ts';
import type { Bench, RunningTarget, Target, TargetName, Transport } from '../targets/target.ts';

/** How long and how much; --quick and --long change it. */
export interface Effort {
  readonly warmMs: number;
  /** Once a process, before its first case. */
  readonly compileMs: number;
  readonly measureMs: number;
  /** Never-seen tokens of one measurement, as a multiple of the case's own number. */
  readonly freshShare: number;
  readonly idleConnections: number;
  readonly longRequests: number;
}

/** What issue and docs promise: jwtgate's median in this case, absolute or as a ratio to somebody's. */
export interface Goal {
  readonly metric: MetricName;
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
  readonly relativeTo?: { readonly case: string; readonly target: TargetName };
}

export interface BenchCase {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly MetricName[];
  readonly goals: readonly Goal[];
  /** A process of its own for each measurement, where what others did before would show. */
  readonly fresh: boolean;
  /** Once a run instead of once a round: for what takes long and hardly varies. */
  readonly once: boolean;
  /** What the target's listener speaks; default: tcp. */
  readonly transport?: Transport;
  applies(target: Target): boolean;
  measure(running: RunningTarget, bench: Bench, effort: Effort): Promise<Measurement>;
}

export const loadColumns = ['cpuUs', 'perSecond', 'busy', 'others', 'p50Ms', 'p99Ms', 'rssMb', 'anonMb'] as const;

export const connections = 32;
