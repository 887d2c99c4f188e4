/**
 * What one token costs where no cache helps, and where one does: `node --expose-gc bench/verify.ts`. Figures of one run
 * stand in docs/decisions/signature-checks.md.
 */
import { compactVerify, exportJWK, generateKeyPair, generateSecret, type JWK, SignJWT } from 'jose';
import { parseStrictJson } from '../src/gate/strict-json.ts';
import { parseToken, type UnverifiedToken } from '../src/gate/token.ts';
import { verifySignature } from '../src/gate/verify.ts';
import { importJwk } from '../src/keys/import-jwk.ts';
import { isKeyProblem } from '../src/keys/key-problem.ts';
import { createKeyRing, staticKeys } from '../src/keys/key-ring.ts';
import { createVerdictCache, type VerdictCache } from '../src/state/verdict-cache.ts';

const claims = {
  iss: 'https://id.globex.example/',
  sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
  aud: ['api', 'https://globex.example/userinfo'],
  scope: 'openid profile email accounts',
  user: { id: '42', accountId: '4711', email: 'jane@globex.example', roles: ['admin', 'editor'] },
  jti: '6a1b1c9e-8b8e-4a3b-9f0e-2f1f0e8b7c6d',
  exp: 4_000_000_000,
};

const cases: [algorithm: string, rsaBits?: number][] = [
  ...(['HS256', 'HS512', 'RS256', 'PS256'] as const).map((name): [string] => [name]),
  ['RS256', 4096],
  ['RS256', 8192],
  ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const).map((name): [string] => [
    name,
  ]),
];

interface Cost {
  /** CPU of the thread that serves everybody, and of the process, in µs a call. */
  readonly main: number;
  readonly all: number;
}

/** Median of five rounds, each long enough for the clock. */
async function cost(call: () => unknown): Promise<Cost> {
  const rounds: Cost[] = [];
  let calls = 1;
  for (let took = 0; took < 20; calls *= 2) took = await timed(call, calls);
  for (let round = 0; round < 5; round++) {
    const main = process.threadCpuUsage();
    const all = process.cpuUsage();
    await timed(call, calls);
    const perCall = ({ user, system }: NodeJS.CpuUsage) => (user + system) / calls;
    rounds.push({ main: perCall(process.threadCpuUsage(main)), all: perCall(process.cpuUsage(all)) });
  }
  const median = (pick: (one: Cost) => number) => rounds.map(pick).sort((a, b) => a - b)[2] as number;
  return { main: median(({ main }) => main), all: median(({ all }) => all) };
}

async function timed(call: () => unknown, calls: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    const result = call();
    if (result instanceof Promise) await result;
  }
  return performance.now() - start;
}

function print(...columns: (string | number)[]): void {
  const [first, ...rest] = columns.map((value) => (typeof value === 'number' ? value.toFixed(1) : value));
  console.log(`${String(first).padEnd(26)}${rest.map((text) => String(text).padStart(12)).join('')}`);
}

async function prepare(algorithm: string, rsaBits = 2048) {
  const options = { extractable: true, modulusLength: rsaBits };
  const pair = algorithm.startsWith('HS') ? undefined : await generateKeyPair(algorithm, options);
  const secret = pair === undefined ? await generateSecret(algorithm, { extractable: true }) : undefined;
  const signingKey = pair?.privateKey ?? secret;
  const verifyingKey = pair?.publicKey ?? secret;
  if (signingKey === undefined || verifyingKey === undefined) throw new Error(algorithm);
  const jwk: JWK = { ...(await exportJWK(verifyingKey)), alg: algorithm, kid: 'k' };
  const accepted = new Set([algorithm]);
  const key = await importJwk(jwk, { allowSecret: true }, accepted);
  if (isKeyProblem(key)) throw new Error(key.detail);
  const tenant = {
    algorithms: accepted,
    fingerprint: 'f',
    checks: { clockSkewS: 5 },
    keys: createKeyRing([staticKeys([key])], { algorithms: accepted, kid: 'auto' }),
  };
  const raw = await new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: 'JWT', kid: 'k' }).sign(signingKey);
  return { raw, tenant, verifyingKey };
}

function parsed(raw: string): UnverifiedToken {
  const token = parseToken(raw, 16_384);
  if (token.kind === 'malformed') throw new Error(token.detail);
  return token;
}

/** As a request brings it: a new string, whose hash is not known yet. */
const fresh = (raw: string) => Buffer.from(raw, 'latin1').toString('latin1');

const off = createVerdictCache({ entries: 0, bytes: 0 });
const nowMs = Date.now();

