import type { LoadResult } from './load.ts';

/** What a load program of ours says when it is over, and ends with. */
export function tellResult({
  latenciesMs,
  ...counted
}: Pick<LoadResult, 'durationMs' | 'refused' | 'socketErrors'> & { readonly latenciesMs: readonly number[] }): never {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const result: LoadResult = { ...counted, requests: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}
