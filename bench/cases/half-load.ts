import type { LoadSpec } from '../load/load.ts';
import { measureLoad } from '../measure-load.ts';
import type { Bench, RunningTarget } from '../targets/target.ts';
import type { BenchCase, Effort } from './bench-case.ts';
import { describeCachedLoad } from './cached-tokens.ts';

/** Latency where services live: each target at half of what it just managed at full load. */
export const halfLoadCase: BenchCase = {
  name: 'half',
  title: 'GET at half of its own saturation, RS256 tokens seen before',
  columns: ['perSecond', 'busy', 'others', 'p50Ms', 'p99Ms', 'cpuUs'],
  goals: [{ metric: 'p99Ms', bound: 'at most', limit: 2, relativeTo: { case: 'half', target: 'nginx' } }],
  fresh: false,
  once: false,
  applies: (target) => target.verifies.includes('RS256'),
  measure: async (running, bench, effort) =>
    measureLoad(running, await describeHalfLoad(running, bench, effort), bench),
};

/** Mean pause of a connection; long beside any latency, so that a slow answer hardly lowers the rate. */
const pauseMs = 10;

/** Saturates the target for a moment, which also warms it, and describes a load of half that rate. */
export async function describeHalfLoad(running: RunningTarget, bench: Bench, effort: Effort): Promise<LoadSpec> {
  const load = describeCachedLoad(running, bench, 'RS256');
  const full = await measureLoad(running, { ...load, durationMs: effort.warmMs }, bench);
  const rate = (full.values.perSecond ?? 0) / 2;
  const connections = Math.min(1_000, Math.max(4, Math.round((rate * pauseMs) / 1000)));
  return { ...load, connections, pauseMs, durationMs: effort.measureMs };
}
