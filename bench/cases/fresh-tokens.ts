import { measureLoad } from '../measure-load.ts';
import { pathFor } from '../targets/target.ts';
import { type Algorithm, algorithms, cachedTokens } from '../tokens.ts';
import { type BenchCase, connections, type Effort, type Goal, loadColumns } from './bench-case.ts';

/** Enough for about a second of the fastest target. */
const measuredTokens: Partial<Record<Algorithm, number>> = { HS256: 40_000, RS256: 20_000, ES256: 16_000 };
/**
 * What only a new token asks for is compiled by and by, as all else was before: HS256 went from 39 to 31 µs in the first 18,000.
 */
const warmTokens = 20_000;

/**
 * Tokens of each pool beyond the cached ones, as far as these cases need any: each round starts new processes, so the
 * rounds share them.
 */
export function countFreshTokens(effort: Effort, cases: readonly BenchCase[]): Record<Algorithm, number> {
  const counts = algorithms.map((name): [Algorithm, number] => {
    const isNeeded = cases.some((benchCase) => benchCase.name === caseName(name));
    return [name, isNeeded ? countWarm(effort) + countMeasured(name, effort) : 0];
  });
  return Object.fromEntries(counts) as Record<Algorithm, number>;
}

function caseName(algorithm: Algorithm): string {
  return `new-${algorithm.toLowerCase()}`;
}

function countMeasured(algorithm: Algorithm, effort: Effort): number {
  return Math.round((measuredTokens[algorithm] ?? 0) * effort.freshShare);
}

function countWarm(effort: Effort): number {
  return Math.round(warmTokens * effort.freshShare);
}

const mostMs = 20_000;

/** GET where no token comes twice: every request pays for its signature, and no cache can hide it. */
export const freshTokenCases: readonly BenchCase[] = (['HS256', 'RS256', 'ES256'] as const).map((algorithm) => {
  const name = caseName(algorithm);
  const goal: Goal = { metric: 'cpuUs', bound: 'at most', limit: 1, relativeTo: { case: name, target: 'haproxy' } };
  return {
    name,
    title: `GET, tokens never seen, ${algorithm}`,
    columns: loadColumns,
    goals: algorithm === 'HS256' ? [] : [goal],
    fresh: false,
    once: false,
    applies: (target) => target.guards && target.verifies.includes(algorithm),
    measure: async (running, bench, effort) => {
      const warm = countWarm(effort);
      const load = {
        port: running.port(algorithm),
        path: pathFor(algorithm, 'accounts/17/items'),
        credentials: bench.credentials[algorithm],
        connections,
        durationMs: mostMs,
      };
      await measureLoad(running, { ...load, tokens: { kind: 'once', from: cachedTokens, count: warm } }, bench);
      const count = countMeasured(algorithm, effort);
      return measureLoad(running, { ...load, tokens: { kind: 'once', from: cachedTokens + warm, count } }, bench);
    },
  };
});
