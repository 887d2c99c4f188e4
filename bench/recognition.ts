import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defaultLocations } from '../src/gate/locate.ts';
import { compilePathPattern } from '../src/gate/path.ts';
import { compileRecognition, type MatchAlternative, type TenantMatch } from '../src/gate/recognise.ts';
import type { UnverifiedToken } from '../src/gate/token.ts';
import { inOneGo } from '../test/support/in-one-go.ts';
import { measureConfigLoads } from './config-load.ts';
import { formatTable } from './report.ts';
import { summarise } from './statistics.ts';

/** What choosing a tenant costs a request, with 10, 1,000 and 100,000 tenants to choose from. */

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const tenantCounts = [10, 1_000, 100_000] as const;

/** In the second column every tenant is asked in turn, so that its part of the map is never in the CPU's cache. */
const fewActive = 10;
const callsPerPass = 200_000;
const passes = 5;

interface WayToMatch {
  readonly name: string;
  readonly matchFor: (tenant: number) => MatchAlternative;
}

/** One per kind of look-up; the last is what a config with all of them at once costs. */
const ways: readonly WayToMatch[] = [
  { name: 'path /t17/**', matchFor: (tenant) => ({ path: pathPattern(`/t${tenant}/**`) }) },
  { name: 'host t17.example', matchFor: (tenant) => ({ host: `t${tenant}.example` }) },
  { name: 'header X-App: t17', matchFor: (tenant) => ({ header: { 'x-app': `t${tenant}` } }) },
  { name: 'query app=t17', matchFor: (tenant) => ({ query: { app: `t${tenant}` } }) },
  { name: 'kid', matchFor: (tenant) => ({ kid: `t${tenant}` }) },
  { name: 'issuer', matchFor: (tenant) => ({ issuer: `https://t${tenant}.example/` }) },
];

interface Subject {
  readonly way: string;
  readonly tenants: number;
  /** Chooses for requests of the first so many tenants in turn. */
  readonly run: (active: number) => void;
  readonly compileMs: number;
  readonly bytesPerTenant: number;
  readonly nsFewActive: number[];
  readonly nsAllActive: number[];
}

/** Prints the cost of a choice, and of loading a config, for each number of tenants. */
export async function measureRecognition(): Promise<void> {
  const subjects = ways.flatMap((way) => tenantCounts.map((tenants) => prepare(way, tenants)));
  for (let pass = 0; pass <= passes; pass += 1) {
    for (const subject of subjects) {
      const few = timeCalls(() => subject.run(fewActive));
      const all = timeCalls(() => subject.run(subject.tenants));
      // The first pass is the compiler's.
      if (pass === 0) continue;
      subject.nsFewActive.push(few);
      subject.nsAllActive.push(all);
    }
  }
  print(subjects);
  await measureConfigLoads(tenantCounts);
}

function timeCalls(run: () => void): number {
  const begin = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - begin) / callsPerPass;
}

function prepare(way: WayToMatch, tenants: number): Subject {
  const matches = Array.from({ length: tenants }, (_, i): TenantMatch => {
    return { id: `t${i}`, match: [way.matchFor(i)], locations: defaultLocations };
  });
  collectGarbage();
  const bytesBefore = process.memoryUsage().heapUsed;
  const begin = performance.now();
  const { recognise } = inOneGo(compileRecognition(matches));
  const compileMs = performance.now() - begin;
  collectGarbage();
  const bytesPerTenant = (process.memoryUsage().heapUsed - bytesBefore) / tenants;

  const run = (active: number): void => {
    for (let call = 0; call < callsPerPass; call += 1) {
      // A prime step visits tenants all over the map, in an order that no prefetcher guesses.
      const tenant = (call * 7_919) % active;
      const recognition = recognise(requestOf(tenant), () => tokenOf(tenant));
      if (recognition.kind !== 'recognised') throw new Error(`${way.name}: ${recognition.kind}`);
    }
  };
  return { way: way.name, tenants, run, compileMs, bytesPerTenant, nsFewActive: [], nsAllActive: [] };
}

function pathPattern(text: string) {
  const pattern = compilePathPattern(text);
  if ('problem' in pattern) throw new Error(pattern.problem);
  return pattern;
}

/** A request that names its tenant in every way a request can; new each time, as off a socket, and part of the cost. */
function requestOf(tenant: number) {
  const name = `t${tenant}`;
  return {
    head: { headers: ['Host', `${name}.example`, 'Accept', '*/*', 'X-App', name, 'Authorization', 'Bearer a.b.c'] },
    segments: [name, 'accounts', '17'],
    query: `page=2&app=${name}`,
    host: `${name}.example`,
  };
}

/** Parsing is not measured here: a token that was seen before is not parsed again. */
function tokenOf(tenant: number): UnverifiedToken {
  return {
    kind: 'unverified',
    raw: 'a.b.c',
    unverifiedHeader: { alg: 'HS256', kid: `t${tenant}` },
    unverifiedClaims: { iss: `https://t${tenant}.example/`, sub: 'user-1' },
    algorithm: 'HS256',
    kid: `t${tenant}`,
    signingInput: 'a.b',
    signature: new Uint8Array(32),
  };
}

function print(subjects: readonly Subject[]): void {
  const rows = subjects.map(({ way, tenants, compileMs, bytesPerTenant, nsFewActive, nsAllActive }) => [
    way,
    tenants.toLocaleString('en'),
    formatNs(nsFewActive),
    formatNs(nsAllActive),
    compileMs.toFixed(1),
    tenants < 1_000 ? '-' : bytesPerTenant.toFixed(0),
  ]);
  const head = ['matched by', 'tenants', 'ns, 10 of them active', 'ns, all active', 'compile ms', 'bytes/tenant'];
  process.stdout.write(`\n## recognition: choosing a tenant\n${formatTable([head, ...rows])}\n`);
}

function formatNs(values: readonly number[]): string {
  const { median = 0, min = 0, max = 0 } = summarise(values) ?? {};
  return `${median.toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)})`;
}

if (import.meta.main) await measureRecognition();
