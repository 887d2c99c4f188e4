import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countFreshTokens } from './cases/fresh-tokens.ts';
import { writeCertificate } from './certificate.ts';
import { chooseLoadProgram } from './load/run-load.ts';
import { describeMachine, planCores } from './machine.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { endChildrenOnExit } from './processes.ts';
import { measureRecognition } from './recognition.ts';
import { formatCase, formatMachine } from './report.ts';
import { chooseTargets, runRounds } from './run-rounds.ts';
import { haproxy, haproxyClaims } from './targets/haproxy.ts';
import { describeJwtgate, describeJwtgateCommand } from './targets/jwtgate.ts';
import { nginx } from './targets/nginx.ts';
import { httpProxyJose, httpxyJose } from './targets/node-peer.ts';
import type { Bench } from './targets/target.ts';
import { mintAll } from './tokens.ts';
import { startUpstream } from './upstream.ts';

/** `npm run bench`: jwtgate beside the plain alternatives, on this machine, in one run. See docs/benchmarks.md. */

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

endChildrenOnExit();
const options = parseOptions(process.argv.slice(2));
if (typeof options === 'string') {
  process.stderr.write(options);
  process.exit(64);
}
await run(options);

async function run(options: BenchOptions): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'jwtgate-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const machine = describeMachine();
  const cores = planCores();
  say(formatMachine(machine));
  if (options.cases.length === 0) return measureRecognition();
  say(cores === undefined ? 'no pinning: taskset is missing or there is one core' : formatCores(cores));
  say(`load by ${chooseLoadProgram()}; jwtgate is ${describeJwtgateCommand()}\nminting tokens …`);

  const credentials = await mintAll(countFreshTokens(options.effort, options.cases), directory);
  const upstream = await startUpstream(directory, cores?.upstream);
  const certificate = writeCertificate(directory);
  const bench: Bench = { directory, cores, upstreamPort: upstream.port, certificate, credentials };
  say(`upstream: ${upstream.program}, 1 KiB answers. Targets:`);
  const jwtgate = describeJwtgate({ extraTenants: options.extraTenants, nodeFlags: [] });
  const all = [jwtgate, httpProxyJose, httpxyJose, haproxy, haproxyClaims, nginx];
  const wanted = all.filter((target) => options.targets.includes(target.name));
  const targets = await chooseTargets(wanted, bench, say);

  const results = await runRounds(targets, options, bench, say);
  await upstream.stop();
  for (const benchCase of options.cases) say(formatCase(benchCase, results));
  if (options.recognition) await measureRecognition();
  if (options.jsonFile !== undefined) {
    writeFileSync(
      options.jsonFile,
      `${JSON.stringify({ machine, rounds: options.rounds, effort: options.effort, results }, undefined, 2)}\n`,
    );
  }
  process.exit(0);
}

function formatCores({ proxy, upstream, load }: NonNullable<ReturnType<typeof planCores>>): string {
  return `pinned: proxy on core ${proxy}, upstream on ${upstream}, load on ${load}`;
}
