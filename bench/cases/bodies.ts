import type { LoadSpec } from '../load/load.ts';
import { measureLoad } from '../measure-load.ts';
import { pathFor } from '../targets/target.ts';
import { type BenchCase, loadColumns } from './bench-case.ts';
import { describeCachedLoad } from './cached-tokens.ts';

/** Bodies both ways, with RS256 tokens seen before: what streaming costs beside nginx. */
export const bodyCases: readonly BenchCase[] = [
  describeBodyCase('post-16k', 'POST of 16 KiB', { bodyBytes: 16 * 1024 }),
  describeBodyCase('get-1m', 'GET with a response of 1 MiB', { path: pathFor('RS256', 'large') }),
];

function describeBodyCase(name: string, title: string, change: Partial<LoadSpec>): BenchCase {
  return {
    name,
    title: `${title}, RS256 tokens seen before`,
    columns: loadColumns,
    goals: [{ metric: 'cpuUs', bound: 'at most', limit: 1.5, relativeTo: { case: name, target: 'nginx' } }],
    fresh: false,
    once: false,
    applies: (target) => target.verifies.includes('RS256'),
    measure: async (running, bench, effort) => {
      const load = { ...describeCachedLoad(running, bench, 'RS256'), ...change };
      await measureLoad(running, { ...load, durationMs: effort.warmMs }, bench);
      return measureLoad(running, { ...load, durationMs: effort.measureMs }, bench);
    },
  };
}
