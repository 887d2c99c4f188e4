import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type JwksServer, jwksServer } from '../support/jwks-server.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { keyPair } from '../support/key-pairs.ts';
import type { RunningGate } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { askGate, type LegacyService, runExample, type SeenRequest, startLegacyService } from '../support/system.ts';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';

/* The service behind verifies its assertions with jose, against the key set on the ops listener. */

const acmeSecret = 'acme-secret-of-more-than-32-bytes!!';
const globexKey = keyPair('ES256', 'globex-1');
const exp = Math.floor(Date.now() / 1000) + 3600;
const acmeIssuer = 'https://id.acme.example';
const tokenOf = (claims: object = {}) =>
  `Bearer ${mintHs256(acmeSecret, { claims: { iss: acmeIssuer, sub: 'u1', exp, ...claims } })}`;

let service: LegacyService;
let provider: JwksServer;
let gate: Started;
beforeAll(async () => {
  service = await startLegacyService();
  provider = await jwksServer([globexKey.jwk]);
  gate = await start();
});
afterAll(async () => {
  await endAll();
  await service.close();
  await provider[Symbol.asyncDispose]();
});
beforeEach(() => {
  service.seen.length = 0;
});

type Started = RunningGate & { readonly keyPath: string };

async function start(change: (text: string) => string = (text) => text): Promise<Started> {
  const keyPath = join(newFolder(), 'assertion-key.pem');
  writeFileSync(keyPath, keyPair('ES256').privatePem, { mode: 0o600 });
  const withFiles = (text: string) =>
    change(text)
      .replace('/run/secrets/assertion-key.pem', keyPath)
      .replace('https://id.globex.example/.well-known/jwks.json', provider.url)
      .replace(/^ops: .*\n/m, '');
  return { ...(await runExample('assertion', service.port, withFiles, { env: { ACME_SECRET: acmeSecret } })), keyPath };
}

function ask(tenant: string, path: string, headers: Record<string, string>, to: RunningGate = gate) {
  return askGate(to, path, { headers: { host: `${tenant}.shop.example`, ...headers } });
}

const lastSeen = () => service.seen.at(-1) as SeenRequest;
const assertionOf = ({ headers }: SeenRequest) => headers['x-internal-assertion'];

async function keySet({ ops }: RunningGate): Promise<JSONWebKeySet> {
  return JSON.parse((await ops('/.well-known/jwks.json')).body);
}

async function verified(assertion: unknown, set: JSONWebKeySet) {
  const expected = { issuer: 'jwtgate', audience: 'legacy-service', typ: 'assertion+jwt', algorithms: ['ES256'] };
  return (await jwtVerify(String(assertion), createLocalJWKSet(set), expected)).payload;
}

describe('the assertion', () => {
  it('is made from the verified claims, and verifies against the published key', async () => {
    const claims = { roles: ['admin', 'editor'], user: { email: 'u1@acme.example' }, secret: 'not passed on' };
    expect((await ask('acme', '/orders', { authorization: tokenOf(claims) })).status).toBe(200);
    const payload = await verified(assertionOf(lastSeen()), await keySet(gate));
    const { iat, exp: expiry, ...rest } = payload;
    expect(rest).toEqual({
      iss: 'jwtgate',
      aud: 'legacy-service',
      sub: 'u1',
      tenant: 'acme',
      roles: ['admin', 'editor'],
      email: 'u1@acme.example',
    });
    expect((expiry as number) - (iat as number)).toBe(60);
    expect(lastSeen().headers).not.toHaveProperty('authorization');
  });

  it('keeps the users of two tenants apart, and leaves out what a token does not say', async () => {
    const claims = { iss: 'https://id.globex.example', aud: 'legacy-service', sub: 'u1', exp };
    await ask('globex', '/orders', { authorization: `Bearer ${globexKey.sign(claims)}` });
    const payload = await verified(assertionOf(lastSeen()), await keySet(gate));
    expect(payload).toMatchObject({ sub: 'u1', tenant: 'globex' });
    expect(payload).not.toHaveProperty('roles');
    expect(payload).not.toHaveProperty('email');
  });

  it('is published without the private key', async () => {
    const [key, ...others] = (await keySet(gate)).keys;
    expect(others).toEqual([]);
    expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' });
    expect(key).not.toHaveProperty('d');
  });
});

