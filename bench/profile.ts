import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeCachedLoad } from './cases/cached-tokens.ts';
import { describeMachine, planCores } from './machine.ts';
import { measureLoad } from './measure-load.ts';
import { endChildrenOnExit } from './processes.ts';
import { attribute, type CpuProfile } from './profile-parts.ts';
import { formatMachine, formatTable } from './report.ts';
import { describeJwtgate } from './targets/jwtgate.ts';
import { algorithms, cachedTokens, mintAll } from './tokens.ts';
import { startUpstream } from './upstream.ts';

/**
 * `node bench/profile.ts [cached | fresh | forged]`: where the CPU of one request goes, by part of the program. The
 * process runs from source under V8's sampling profiler, which itself costs a few percent.
 */

const freshTokens = 60_000;
const warmMs = 4_000;
const measureMs = 6_000;
const kind = process.argv[2] ?? 'cached';
const uses = {
  cached: { kind: 'cycle', from: 0, count: cachedTokens },
  fresh: { kind: 'once', from: cachedTokens, count: freshTokens },
  forged: { kind: 'forge' },
} as const;

endChildrenOnExit();
const tokens = uses[kind as keyof typeof uses];
if (tokens === undefined) {
  process.stderr.write(`node bench/profile.ts [${Object.keys(uses).join(' | ')}]\n`);
  process.exit(64);
}
const directory = mkdtempSync(join(tmpdir(), 'jwtgate-bench-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
const profiles = join(directory, 'profiles');
mkdirSync(profiles);

const cores = planCores();
const fresh = Object.fromEntries(
  algorithms.map((name) => [name, name === 'RS256' && kind === 'fresh' ? freshTokens : 0]),
);
const credentials = await mintAll(fresh as Record<(typeof algorithms)[number], number>, directory);
const upstream = await startUpstream(directory, cores?.upstream);
const bench = { directory, cores, upstreamPort: upstream.port, credentials };
const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${profiles}`, '--cpu-prof-interval=200'];
const running = await describeJwtgate({ extraTenants: 0, nodeFlags }).start(bench);
const warm = describeCachedLoad(running, bench, 'RS256');
await measureLoad(running, { ...warm, durationMs: warmMs }, bench);
const fromUs = monotonicUs();
const { values, notes } = await measureLoad(running, { ...warm, tokens, durationMs: measureMs }, bench);
const toUs = monotonicUs();
await running.stop();

const file = readdirSync(profiles)[0];
if (file === undefined) throw new Error('the process left no profile: did it end by itself on SIGTERM?');
const profile = JSON.parse(readFileSync(join(profiles, file), 'utf8')) as CpuProfile;
const { parts, functions, busyUs } = attribute(profile, fromUs, toUs);
const perRequest = (values.cpuUs ?? 0) / busyUs;
process.stdout.write(`${formatMachine(describeMachine())}\n`);
process.stdout.write(`${kind} RS256 tokens: ${values.cpuUs?.toFixed(1)} CPU µs/req ${notes.join('; ')}\n`);
print('by part, each with what it calls outside of src', parts);
print('by function, itself alone', functions);
process.exit(0);

/** The clock that V8 stamps its samples with. */
function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function print(title: string, costs: ReadonlyMap<string, number>): void {
  const largest = [...costs].toSorted(([, a], [, b]) => b - a).slice(0, 30);
  const rows = largest.map(([name, us]) => [name, (us * perRequest).toFixed(2), ((100 * us) / busyUs).toFixed(1)]);
  process.stdout.write(`\n## ${title}\n${formatTable([['', 'µs/req', '%'], ...rows])}\n`);
}
