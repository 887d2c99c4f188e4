import { Writable } from 'node:stream';
import { createGate } from '../src/gate/create-gate.ts';
import type { Allowed } from '../src/gate/decision.ts';
import type { Outcome, RequestBody } from '../src/gate/gate.ts';
import { judgedNames, upstreamHeaders } from '../src/gate/headers.ts';
import { emitIdentityHeaders } from '../src/gate/identity-headers.ts';
import { parseTarget } from '../src/gate/path.ts';
import type { Policy, Tenant } from '../src/gate/policy.ts';
import type { RequestHead } from '../src/gate/request-head.ts';
import { type JsonObject, parseToken } from '../src/gate/token.ts';
import { importPem } from '../src/keys/import-pem.ts';
import { createKeyRing, staticKeys } from '../src/keys/key-ring.ts';
import { accessLine } from '../src/ops/access-log.ts';
import { createLineWriter } from '../src/ops/line-writer.ts';
import { countOutcome, zeroTraffic } from '../src/ops/traffic.ts';
import { createVerdictCache } from '../src/state/verdict-cache.ts';
import { identityHeader, pathPattern, secretOf, testPolicy } from '../test/support/policy.ts';
import { mintEdDsa, mintHs256, mintRs256, newEd25519Key, newRsaKey } from '../test/support/tokens.ts';
import { formatTable } from './report.ts';
import { summarise } from './statistics.ts';

/** `node bench/gate-cost.ts`: what the gate, the log and the metrics cost a request, without sockets. */

const passes = 7;
const users = 256;
const freshCount = 4_000;
const nowMs = Date.now();

const rsa = newRsaKey();
const ed = newEd25519Key();
const claimsOf = (user: number): JsonObject => ({
  name: `User Number ${user}`,
  email: `user-${user}@bench.example`,
  roles: ['reader', 'editor'],
  scope: 'accounts.read accounts.write',
  iss: 'https://id.bench.example/',
  aud: 'bench',
  sub: `user-${user}`,
  iat: Math.floor(nowMs / 1000),
  exp: Math.floor(nowMs / 1000) + 86_400,
});

const policy: Policy = testPolicy({
  hs256: { match: [{ path: pathPattern('/hs256/**') }], ...shared() },
  rs256: { match: [{ path: pathPattern('/rs256/**') }], ...shared(), ...(await keysOf('RS256', rsa.publicPem)) },
  eddsa: { match: [{ path: pathPattern('/eddsa/**') }], ...shared(), ...(await keysOf('EdDSA', ed.publicPem)) },
});

const mints = {
  hs256: (user: number) => mintHs256(secretOf('hs256'), { claims: claimsOf(user) }),
  rs256: (user: number) => mintRs256(rsa.privateKey, { claims: claimsOf(user) }),
  eddsa: (user: number) => mintEdDsa(ed.privateKey, { claims: claimsOf(user) }),
} as const;

const pools = Object.fromEntries(
  Object.entries(mints).map(([name, mint]) => [
    name,
    Array.from({ length: freshCount }, (_, i) => Buffer.from(mint(i))),
  ]),
) as Record<keyof typeof mints, Buffer[]>;

const traffic = zeroTraffic();
const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
const writer = createLineWriter(sink);
const writeNothing = () => {};
const gateWith = (entries: number) =>
  createGate({
    policy,
    verdicts: createVerdictCache({ entries, bytes: 64 * 2 ** 20 }),
    now: () => nowMs,
    newRequestId: () => 'req-1',
    onFinish: writeNothing,
  });

const noBody: RequestBody = { read: async () => ({ kind: 'read', bytes: new Uint8Array() }) };
const cached = gateWith(10_000);
const uncached = gateWith(0);
const allowed = (await uncached.decide(headOf('rs256', 0), noBody)) as Allowed;
if (allowed.kind !== 'allowed') throw new Error(JSON.stringify(allowed));
const outcome: Outcome = {
  head: headOf('rs256', 0),
  decision: allowed,
  lane: 'node',
  status: 200,
  requestBytes: 0,
  responseBytes: 1024,
  durationMs: 1.234,
  upstreamMs: 0.987,
  end: 'complete',
};

interface Part {
  readonly name: string;
  readonly calls: number;
  readonly run: (call: number) => unknown;
}

