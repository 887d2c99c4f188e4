import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeCachedLoad } from '../cases/cached-tokens.ts';
import { writeCertificate } from '../certificate.ts';
import { describeMachine, planCores } from '../machine.ts';
import { measureLoad } from '../measure-load.ts';
import type { Measurement } from '../metrics.ts';
import { endChildrenOnExit } from '../processes.ts';
import { formatMachine, formatTable } from '../report.ts';
import { describeJwtgate } from '../targets/jwtgate.ts';
import { algorithms, cachedTokens, mintAll } from '../tokens.ts';
import { startUpstream } from '../upstream.ts';
import { attribute, type Sample } from './attribute.ts';
import { readAllocationProfile, readCpuProfile } from './read-profiles.ts';

/**
 * `node bench/profile/profile.ts [cached | fresh | forged]`: where one request's CPU time and memory go, by part of the
 * program, from source under V8's sampling profilers (which cost a few percent themselves).
 */

const warmMs = 4_000;
const profilerStartMs = 500;
const cpuMs = 5_000;
const allocationMs = 3_000;
const shownRows = 30;
/** More than any machine verifies in the two measured spans together. */
const freshTokens = 80_000;

const kinds = ['cached', 'fresh', 'forged'] as const;
const kind = kinds.find((name) => name === (process.argv[2] ?? 'cached'));
if (kind === undefined) {
  process.stderr.write(`node bench/profile/profile.ts [${kinds.join(' | ')}]\n`);
  process.exit(64);
}

endChildrenOnExit();
const directory = mkdtempSync(join(tmpdir(), 'jwtgate-bench-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
process.env.BENCH_PROFILES = directory;

const cores = planCores();
const fresh = kind === 'fresh' ? freshTokens : 0;
const counts = Object.fromEntries(algorithms.map((name) => [name, name === 'RS256' ? fresh : 0]));
const credentials = await mintAll(counts as Record<(typeof algorithms)[number], number>, directory);
const upstream = await startUpstream(directory, cores?.upstream);
const certificate = writeCertificate(directory);
const bench = { directory, cores, upstreamPort: upstream.port, certificate, credentials };
const nodeFlags = ['--import', join(import.meta.dirname, 'preload.ts')];
const running = await describeJwtgate({ extraTenants: 0, nodeFlags }).start(bench);
const load = describeCachedLoad(running, bench, 'RS256');
await measureLoad(running, { ...load, durationMs: warmMs }, bench);

nextStep();
await new Promise((resolve) => setTimeout(resolve, profilerStartMs));
const cpu = await measureHalf(0, cpuMs);
nextStep();
await appearance('cpu.json');
const allocated = await measureHalf(1, allocationMs);
nextStep();
await appearance('allocations.json');

const requests = ((allocated.values.perSecond ?? 0) * allocationMs) / 1000;
process.stdout.write(`${formatMachine(describeMachine())}\n`);
process.stdout.write(`${kind} RS256 tokens: ${cpu.values.cpuUs?.toFixed(1)} CPU µs/req ${cpu.notes.join('; ')}\n`);
// The profile stands for the whole: threads and kernel work outside of its samples are spread over it.
print('µs/req', readCpuProfile(join(directory, 'cpu.json')), (total) => (cpu.values.cpuUs ?? 0) / total);
print('bytes/req', readAllocationProfile(join(directory, 'allocations.json')), () => 1 / requests);
process.exit(0);

/** Each of the two spans has its own half of the fresh tokens. */
function measureHalf(half: number, durationMs: number): Promise<Measurement> {
  const count = freshTokens / 2;
  const tokens = {
    cached: { kind: 'cycle', from: 0, count: cachedTokens },
    fresh: { kind: 'once', from: cachedTokens + half * count, count },
    forged: { kind: 'forge' },
  } as const;
  return measureLoad(running, { ...load, tokens: tokens[kind as keyof typeof tokens], durationMs }, bench);
}

function nextStep(): void {
  process.kill(running.pid, 'SIGWINCH');
}

async function appearance(name: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!existsSync(join(directory, name))) {
    if (performance.now() > deadline) throw new Error(`jwtgate wrote no ${name}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function print(unit: string, samples: readonly Sample[], scale: (total: number) => number): void {
  const { parts, functions, total } = attribute(samples);
  const perRequest = scale(total);
  for (const [title, amounts] of [
    ['by part, each with what it calls outside of src', parts],
    ['by function, itself alone', functions],
  ] as const) {
    const largest = [...amounts].toSorted(([, a], [, b]) => b - a).slice(0, shownRows);
    const rows = largest.map(([name, amount]) => [name, (amount * perRequest).toFixed(1), percent(amount, total)]);
    const sum = ['all', (total * perRequest).toFixed(1), '100'];
    process.stdout.write(`\n## ${title}\n${formatTable([['', unit, '%'], sum, ...rows])}\n`);
  }
}

function percent(amount: number, total: number): string {
  return ((100 * amount) / total).toFixed(1);
}
