import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CompactSign } from 'jose';
import { isKeyProblem } from '../src/keys/key-problem.ts';
import { compileSigner } from '../src/sign/compile-signer.ts';
import type { SigningValues } from '../src/sign/json-template.ts';
import { importSigningKey, type SigningKeySpec } from '../src/sign/signing-key.ts';
import { createSigningKeys } from '../src/sign/signing-keys.ts';
import { createTokenCache } from '../src/sign/token-cache.ts';
import { summarise } from './statistics.ts';

/** `node bench/signing.ts`: what a minted token costs with a `jti`, where it is used again, and with jose. */

const rounds = 5;
const roundMs = 200;

const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString();
const rsa = (modulusLength: number) => pem(generateKeyPairSync('rsa', { modulusLength }).privateKey);
const ec = (namedCurve: string) => pem(generateKeyPairSync('ec', { namedCurve }).privateKey);
const secret = Buffer.alloc(64, 7);

const cases: readonly (SigningKeySpec & { readonly name: string })[] = [
  { name: 'HS256', algorithm: 'HS256', secret },
  { name: 'RS256, 2048 bits', algorithm: 'RS256', privateKey: rsa(2048) },
  { name: 'RS256, 3072 bits', algorithm: 'RS256', privateKey: rsa(3072) },
  { name: 'RS256, 4096 bits', algorithm: 'RS256', privateKey: rsa(4096) },
  { name: 'PS256, 2048 bits', algorithm: 'PS256', privateKey: rsa(2048) },
  { name: 'ES256', algorithm: 'ES256', privateKey: ec('P-256') },
  { name: 'ES384', algorithm: 'ES384', privateKey: ec('P-384') },
  { name: 'ES512', algorithm: 'ES512', privateKey: ec('P-521') },
  { name: 'EdDSA', algorithm: 'EdDSA', privateKey: pem(generateKeyPairSync('ed25519').privateKey) },
];

interface Cost {
  readonly cpuUs: number;
  readonly wallUs: number;
}

/** Median of the rounds; CPU is all threads of the process. */
async function measure(once: () => unknown): Promise<Cost> {
  const costs: Cost[] = [];
  for (let round = -1; round < rounds; round++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < roundMs) {
      const made = once();
      if (made instanceof Promise) await made;
      count++;
    }
    const { user, system } = process.cpuUsage(cpu);
    if (round >= 0)
      costs.push({ cpuUs: (user + system) / count, wallUs: ((performance.now() - start) * 1000) / count });
  }
  const median = (of: (cost: Cost) => number) => summarise(costs.map(of))?.median ?? Number.NaN;
  return { cpuUs: median(({ cpuUs }) => cpuUs), wallUs: median(({ wallUs }) => wallUs) };
}

const values: SigningValues = {
  claims: { sub: 'user-4711', role: 'admin' },
  captures: new Map(),
  requestId: 'r-1',
  tenant: 'acme',
};
const payload = { iss: 'jwtgate', aud: 'legacy-api', sub: '${claims.sub}', role: '${claims.role}' };

console.log('µs a token, CPU (wall); medians of', rounds, 'rounds');
for (const { name, ...spec } of cases) {
  const key = await importSigningKey(spec);
  if (isKeyProblem(key)) throw new Error(key.detail);
  const deps = { keys: createSigningKeys(), tokens: createTokenCache() };
  const signer = (more: object) => {
    const plan = { slot: 's', key, publishBeforeMs: 0, header: {}, payload: { ...payload, ...more } };
    const compiled = compileSigner(plan, deps);
    if ('problems' in compiled) throw new Error(JSON.stringify(compiled.problems));
    return compiled;
  };
  const [fresh, reused] = [signer({ jti: 'uuid' }), signer({})];
  const joseKey = spec.secret ?? createPrivateKey(spec.privateKey as string);
  const header = { typ: 'JWT', alg: spec.algorithm, kid: 'k' };
  const byJose = () => {
    const text = JSON.stringify({ ...payload, jti: crypto.randomUUID(), iat: Math.floor(Date.now() / 1000) });
    return new CompactSign(Buffer.from(text)).setProtectedHeader(header).sign(joseKey);
  };
  const columns = [
    ['jwtgate', await measure(() => fresh.sign(values, Date.now()))],
    ['used again', await measure(() => reused.sign(values, Date.now()))],
    ['jose', await measure(byJose)],
  ] as const;
  const shown = columns.map(([who, { cpuUs, wallUs }]) => `${who} ${cpuUs.toFixed(1)} (${wallUs.toFixed(1)})`);
  console.log(name.padEnd(18), shown.join('   '));
}
