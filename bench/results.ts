import type { Measurement, MetricName } from './metrics.ts';
import { type Spread, summarise } from './statistics.ts';
import type { TargetName } from './targets/target.ts';

/** One measurement with its place in the run: what --json writes. */
export interface Result extends Measurement {
  readonly case: string;
  readonly target: TargetName;
  readonly round: number;
}

/** A value that a case measured with a target. */
export interface Quantity {
  readonly case: string;
  readonly target: TargetName;
  readonly metric: MetricName;
}

/** Median and spread over the rounds; undefined where it was not measured. */
export function findSpread(results: readonly Result[], quantity: Quantity): Spread | undefined {
  return summarise([...findByRound(results, quantity).values()]);
}

/** The ratio is taken within each round, where both were measured seconds apart, and only then summarised. */
export function findRatio(results: readonly Result[], over: Quantity, under: Quantity): Spread | undefined {
  const divisors = findByRound(results, under);
  const ratios = [...findByRound(results, over)].flatMap(([round, value]) => {
    const divisor = divisors.get(round);
    return divisor === undefined || divisor === 0 ? [] : [value / divisor];
  });
  return summarise(ratios);
}

function findByRound(results: readonly Result[], quantity: Quantity): Map<number, number> {
  const byRound = new Map<number, number>();
  for (const result of results) {
    const value = result.values[quantity.metric];
    if (result.case === quantity.case && result.target === quantity.target && value !== undefined) {
      byRound.set(result.round, value);
    }
  }
  return byRound;
}
