import type { LoadSpec } from '../load/load.ts';
import { measureLoad } from '../measure-load.ts';
import type { Measurement } from '../metrics.ts';
import type { Bench, RunningTarget } from '../targets/target.ts';
import type { BenchCase, Effort } from './bench-case.ts';
import { describeCachedLoad } from './cached-tokens.ts';
import { describeHalfLoad } from './half-load.ts';

const floodConnections = 8;

/**
 * Good traffic at half of saturation, first alone, then twice beside connections that send forged RS256 signatures as
 * fast as they are refused. Every forgery is new, so remembering bad tokens does not help. The first time is told
 * apart: a target that compiles as it runs has compiled what it did for good tokens only, and does so anew.
 */
export const floodCase: BenchCase = {
  name: 'flood',
  title: `Good traffic at half of saturation beside ${floodConnections} connections of forged RS256 tokens`,
  columns: ['perSecond', 'keptShare', 'p50Ms', 'p99Ms', 'p99Factor', 'firstP99Ms', 'floodPerSecond', 'others'],
  goals: [
    { metric: 'keptShare', bound: 'at least', limit: 80 },
    { metric: 'p99Factor', bound: 'at most', limit: 3 },
  ],
  fresh: false,
  once: false,
  applies: (target) => target.guards && target.verifies.includes('RS256'),
  measure: measureFlood,
};

async function measureFlood(running: RunningTarget, bench: Bench, effort: Effort): Promise<Measurement> {
  const good = await describeHalfLoad(running, bench, effort);
  const alone = await measureLoad(running, good, bench);
  const bad: LoadSpec = {
    ...describeCachedLoad(running, bench, 'RS256'),
    tokens: { kind: 'forge' },
    connections: floodConnections,
    durationMs: good.durationMs,
  };
  const measureBeside = () => Promise.all([measureLoad(running, good, bench), measureLoad(running, bad, bench)]);
  const [first] = await measureBeside();
  const [beside, flood] = await measureBeside();
  return {
    values: {
      perSecond: beside.values.perSecond ?? Number.NaN,
      keptShare: (100 * (beside.values.perSecond ?? 0)) / (alone.values.perSecond ?? 1),
      p50Ms: beside.values.p50Ms ?? Number.NaN,
      p99Ms: beside.values.p99Ms ?? Number.NaN,
      p99Factor: (beside.values.p99Ms ?? 0) / (alone.values.p99Ms ?? 1),
      firstP99Ms: first.values.p99Ms ?? Number.NaN,
      floodPerSecond: flood.values.perSecond ?? Number.NaN,
      others: beside.values.others ?? Number.NaN,
    },
    notes: [...alone.notes, ...first.notes, ...beside.notes, ...flood.notes],
  };
}