console.log('One never-seen token: parse, find key, check signature. CPU, µs.\n');
print('', 'main thread', 'process', 'jose: main', 'process');
for (const [algorithm, rsaBits] of cases) {
  const { raw, tenant, verifyingKey } = await prepare(algorithm, rsaBits);
  const ours = await cost(() => verifySignature(parsed(fresh(raw)), tenant, off, nowMs));
  const joses = await cost(() => compactVerify(raw, verifyingKey));
  print(
    rsaBits === undefined ? algorithm : `${algorithm}, ${rsaBits} bits`,
    ours.main,
    ours.all,
    joses.main,
    joses.all,
  );
}

const { raw, tenant } = await prepare('RS256');
const payload = Buffer.from(raw.split('.')[1] as string, 'base64url');
const cache: VerdictCache = createVerdictCache({ entries: 10_000, bytes: 32 * 1024 * 1024 });
// What comes the second time is kept.
for (const _ of ['first', 'second']) await verifySignature(parsed(raw), tenant, cache, nowMs);
const bad = `${raw.slice(0, -8)}AAAAAAAA`;
for (const _ of ['first', 'second']) await verifySignature(parsed(bad), tenant, cache, nowMs);
let unseen = 0;
const signature = raw.slice(raw.lastIndexOf('.'));
// It begins with a zero byte, so that it is below the modulus: above it a check is over at once.
const unseenBad = () => `${raw.slice(0, -signature.length)}.A${String(unseen++).padStart(7, '0')}${signature.slice(9)}`;

console.log(`\nParts, for a token of ${raw.length} bytes (RS256). CPU of the main thread, µs.\n`);
const parts: [string, () => unknown][] = [
  ['parse the token', () => parsed(fresh(raw))],
  ['its payload as strict JSON', () => parseStrictJson(payload)],
  ['(JSON.parse alone)', () => JSON.parse(payload.toString())],
  [
    'verdict from the cache',
    () => {
      const again = fresh(raw);
      return verifySignature(cache.find(again) as UnverifiedToken, tenant, cache, nowMs);
    },
  ],
  ['same bad token once more', () => verifySignature(parsed(fresh(bad)), tenant, cache, nowMs)],
  ['a new bad token each time', () => verifySignature(parsed(unseenBad()), tenant, cache, nowMs)],
];
for (const [name, call] of parts) print(name, (await cost(call)).main);

/** Nothing of a kept token lies outside the heap. */
function heapBytes(collect: () => void): number {
  for (let i = 0; i < 3; i++) collect();
  return process.memoryUsage().heapUsed;
}

function fill(cache: VerdictCache, count: number, make: (i: number) => unknown): number {
  const header = raw.slice(0, raw.indexOf('.'));
  let text = 0;
  for (let i = 0; i < count; i++) {
    const payload = Buffer.from(JSON.stringify(make(i))).toString('base64url');
    // Tokens with one end share a place in the cache.
    const ending = `${signature.slice(0, -16)}${String(i).padStart(12, '0')}${signature.slice(-4)}`;
    const token = parsed(`${header}.${payload}${ending}`);
    const { unverifiedHeader, unverifiedClaims, algorithm, kid } = token;
    const verified = { raw: token.raw, header: unverifiedHeader, claims: unverifiedClaims, algorithm, kid } as never;
    cache.insert(token, { fingerprint: 'f', token: verified, isLive: () => true, expiresAtMs: 1e15 });
    text += token.raw.length;
  }
  return text / count;
}

const wide = (of: (i: number) => unknown) => (i: number) => ({ i, values: Array.from({ length: 1000 }, () => of(i)) });
const shapes: [string, (i: number) => unknown][] = [
  ['small', (i) => ({ sub: `user-${i}`, exp: claims.exp })],
  ['as above', (i) => ({ ...claims, sub: `${claims.sub}${i}` })],
  ['100 names of its own', (i) => Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`claim-${i}-${n}`, n]))],
  ['1,000 empty objects', wide(() => ({}))],
  ['1,000 numbers', wide((i) => i)],
  ['one long string', (i) => ({ i, text: 'x'.repeat(5000) })],
];
const collectGarbage = (globalThis as { gc?: () => void }).gc;
if (collectGarbage === undefined) console.log('\nMemory is measured with --expose-gc only.');
else {
  console.log('\nHeap of one cached token, bytes.\n');
  print('', 'text', 'measured', 'estimated');
  const count = 2000;
  // All stay alive to the end, so that none is collected while another is measured.
  const caches = shapes.map(() => createVerdictCache({ entries: count, bytes: 1024 ** 3 }));
  for (const [index, [name, make]] of shapes.entries()) {
    const filled = caches[index] as VerdictCache;
    const before = heapBytes(collectGarbage);
    const text = fill(filled, count, make);
    const measured = (heapBytes(collectGarbage) - before) / count;
    print(name, ...[text, measured, filled.stats().bytes / count].map((bytes) => bytes.toFixed(0)));
  }
}