describe('the service never sees an assertion that a client made', () => {
  const forged = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"root"}').toString('base64url')}.`;
  const spellings = [
    'X-Internal-Assertion',
    'x-internal-assertion',
    'X_Internal_Assertion',
    'x_internal-assertion',
    'X.Internal.Assertion',
    'X-Internal_Assertion',
    "X'Internal~Assertion",
  ];
  const looksLikeOurs = (name: string) => /^x.internal.assertion$/i.test(name);

  it('on an optional route without a token: there is none at all', async () => {
    for (const name of spellings) {
      expect((await ask('acme', '/catalogue/1', { [name]: forged })).status).toBe(200);
      expect(Object.keys(lastSeen().headers).filter(looksLikeOurs)).toEqual([]);
    }
  });

  it('nor with a good token: there is ours alone', async () => {
    for (const name of spellings) {
      await ask('acme', '/orders', { authorization: tokenOf(), [name]: forged });
      expect(Object.keys(lastSeen().headers).filter(looksLikeOurs)).toEqual(['x-internal-assertion']);
      expect(assertionOf(lastSeen())).not.toContain(forged);
      await verified(assertionOf(lastSeen()), await keySet(gate));
    }
  });

  it('nor can Connection take ours away', async () => {
    await ask('acme', '/orders', { authorization: tokenOf(), connection: 'X-Internal-Assertion, close' });
    await verified(assertionOf(lastSeen()), await keySet(gate));
  });

  it('nor does one come in a trailer', async () => {
    await new Promise<void>((resolve, reject) => {
      const headers = { host: 'acme.shop.example', trailer: 'X-Internal-Assertion', 'transfer-encoding': 'chunked' };
      const options = { host: '127.0.0.1', port: gate.proxyPort, path: '/catalogue/1', method: 'POST', headers };
      const outgoing = request({ ...options, agent: false }, (response) => response.resume().on('end', resolve));
      outgoing.on('error', reject);
      outgoing.write('x');
      outgoing.addTrailers({ 'X-Internal-Assertion': forged });
      outgoing.end();
    });
    expect(JSON.stringify(service.seen)).not.toContain(forged);
  });

  it('and a bad token on an optional route is refused, not made anonymous', async () => {
    expect((await ask('acme', '/catalogue/1', { authorization: `${tokenOf()}x` })).status).toBe(401);
    expect(service.seen).toEqual([]);
  });
});

/** Keeps a key set for as long as its answer allows, as a service would, and never asks before that for an unknown kid. */
function patientVerifier(opsPort: number) {
  let set: JSONWebKeySet = { keys: [] };
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let maxAgeMs = 0;
  return async (assertion: unknown): Promise<string> => {
    if (performance.now() >= fetchedAtMs + maxAgeMs) {
      // An answer is at least as old as the question (RFC 9111 section 4.2.3), however long it was on its way.
      fetchedAtMs = performance.now();
      const response = await fetch(`http://127.0.0.1:${opsPort}/.well-known/jwks.json`);
      maxAgeMs = Number(/max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1]) * 1000;
      expect(maxAgeMs).toBeGreaterThan(0);
      set = (await response.json()) as JSONWebKeySet;
    }
    await verified(assertion, set);
    return decodeProtectedHeader(String(assertion)).kid ?? '';
  };
}

describe('a key that is replaced under traffic', () => {
  it('is known to every service before it signs, and the old one as long as its tokens live', async () => {
    const quick = await start(
      (text) =>
        `log: {access: false}\n${text.replace('60s', '20s').replace('publishBefore: 10m', 'publishBefore: 6s')}`,
    );
    const kids = async () => (await keySet(quick)).keys.map(({ kid }) => kid ?? '');
    const [oldKid = ''] = await kids();
    const verify = patientVerifier(quick.opsPort);
    const signedBy = new Map<string, { count: number; firstAtMs: number }>();
    let last = '';
    let failure: unknown;
    let running = true;
    const traffic = (async () => {
      for (let i = 0; running; i++) {
        const authorization = tokenOf({ sub: `u${i % 5}` });
        const { status } = await ask('acme', '/orders', { authorization }, quick);
        if (status !== 200) throw new Error(`status ${status}`);
        last = await verify(assertionOf(lastSeen()));
        const entry = signedBy.get(last) ?? { count: 0, firstAtMs: performance.now() };
        entry.count++;
        signedBy.set(last, entry);
      }
    })().catch((error: unknown) => {
      failure = error;
    });

    await until('the old key signs', () => failure !== undefined || last === oldKid);
    const rotatedAtMs = performance.now();
    await rotate(quick, keyPair('ES256').privatePem);
    const [first = '', second = '', ...others] = await kids();
    expect([first, others]).toEqual([oldKid, []]);
    expect(last).toBe(oldKid);
    await until('the new key signs', () => failure !== undefined || last === second);
    expect(failure).toBeUndefined();
    expect((signedBy.get(second)?.firstAtMs ?? 0) - rotatedAtMs).toBeGreaterThan(5_900);
    // The old key's last token may still be on its way.
    expect(await kids()).toEqual([oldKid, second]);

    // A third key while all that goes on, and a file that is no key: the one before goes on signing.
    await rotate(quick, keyPair('ES256').privatePem);
    writeFileSync(quick.keyPath, 'not a key');
    quick.process.signal('SIGHUP');
    await quick.process.logged('reload refused: the config before it is still served');
    const third = (await kids()).find((kid) => kid !== oldKid && kid !== second) ?? '';
    await until('the third key signs', () => failure !== undefined || last === third);
    running = false;
    await traffic;
    expect(failure).toBeUndefined();
    expect([...signedBy.keys()]).toEqual([oldKid, second, third]);
  });
});

async function rotate(of: Started, pem: string): Promise<void> {
  writeFileSync(of.keyPath, pem);
  of.process.signal('SIGHUP');
  await of.process.logged('config reloaded');
}
