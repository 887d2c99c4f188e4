import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defaultLocations } from '../src/gate/locate.ts';
import { compilePathPattern } from '../src/gate/path.ts';
import {
  compileRecognition,
  type MatchAlternative,
  type RecognisableRequest,
  type TenantMatch,
} from '../src/gate/recognise.ts';
import type { UnverifiedToken } from '../src/gate/token.ts';
import { measureConfigLoads } from './config-load.ts';
import { formatTable } from './report.ts';
import { summarise } from './statistics.ts';

/** What choosing a tenant costs a request, with 10, 1,000 and 100,000 tenants to choose from. */

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const tenantCounts = [10, 1_000, 100_000] as const;

/** Distinct requests, the same for every number of tenants: their own memory must not be what makes a difference. */
const requestCount = 10_000;
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
  readonly run: () => void;
  readonly compileMs: number;
  readonly bytesPerTenant: number;
  readonly nsPerCall: number[];
}

/** Prints the cost of a choice, and of loading a config, for each number of tenants. */
export async function measureRecognition(): Promise<void> {
  const subjects = ways.flatMap((way) => tenantCounts.map((tenants) => prepare(way, tenants)));
  for (let pass = 0; pass <= passes; pass += 1) {
    for (const subject of subjects) {
      const begin = process.hrtime.bigint();
      subject.run();
      const ns = Number(process.hrtime.bigint() - begin) / callsPerPass;
      // The first pass is the compiler's.
      if (pass > 0) subject.nsPerCall.push(ns);
    }
  }
  print(subjects);
  await measureConfigLoads(tenantCounts);
}

function prepare(way: WayToMatch, tenants: number): Subject {
  const matches = Array.from({ length: tenants }, (_, i): TenantMatch => {
    return { id: `t${i}`, match: [way.matchFor(i)], locations: defaultLocations };
  });
  collectGarbage();
  const bytesBefore = process.memoryUsage().heapUsed;
  const begin = performance.now();
  const { recognise } = compileRecognition(matches);
  const compileMs = performance.now() - begin;
  collectGarbage();
  const bytesPerTenant = (process.memoryUsage().heapUsed - bytesBefore) / tenants;

  // A prime step visits tenants all over the map in an order that no prefetcher guesses.
  const tenantAt = (i: number): number => (i * 7_919) % tenants;
  const requests = Array.from({ length: requestCount }, (_, i) => requestOf(tenantAt(i)));
  const tokens = Array.from({ length: requestCount }, (_, i) => tokenOf(tenantAt(i)));
  const run = (): void => {
    for (let call = 0; call < callsPerPass; call += 1) {
      const index = call % requestCount;
      const recognition = recognise(requests[index] as RecognisableRequest, () => tokens[index] as UnverifiedToken);
      if (recognition.kind !== 'recognised') throw new Error(`${way.name}: ${recognition.kind}`);
    }
  };
  return { way: way.name, tenants, run, compileMs, bytesPerTenant, nsPerCall: [] };
}

function pathPattern(text: string) {
  const pattern = compilePathPattern(text);
  if ('problem' in pattern) throw new Error(pattern.problem);
  return pattern;
}

/** A request that names its tenant in every way a request can. */
function requestOf(tenant: number): RecognisableRequest {
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
  const rows = subjects.map(({ way, tenants, compileMs, bytesPerTenant, nsPerCall }) => {
    const spread = summarise(nsPerCall) ?? { median: 0, min: 0, max: 0 };
    return [
      way,
      tenants.toLocaleString('en'),
      `${spread.median.toFixed(0)} (${spread.min.toFixed(0)}–${spread.max.toFixed(0)})`,
      compileMs.toFixed(1),
      tenants < 1_000 ? '-' : bytesPerTenant.toFixed(0),
    ];
  });
  const head = ['matched by', 'tenants', 'ns/request', 'compile ms', 'bytes/tenant'];
  process.stdout.write(`\n## recognition: choosing a tenant\n${formatTable([head, ...rows])}\n`);
}

if (import.meta.main) await measureRecognition();
