import type { LoadSpec } from '../load/load.ts';
import { measureLoad } from '../measure-load.ts';
import { type Bench, pathFor, type RunningTarget } from '../targets/target.ts';
import { type Algorithm, algorithms, cachedTokens } from '../tokens.ts';
import { type BenchCase, connections, type Goal, loadColumns } from './bench-case.ts';

/** GET of 1 KiB with 256 users' tokens over and over: what a service with returning clients sees. */
export const cachedTokenCases: readonly BenchCase[] = algorithms.map((algorithm) => ({
  name: `get-${algorithm.toLowerCase()}`,
  title: `GET, tokens seen before, ${algorithm}`,
  columns: loadColumns,
  goals: goalsFor(`get-${algorithm.toLowerCase()}`),
  fresh: false,
  once: false,
  applies: (target) => target.verifies.includes(algorithm),
  measure: async (running, bench, effort) => {
    const load = describeCachedLoad(running, bench, algorithm);
    await measureLoad(running, { ...load, durationMs: effort.warmMs }, bench);
    return measureLoad(running, { ...load, durationMs: effort.measureMs }, bench);
  },
}));

/** What a proxy in front does that keeps no connections, as many do by default. */
export const connectCase: BenchCase = {
  name: 'connect',
  title: 'A connection for each GET, RS256 tokens seen before',
  columns: loadColumns,
  goals: [],
  fresh: false,
  once: false,
  applies: (target) => target.verifies.includes('RS256'),
  measure: async (running, bench, effort) => {
    const load = { ...describeCachedLoad(running, bench, 'RS256'), connectsAnew: true };
    await measureLoad(running, { ...load, durationMs: effort.warmMs }, bench);
    return measureLoad(running, { ...load, durationMs: effort.measureMs }, bench);
  },
};

/** The load that most cases build on; its duration is the caller's to set. */
export function describeCachedLoad(running: RunningTarget, bench: Bench, algorithm: Algorithm): LoadSpec {
  return {
    port: running.port(algorithm),
    path: pathFor(algorithm, 'accounts/17/items'),
    credentials: bench.credentials[algorithm],
    tokens: { kind: 'cycle', from: 0, count: cachedTokens },
    connections,
    durationMs: 0,
  };
}

/** Once its verdict is cached, a token's algorithm must not matter: so each is held against all of HAProxy's. */
function goalsFor(name: string): Goal[] {
  const atMost = (limit: number, caseName: string, target: 'nginx' | 'haproxy'): Goal => {
    return { metric: 'cpuUs', bound: 'at most', limit, relativeTo: { case: caseName, target } };
  };
  return [
    atMost(1.5, name, 'nginx'),
    atMost(1, 'get-hs256', 'haproxy'),
    atMost(0.4, 'get-rs256', 'haproxy'),
    atMost(0.2, 'get-es256', 'haproxy'),
  ];
}
