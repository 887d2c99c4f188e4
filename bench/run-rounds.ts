import type { BenchCase } from './cases/bench-case.ts';
import { describeCachedLoad } from './cases/cached-tokens.ts';
import { findFalseClaims } from './check-target.ts';
import { measureLoad } from './measure-load.ts';
import type { Measurement } from './metrics.ts';
import type { BenchOptions } from './options.ts';
import type { Result } from './results.ts';
import type { Bench, RunningTarget, Target, Transport } from './targets/target.ts';

/**
 * Measures every case against every target, in rounds: within a case the targets follow each other at once, and their
 * order turns round each time, so that a machine's drift falls on all alike. Each round starts new processes.
 */
export async function runRounds(
  targets: readonly Target[],
  options: BenchOptions,
  bench: Bench,
  say: (line: string) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const transport of ['tcp', 'tls'] as const) await runRound(round, transport);
  }
  return results;

  async function runRound(round: number, transport: Transport): Promise<void> {
    const cases = options.cases.filter((one) => (one.transport ?? 'tcp') === transport && !(one.once && round > 1));
    const able = targets.filter((target) => cases.some((one) => one.applies(target)));
    const order = round % 2 === 1 ? able : able.toReversed();
    const running = new Map<Target, RunningTarget>();
    try {
      for (const target of order) running.set(target, await startWarm(target, bench, options, transport));
      for (const benchCase of cases) {
        const begin = performance.now();
        for (const target of order.filter((one) => benchCase.applies(one))) {
          const measurement = await measureOne(benchCase, target, running, bench, options);
          results.push({ case: benchCase.name, target: target.name, round, ...measurement });
        }
        say(`round ${round}/${options.rounds} ${benchCase.name} ${((performance.now() - begin) / 1000).toFixed(1)} s`);
      }
    } finally {
      for (const one of running.values()) await one.stop();
    }
  }
}

async function startWarm(
  target: Target,
  bench: Bench,
  options: BenchOptions,
  transport: Transport,
): Promise<RunningTarget> {
  const running = await target.start(bench, transport);
  if (target.compilesAsItRuns) {
    const protocol = transport === 'tls' ? 'https' : 'http';
    const load = {
      ...describeCachedLoad(running, bench, 'RS256'),
      protocol,
      durationMs: options.effort.compileMs,
    } as const;
    await measureLoad(running, load, bench);
  }
  return running;
}

/** More than this share of the proxy's core for others, in percent, and a measurement is made again. */
const mostDisturbance = 5;
const mostAttempts = 3;

/** The least disturbed of at most three attempts. */
async function measureUndisturbed(
  benchCase: BenchCase,
  running: RunningTarget,
  bench: Bench,
  options: BenchOptions,
): Promise<Measurement> {
  let best: Measurement | undefined;
  for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
    const measurement = await benchCase.measure(running, bench, options.effort);
    const disturbance = measurement.values.others ?? 0;
    if (best === undefined || disturbance < (best.values.others ?? 0)) best = measurement;
    if (disturbance <= mostDisturbance) return best;
  }
  const note = `others used ${best?.values.others?.toFixed(0)} % of the core each time it was measured`;
  return { values: best?.values ?? {}, notes: [...(best?.notes ?? []), note] };
}

async function measureOne(
  benchCase: BenchCase,
  target: Target,
  running: ReadonlyMap<Target, RunningTarget>,
  bench: Bench,
  options: BenchOptions,
): Promise<Measurement> {
  const own = benchCase.fresh ? await target.start(bench, benchCase.transport) : undefined;
  try {
    const subject = own ?? running.get(target);
    if (subject === undefined) throw new Error('it is not running');
    return await measureUndisturbed(benchCase, subject, bench, options);
  } catch (fault) {
    return { values: {}, notes: [fault instanceof Error ? fault.message : String(fault)] };
  } finally {
    await own?.stop();
  }
}

/** Those of the targets that can run here and do what they are credited with; says what is skipped and why. */
export async function chooseTargets(
  candidates: readonly Target[],
  bench: Bench,
  say: (line: string) => void,
): Promise<Target[]> {
  const chosen: Target[] = [];
  for (const target of candidates) {
    const problems = await findProblems(target, bench);
    if (problems.length === 0) chosen.push(target);
    say(
      `${problems.length === 0 ? '  ' : '- '}${target.name}: ${problems.length === 0 ? target.work : `skipped: ${problems.join('; ')}`}`,
    );
  }
  return chosen;
}

async function findProblems(target: Target, bench: Bench): Promise<string[]> {
  const obstacle = target.findObstacle();
  if (obstacle !== undefined) return [obstacle];
  try {
    const running = await target.start(bench);
    try {
      return await findFalseClaims(running, bench.credentials);
    } finally {
      await running.stop();
    }
  } catch (fault) {
    return [fault instanceof Error ? fault.message : String(fault)];
  }
}
