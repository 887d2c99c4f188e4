import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endAll } from '../support/jwtgate-process.ts';
import type { RunningGate } from '../support/running-gate.ts';
import { askGate, type LegacyService, runExample, startLegacyService } from '../support/system.ts';
import { segment } from '../support/tokens.ts';

const sharedSecret = 'merchant-one-shared-secret-of-at-least-sixty-four-bytes-for-HS512';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const;
const ec = Object.fromEntries(
  Object.entries(curves).map(([name, namedCurve]) => [name, generateKeyPairSync('ec', { namedCurve })]),
);
const exp = Math.floor(Date.now() / 1000) + 3600;

/** A token as a merchant's own code makes it, for each of the nine algorithms. */
function mint(algorithm: string, header: object, claims: object, key?: KeyObject): string {
  const input = `${segment({ alg: algorithm, typ: 'JWT', ...header })}.${segment({ exp, ...claims })}`;
  const hash = `sha${algorithm.slice(2)}`;
  const bytes = Buffer.from(input);
  const signature = algorithm.startsWith('HS')
    ? createHmac(hash, sharedSecret).update(input).digest()
    : algorithm.startsWith('RS')
      ? sign(hash, bytes, { key: key ?? rsa.privateKey, padding: constants.RSA_PKCS1_PADDING })
      : sign(hash, bytes, { key: key ?? (ec[algorithm]?.privateKey as KeyObject), dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

const issuer = 'https://glamour.example.com';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

let service: LegacyService;
let directory: LegacyService;
let provider: Server;
let gate: RunningGate;
let directoryDown = false;
beforeAll(async () => {
  service = await startLegacyService();
  directory = await startLegacyService(() => (directoryDown ? 500 : 201));
  const jwk = (key: KeyObject, kid: string, alg: string) => ({
    ...key.export({ format: 'jwk' }),
    kid,
    alg,
    use: 'sig',
  });
  const keys = [
    ...['RS256', 'RS384', 'RS512'].map((alg) => jwk(rsa.publicKey, alg, alg)),
    ...Object.entries(ec).map(([alg, { publicKey }]) => jwk(publicKey, alg, alg)),
    jwk(rsa.publicKey, '1', 'RS256'),
  ];
  provider = createServer((_request, response) => response.end(JSON.stringify({ keys }))).listen(0, '127.0.0.1');
  await once(provider, 'listening');
  const jwks = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks.json`;
  gate = await runExample('mytime', service.port, (text) =>
    text
      .replaceAll('http://127.0.0.1:3001', `http://127.0.0.1:${directory.port}`)
      .replace('https://glamour.example.com/.well-known/jwks.json', jwks),
  );
});
afterAll(async () => {
  await endAll();
  provider.close();
  await Promise.all([service.close(), directory.close()]);
});

const userSeen = () => service.seen.at(-1)?.headers['x-user-id'];
const reasonOf = (answer: { readonly body: string }) => JSON.parse(answer.body).reason;

describe('a merchant known by its kid', () => {
  it.each(['HS256', 'HS384', 'HS512'])('signs with %s, and writes its kid as a number', async (algorithm) => {
    const answer = await askGate(gate, '/api/x', { headers: bearer(mint(algorithm, { kid: 1 }, { id: 'u-1' })) });
    expect([answer.status, userSeen()]).toEqual([200, '1/u-1']);
  });

  it('may send the token in the query, from where it goes no further', async () => {
    const answer = await askGate(gate, `/api/x?a=1&jwt=${mint('HS256', { kid: '1' }, { id: 'u-1' })}&b=2`);
    expect([answer.status, service.seen.at(-1)?.url]).toEqual([200, '/api/x?a=1&b=2']);
  });

  it.each<[string, string, string]>([
    ['no kid', mint('HS256', {}, { id: 'u-1' }), 'tenantUnknown'],
    ['another kid', mint('HS256', { kid: 3 }, { id: 'u-1' }), 'tenantUnknown'],
    ['a kid that only looks like a number', mint('HS256', { kid: 1.5 }, { id: 'u-1' }), 'tokenMalformed'],
    ['an algorithm of another merchant', mint('RS256', { kid: 1 }, { id: 'u-1' }), 'algorithmRefused'],
    ['no id', mint('HS256', { kid: 1 }, { name: 'x' }), 'claimRefused'],
    ['an empty id', mint('HS256', { kid: 1 }, { id: '' }), 'claimRefused'],
    ['a number for the id', mint('HS256', { kid: 1 }, { id: 7 }), 'claimRefused'],
    ['a public key used as the secret', mint('HS256', { kid: 2 }, { id: 'u-1' }), 'algorithmRefused'],
  ])('is refused with %s', async (_name, token, reason) => {
    const before = service.seen.length;
    expect(reasonOf(await askGate(gate, '/api/x', { headers: bearer(token) }))).toBe(reason);
    expect(service.seen.length).toBe(before);
  });
});

describe('a merchant with its own JWKS, known by iss in the JOSE header', () => {
  it.each(['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'])('signs with %s', async (algorithm) => {
    const token = mint(algorithm, { iss: issuer, kid: algorithm }, { id: 'u-1' });
    const answer = await askGate(gate, '/api/x', { headers: bearer(token) });
    expect([answer.status, userSeen()]).toEqual([200, 'glamour/u-1']);
  });

  it('may number its keys as other merchants number themselves', async () => {
    const token = mint('RS256', { iss: issuer, kid: 1 }, { id: 'u-1' });
    const answer = await askGate(gate, '/api/x', { headers: bearer(token) });
    expect([answer.status, userSeen()]).toEqual([200, 'glamour/u-1']);
  });

  it.each<[string, string, string]>([
    ['iss in the payload', mint('RS256', { kid: 'RS256' }, { iss: issuer, id: 'u-1' }), 'tenantUnknown'],
    ['no kid', mint('RS256', { iss: issuer }, { id: 'u-1' }), 'keyUnknown'],
    ['a kid that is not in its set', mint('RS256', { iss: issuer, kid: 'gone' }, { id: 'u-1' }), 'keyUnknown'],
    ['another iss', mint('RS256', { iss: `${issuer}/`, kid: 'RS256' }, { id: 'u-1' }), 'tenantUnknown'],
    ['another merchant’s secret', mint('HS256', { iss: issuer, kid: 1 }, { id: 'u-1' }), 'algorithmRefused'],
    ['the key of another algorithm', mint('RS256', { iss: issuer, kid: 'RS384' }, { id: 'u-1' }), 'keyUnknown'],
  ])('is refused with %s', async (_name, token, reason) => {
    expect(reasonOf(await askGate(gate, '/api/x', { headers: bearer(token) }))).toBe(reason);
  });
});

describe('a user not seen before', () => {
  const calls = (id: string) => directory.seen.filter(({ body }) => JSON.parse(body).id === id);

  it('is provisioned by one call, however many of its requests come at once', async () => {
    const headers = bearer(mint('HS256', { kid: 1 }, { id: 'new-1', name: 'Zoë' }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => askGate(gate, '/api/x', { headers })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(calls('new-1').map(({ method, body }) => [method, JSON.parse(body)])).toEqual([
      ['POST', { merchant: '1', id: 'new-1', name: 'Zoë' }],
    ]);
    await askGate(gate, '/api/x', { headers: bearer(mint('HS256', { kid: 1 }, { id: 'new-1' })) });
    expect(calls('new-1').length).toBe(1);
  });

  it('of one merchant is not the user of another', async () => {
    await askGate(gate, '/api/x', { headers: bearer(mint('HS256', { kid: 1 }, { id: 'same' })) });
    const first = userSeen();
    await askGate(gate, '/api/x', { headers: bearer(mint('RS256', { iss: issuer, kid: 'RS256' }, { id: 'same' })) });
    expect([first, userSeen()]).toEqual(['1/same', 'glamour/same']);
    expect(calls('same').map(({ body }) => JSON.parse(body).merchant)).toEqual(['1', 'glamour']);
  });

  it('is refused while provisioning fails, and tried again by the next request', async () => {
    directoryDown = true;
    const headers = bearer(mint('HS256', { kid: 1 }, { id: 'new-2' }));
    const before = service.seen.length;
    const answer = await askGate(gate, '/api/x', { headers });
    expect([answer.status, reasonOf(answer)]).toEqual([503, 'provisionFailed']);
    expect(service.seen.length).toBe(before);
    directoryDown = false;
    expect((await askGate(gate, '/api/x', { headers })).status).toBe(200);
    expect(calls('new-2').length).toBe(2);
  });

  it('stays provisioned across a reload', async () => {
    const headers = bearer(mint('HS256', { kid: 1 }, { id: 'kept' }));
    await askGate(gate, '/api/x', { headers });
    await gate.rewrite(`${readFileSync(gate.configPath, 'utf8')}\nlog: {level: debug}\n`);
    gate.process.signal('SIGHUP');
    await gate.process.logged('config reloaded');
    await askGate(gate, '/api/x', { headers });
    expect(calls('kept').length).toBe(1);
  });

  it('is not provisioned by a token that is refused', async () => {
    await askGate(gate, '/api/x', {
      headers: bearer(`${mint('HS256', { kid: 1 }, { id: 'forged' }).slice(0, -4)}AAAA`),
    });
    expect(calls('forged')).toEqual([]);
  });
});