const head = headOf('rs256', 1);
const tenant = policy.tenants.get('rs256') as Tenant;
const identity = allowed.headers.slice(-6);
const judged = judgedNames(['Authorization']);
const parts: readonly Part[] = [
  {
    name: 'making the request head (not part of the rest)',
    calls: 100_000,
    run: (call) => headOf('rs256', call % users),
  },
  {
    name: 'decide, RS256 seen before',
    calls: 100_000,
    run: (call) => cached.decide(headOf('rs256', call % users), noBody),
  },
  {
    name: 'decide, HS256 never seen',
    calls: freshCount,
    run: (call) => uncached.decide(headOf('hs256', call), noBody),
  },
  {
    name: 'decide, RS256 never seen',
    calls: freshCount,
    run: (call) => uncached.decide(headOf('rs256', call), noBody),
  },
  {
    name: 'decide, EdDSA never seen',
    calls: freshCount,
    run: (call) => uncached.decide(headOf('eddsa', call), noBody),
  },
  { name: '  parse target', calls: 100_000, run: () => parseTarget(head.target) },
  { name: '  parse token', calls: 20_000, run: (call) => parseToken(tokenOf('rs256', call % users), 8_192) },
  {
    name: '  identity headers',
    calls: 100_000,
    run: (call) =>
      emitIdentityHeaders(tenant.identityHeaders, {
        claims: claims[call % users] as JsonObject,
        captures: new Map(),
        requestId: 'req-1',
      }),
  },
  {
    name: '  header list for the upstream',
    calls: 100_000,
    run: () =>
      upstreamHeaders(head, {
        reservedNames: policy.reservedNames,
        judgedNames: judged,
        fromTrustedProxy: false,
        upstream: tenant.upstream,
        stripped: [],
        identity,
      }),
  },
  { name: 'access log line', calls: 100_000, run: () => writer.write(accessLine(outcome, '127.0.0.1', 'json', nowMs)) },
  { name: 'metrics', calls: 100_000, run: () => countOutcome(traffic, outcome) },
];
const claims = Array.from({ length: users }, (_, i) => claimsOf(i));

const costs = new Map<string, number[]>(parts.map(({ name }) => [name, []]));
for (let pass = 0; pass <= passes; pass += 1) {
  for (const { name, calls, run } of parts) {
    const begin = process.cpuUsage();
    for (let call = 0; call < calls; call += 1) {
      const made = run(call);
      if (made instanceof Promise) await made;
    }
    const { user, system } = process.cpuUsage(begin);
    if (pass > 0) costs.get(name)?.push((user + system) / calls);
  }
}
const rows = [...costs].map(([name, values]) => {
  const { median = 0, min = 0, max = 0 } = summarise(values) ?? {};
  return [name, median.toFixed(2), min.toFixed(2), max.toFixed(2)];
});
process.stdout.write(`\n## what the gate costs a request\n${formatTable([['', 'CPU µs', 'min', 'max'], ...rows])}\n`);
process.exit(0);

function shared() {
  return {
    checks: {
      requireExp: true,
      clockSkewS: 5,
      maxAgeS: undefined,
      issuers: ['https://id.bench.example/'],
      subjects: undefined,
      audiences: ['bench'],
      types: undefined,
    },
    identityHeaders: [
      identityHeader('X-Jwt-Tenant', 'bench'),
      identityHeader('X-Jwt-Subject', '$' + '{claims.sub}'),
      identityHeader('X-User-Email', '$' + '{claims.email}'),
    ],
  };
}

async function keysOf(algorithm: string, pem: string) {
  const accepted = new Set([algorithm]);
  const key = await importPem(pem, {}, accepted);
  if (!('verify' in key)) throw new Error('no key');
  return { algorithms: accepted, keys: createKeyRing([staticKeys([key])], { algorithms: accepted, kid: 'auto' }) };
}

/** A new string each time, as off a socket: nothing about it, such as its hash, was worked out before. */
function tokenOf(tenantId: keyof typeof mints, user: number): string {
  return (pools[tenantId][user] as Buffer).toString('latin1');
}

function headOf(tenantId: keyof typeof mints, user: number): RequestHead {
  return {
    id: 'req-1',
    method: 'GET',
    target: `/${tenantId}/accounts/17/items`,
    httpVersion: '1.1',
    headers: [
      'Host',
      'bench.example',
      'User-Agent',
      'bench/1',
      'Accept',
      '*/*',
      'X-Request-Source',
      'bench',
      'Authorization',
      `Bearer ${tokenOf(tenantId, user)}`,
    ],
    scheme: 'http',
    peer: '127.0.0.1',
  };
}
