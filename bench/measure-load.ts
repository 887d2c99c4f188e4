import { readCoreBusyNs } from './core-usage.ts';
import type { LoadResult, LoadSpec } from './load/load.ts';
import { runLoad } from './load/run-load.ts';
import type { Measurement } from './metrics.ts';
import { type ProcessUsage, readTreeUsage, subtractUsage } from './process-usage.ts';
import type { Bench, RunningTarget } from './targets/target.ts';

const mb = 1e6;

/** Runs a load against a target and relates what the target used to what it answered. */
export async function measureLoad(running: RunningTarget, spec: LoadSpec, bench: Bench): Promise<Measurement> {
  const place = { directory: bench.directory, cores: bench.cores?.load };
  const coreBefore = readCoreBusyNs(bench.cores?.proxy);
  const begin = performance.now();
  const before = readTreeUsage(running.pid);
  const load = await runLoad(spec, place);
  const used = subtractUsage(readTreeUsage(running.pid), before);
  const coreBusyNs = (readCoreBusyNs(bench.cores?.proxy) ?? Number.NaN) - (coreBefore ?? 0);
  // Over the load program's own start and end as well, which is when the others' time was counted.
  const others = Math.max(0, coreBusyNs - used.cpuNs) / ((performance.now() - begin) * 1e6);
  const values = { ...relate(used, load), others: 100 * others };
  return { values, notes: findFaults(load, spec.tokens.kind === 'forge') };
}

function relate(used: ProcessUsage, load: LoadResult): Measurement['values'] {
  const elapsedNs = load.durationMs * 1e6;
  return {
    cpuUs: used.cpuNs / 1e3 / load.requests,
    perSecond: load.requests / (load.durationMs / 1e3),
    busy: (100 * used.cpuNs) / elapsedNs,
    p50Ms: load.p50Ms,
    p99Ms: load.p99Ms,
    rssMb: used.rssBytes / mb,
    anonMb: used.anonBytes / mb,
  };
}

function findFaults(load: LoadResult, refusalsWanted: boolean): string[] {
  const notes: string[] = [];
  const wrong = refusalsWanted ? load.requests - load.refused : load.refused;
  if (wrong > 0) notes.push(`${wrong} of ${load.requests} answers had the wrong status`);
  if (load.socketErrors > 0) notes.push(`${load.socketErrors} connections failed`);
  return notes;
}
