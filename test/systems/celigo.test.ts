import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, importSPKI, type JWK, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findJwtLibrary, jwtLibraryNames } from '../support/jwt-libraries.ts';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { keyPair } from '../support/key-pairs.ts';
import type { RunningGate } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { askGate, type Question, runExample, type SeenRequest } from '../support/system.ts';
import { granting, json, startTokenEndpoint, type TestTokenEndpoint } from '../support/token-endpoint.ts';
import { patienceMs, until } from '../support/until.ts';

/* The vendor and its token endpoint are real servers here; its tokens are verified by jose, PyJWT and ruby-jwt. */

const rsa = keyPair('RS256');
const ec = keyPair('ES256');
const crmSecret = 'crm-secret-of-at-least-32-bytes-!';
const reportsSecret = Buffer.from('reports-secret-of-at-least-64-bytes'.padEnd(64, '!'));
/** As people paste a key into a form or an environment variable: one line, `\n` for its line breaks. */
const pasted = (pem: string) => pem.trim().replaceAll('\n', '\\n');
const secrets = {
  CRM_SECRET: crmSecret,
  ERP_PRIVATE_KEY: pasted(rsa.privatePem),
  BILLING_PRIVATE_KEY: pasted(ec.privatePem),
  REPORTS_SECRET: reportsSecret.toString('base64'),
};

interface Vendor {
  readonly port: number;
  readonly seen: SeenRequest[];
  /** Status for one request. */
  status: (request: SeenRequest) => number;
  readonly server: Server;
}

async function startVendor(): Promise<Vendor> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = incoming;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
    seen.push(one);
    response.writeHead(vendor.status(one), { 'content-type': 'application/json' }).end('{"ok":true}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const vendor: Vendor = { port: (server.address() as AddressInfo).port, seen, status: () => 200, server };
  return vendor;
}

let vendor: Vendor;
let endpoint: TestTokenEndpoint;
let gate: RunningGate & { readonly folder: string };
beforeAll(async () => {
  vendor = await startVendor();
  endpoint = await startTokenEndpoint(granting());
  gate = await start();
});
afterAll(async () => {
  await endAll();
  await endpoint[Symbol.asyncDispose]();
  vendor.server.closeAllConnections();
  vendor.server.close();
});
beforeEach(() => {
  vendor.seen.length = 0;
  vendor.status = () => 200;
});

/** The example as it stands, but for addresses; `change` for what one test needs otherwise. */
function start(change: (text: string) => string = (text) => text) {
  const withEndpoint = (text: string) =>
    change(text)
      .replaceAll('http://127.0.0.1:3000/oauth/token', endpoint.url.href)
      .replace(/^ops: .*\n/m, '');
  return runExample('celigo', vendor.port, withEndpoint, { env: secrets });
}

/** The legacy service's call to one vendor, in plain HTTP. */
function ask(system: string, path: string, { headers, ...question }: Question = {}, to = gate) {
  return askGate(to, path, { ...question, headers: { host: `${system}.localhost`, ...headers } });
}

const lastSeen = () => vendor.seen.at(-1) as SeenRequest;
const bearerOf = ({ headers }: SeenRequest) => /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
const now = () => Math.floor(Date.now() / 1000);

describe('the signed token itself', () => {
  it('reaches the vendor’s base URI as Bearer, HS256, with the extra JOSE headers', async () => {
    expect((await ask('crm', '/contacts?page=2')).status).toBe(200);
    const { url, headers } = lastSeen();
    expect(url).toBe('/v2/contacts?page=2');
    expect(headers.host).toBe(`127.0.0.1:${vendor.port}`);
    const { payload, protectedHeader } = await jwtVerify(bearerOf(lastSeen()), Buffer.from(crmSecret), {
      issuer: 'my-integration',
      audience: 'https://api.crm.example',
      subject: 'my-account',
    });
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT', kid: 'my-key-id', 'x-account': '4711' });
    expect(payload.scope).toEqual(['contacts', 'deals']);
    expect((payload.exp as number) - (payload.iat as number)).toBe(300);
    expect(Math.abs((payload.iat as number) - now())).toBeLessThan(60);
  });

  it('goes into a header of the vendor’s choice with its scheme, ES256 from a pasted PEM key', async () => {
    expect((await ask('billing', '/invoices', { method: 'POST', json: { amount: 1 } })).status).toBe(200);
    const [scheme, token = ''] = String(lastSeen().headers['x-vendor-auth']).split(' ');
    expect(scheme).toBe('JWT');
    const { payload } = await jwtVerify(token, await importSPKI(ec.publicPem, 'ES256'), { audience: 'billing' });
    expect((payload.exp as number) - (payload.iat as number)).toBe(90);
    expect(lastSeen().headers).not.toHaveProperty('authorization');
    expect(lastSeen().body).toBe('{"amount":1}');
  });

  it('goes into the query, HS512 from a secret in base64', async () => {
    expect((await ask('reports', '/daily?from=2026&access_jwt=mine&access%5Fjwt=mine')).status).toBe(200);
    const url = new URL(lastSeen().url, 'http://vendor');
    expect(url.pathname).toBe('/reports/daily');
    expect(url.searchParams.get('from')).toBe('2026');
    const [token = '', ...others] = url.searchParams.getAll('access_jwt');
    expect(others).toEqual([]);
    await jwtVerify(token, reportsSecret, { issuer: 'my-integration', algorithms: ['HS512'] });
  });

  it.for(jwtLibraryNames)('is believed by %s', async (name, context) => {
    const library = await findJwtLibrary(name);
    if ('missing' in library) return context.skip(library.missing);
    await ask('crm', '/a');
    const hs = bearerOf(lastSeen());
    await ask('billing', '/a');
    const es = String(lastSeen().headers['x-vendor-auth']).split(' ')[1] ?? '';
    await ask('erp', '/a');
    const rs = endpoint.seen.at(-1)?.form.get('assertion') ?? '';
    const verified = await library.verify([
      { token: hs, key: crmSecret, algorithm: 'HS256' },
      { token: es, key: ec.publicPem, algorithm: 'ES256' },
      { token: rs, key: rsa.publicPem, algorithm: 'RS256' },
      { token: rs, key: keyPair('RS256', 'another').publicPem, algorithm: 'RS256' },
    ]);
    expect(verified.map((one) => ('error' in one ? 'refused' : (one.payload as { iss: string }).iss))).toEqual([
      'my-integration',
      'my-integration',
      'my-client-id',
      'refused',
    ]);
  });

  it('is used again until shortly before it expires', async () => {
    const short = await start((text) =>
      text.replace('lifetime: 5m', 'lifetime: 4s').replace('{limit: 10/s, burst: 10}', '1000/s'),
    );
    const uses = new Map<string, number>();
    const deadline = performance.now() + patienceMs;
    while (uses.size < 2 && performance.now() < deadline) {
      await ask('crm', '/a', {}, short);
      const token = bearerOf(lastSeen());
      uses.set(token, (uses.get(token) ?? 0) + 1);
    }
    const [first = '', second = ''] = uses.keys();
    expect(uses.get(first)).toBeGreaterThan(1);
    const times = await Promise.all(
      [first, second].map(
        async (token) => (await jwtVerify(token, Buffer.from(crmSecret), { clockTolerance: '1 hour' })).payload,
      ),
    );
    expect(times[1]?.iat as number).toBeLessThanOrEqual(times[0]?.exp as number);
    expect(times[1]?.iat as number).toBeGreaterThan(times[0]?.iat as number);
  });

  it('replaces whatever the client sent in its place', async () => {
    const mine = `Bearer ${await ask('crm', '/a').then(() => bearerOf(lastSeen()).replace(/.$/, ''))}x`;
    for (const authorization of ['Bearer client', 'Basic YTpi', 'anything at all', mine]) {
      await ask('crm', '/a', { headers: { authorization } });
      expect(lastSeen().headers.authorization).not.toContain('client');
      await jwtVerify(bearerOf(lastSeen()), Buffer.from(crmSecret));
    }
    const spellings = { 'x-vendor-auth': 'JWT a', X_Vendor_Auth: 'JWT b', 'X.Vendor-Auth': 'JWT c' };
    await ask('billing', '/a', { headers: spellings });
    const names = Object.keys(lastSeen().headers).filter((name) => /x.vendor.auth/.test(name));
    expect(names).toEqual(['x-vendor-auth']);
    expect(lastSeen().headers['x-vendor-auth']).toMatch(/^JWT ey/);
  });
});

describe('what the vendor needs beside the token', () => {
  it('has the default media type where the client names none', async () => {
    await ask('crm', '/contacts', { method: 'POST', body: '{"a":1}' });
    expect(lastSeen().headers).toMatchObject({ accept: 'application/json', 'content-type': 'application/json' });
    await ask('crm', '/contacts', {
      method: 'POST',
      body: 'a,b',
      headers: { 'content-type': 'text/csv', accept: 'text/plain' },
    });
    expect(lastSeen().headers).toMatchObject({ accept: 'text/plain', 'content-type': 'text/csv' });
    await ask('crm', '/contacts');
    expect(lastSeen().headers).not.toHaveProperty('content-type');
  });

  it('is asked no faster than its rate, also after a reload: 429 with Retry-After', async () => {
    const slow = await start((text) => text.replace('{limit: 10/s, burst: 10}', '{limit: 2/h, burst: 2}'));
    const answers = [
      await ask('crm', '/a', {}, slow),
      await ask('crm', '/a', {}, slow),
      await ask('crm', '/a', {}, slow),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    const wait = Number(answers[2]?.headers['retry-after']);
    expect(wait).toBeGreaterThan(1700);
    expect(wait).toBeLessThanOrEqual(1800);
    expect(vendor.seen.length).toBe(2);
    await slow.rewrite(configOf(slow).replace('[contacts, deals]', '[contacts]'));
    slow.process.signal('SIGHUP');
    await slow.process.logged('config reloaded');
    expect((await ask('crm', '/a', {}, slow)).status).toBe(429);
    // The others have no rate.
    expect((await ask('billing', '/a', {}, slow)).status).toBe(200);
  });
});

describe('the JWT bearer grant', () => {
  it('asks once, however many requests come together, and uses the access token again', async () => {
    const fresh = await start();
    endpoint.answer = granting();
    const before = endpoint.seen.length;
    let release: (() => void) | undefined;
    const held = endpoint.answer;
    endpoint.answer = (request, response) => {
      release = () => held(request, response);
    };
    const together = Array.from({ length: 40 }, (_, i) => ask('erp', `/items/${i}`, {}, fresh));
    await until('the token endpoint is asked', () => release !== undefined);
    endpoint.answer = held;
    release?.();
    expect(new Set((await Promise.all(together)).map(({ status }) => status))).toEqual(new Set([200]));
    await ask('erp', '/items/41', {}, fresh);
    expect(endpoint.seen.length - before).toBe(1);
    expect(vendor.seen.length).toBe(41);
    expect(new Set(vendor.seen.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer at-1']));
    expect(lastSeen().url).toBe('/erp/api/items/41');

    const { form, headers } = endpoint.seen.at(-1) as (typeof endpoint.seen)[number];
    expect(headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    expect(form.get('scope')).toBe('read write');
    const set = createLocalJWKSet({ keys: [{ ...rsa.jwk, kid: 'erp-2026' } as JWK] });
    const { payload } = await jwtVerify(form.get('assertion') ?? '', set, {
      issuer: 'my-client-id',
      subject: 'integration@customer.example',
      audience: endpoint.url.href,
    });
    expect(payload.jti).toMatch(/^[0-9a-f-]{36}$/);
    expect(decodeProtectedHeader(form.get('assertion') ?? '').kid).toBe('erp-2026');
  });

  it('keeps the access token across a reload that changes none of it', async () => {
    const fresh = await start();
    endpoint.answer = granting();
    const before = endpoint.seen.length;
    await ask('erp', '/items', {}, fresh);
    await fresh.rewrite(configOf(fresh).replace('[contacts, deals]', '[contacts]'));
    fresh.process.signal('SIGHUP');
    await fresh.process.logged('config reloaded');
    await ask('erp', '/items', {}, fresh);
    expect(endpoint.seen.length - before).toBe(1);
    await fresh.rewrite(configOf(fresh).replace('scope: read write', 'scope: read'));
    fresh.process.signal('SIGHUP');
    await fresh.process.logged('config reloaded');
    await ask('erp', '/items', {}, fresh);
    expect(endpoint.seen.length - before).toBe(2);
    expect(lastSeen().headers.authorization).toBe('Bearer at-2');
  });

  it('gets another token once the API has answered 401, and only one', async () => {
    const fresh = await start();
    endpoint.answer = granting();
    const before = endpoint.seen.length;
    expect((await ask('erp', '/items', {}, fresh)).status).toBe(200);
    vendor.status = ({ headers }) => (headers.authorization === 'Bearer at-1' ? 401 : 200);
    expect((await ask('erp', '/items', {}, fresh)).status).toBe(401);
    const renewed = await Promise.all([1, 2, 3].map(() => ask('erp', '/items', {}, fresh)));
    expect(renewed.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(lastSeen().headers.authorization).toBe('Bearer at-2');
    // An API that refuses every token does not get the endpoint asked for each request.
    vendor.status = () => 401;
    for (let i = 0; i < 5; i++) expect((await ask('erp', '/items', {}, fresh)).status).toBe(401);
    expect(endpoint.seen.length - before).toBe(2);
  });

  it('refuses with 503 and the time to wait while no token can be had, and the vendor hears nothing', async () => {
    const fresh = await start();
    endpoint.answer = json({ error: 'invalid_grant', error_description: 'hush' }, 400);
    const answer = await ask('erp', '/items', { headers: { authorization: 'Bearer mine' } }, fresh);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(vendor.seen).toEqual([]);
    await until('the log says why', () => fresh.process.stdout.includes('invalid_grant'));
    expect(fresh.process.stdout).not.toMatch(/hush|eyJ/);
    endpoint.answer = granting();
  });
});

describe('a key that was pasted badly', () => {
  const bare = rsa.privatePem.replaceAll(/-----.*-----|\n/g, '');
  it.each([
    ['line breaks as \\n', pasted(rsa.privatePem), undefined],
    ['line breaks as spaces', rsa.privatePem.trim().replaceAll('\n', ' '), undefined],
    ['quotes around it', `"${pasted(rsa.privatePem)}"`, undefined],
    [
      'no BEGIN and END',
      bare,
      'paste -----BEGIN PRIVATE KEY----- above the key and -----END PRIVATE KEY----- below it',
    ],
    ['no END', rsa.privatePem.replace(/-----END.*/, ''), '-----END PRIVATE KEY-----'],
    ['no BEGIN', rsa.privatePem.replace(/-----BEGIN.*/, ''), '-----BEGIN PRIVATE KEY-----'],
    ['the public half', pasted(rsa.publicPem), 'this is a public key'],
  ])('%s: is repaired, or named', async (_name, key, problem) => {
    const folder = newFolder();
    const path = join(folder, 'config.yaml');
    writeFileSync(path, configOf(gate));
    const checked = startJwtgate(['validate', '-c', path], { env: { ...secrets, ERP_PRIVATE_KEY: key } });
    expect(await checked.ended).toBe(problem === undefined ? 0 : 78);
    if (problem !== undefined) expect(checked.stderr).toContain(problem);
    expect(checked.stdout + checked.stderr).not.toContain(bare.slice(100, 140));
  });
});

describe('Test connection', () => {
  const test = (env: Record<string, string> = {}) =>
    startJwtgate(['validate', '--online', '-c', gate.configPath], { env: { ...secrets, ...env } });

  it('signs for each vendor, gets an access token, and calls the probes with them', async () => {
    endpoint.answer = granting();
    const tested = test();
    expect(await tested.ended).toBe(0);
    expect(tested.stdout.match(/^✓/gm)?.length).toBe(8);
    expect(vendor.seen.map(({ url }) => url).sort()).toEqual(['/billing/ping', '/erp/api/status', '/v2/me']);
    for (const { url, headers } of vendor.seen) {
      if (url === '/v2/me') expect(headers.authorization).toMatch(/^Bearer ey/);
      if (url === '/erp/api/status') expect(headers.authorization).toBe('Bearer at-1');
      if (url === '/billing/ping') expect(headers['x-vendor-auth']).toMatch(/^JWT ey/);
    }
  });

  it('says which vendor refuses, and fails', async () => {
    vendor.status = ({ url }) => (url === '/v2/me' ? 401 : 200);
    const tested = test();
    expect(await tested.ended).toBe(69);
    expect(tested.stdout.match(/^✗.*/gm)).toEqual([
      `✗ probe    http://127.0.0.1:${vendor.port}/v2/me: status 401: it refuses the token`,
    ]);
  });
});

it('a tenant called "now" or "uuid" stays text in its own payload', async () => {
  const tenants = ['now', 'uuid', 'acme'].map((id) => `  ${id}: {template: signs}`);
  const text = `listen: x
upstream: http://127.0.0.1:3000
templates:
  signs:
    match: {host: "\${tenant}.localhost"}
    access: public
    sign: {algorithm: HS256, secret: {env: CRM_SECRET}, payload: {iss: "\${tenant}", aud: "to-\${tenant}"}}
tenants:
${tenants.join('\n')}
`;
  const shared = await start(() => text);
  for (const id of ['now', 'uuid', 'acme']) {
    await ask(id, '/', {}, shared);
    const { payload } = await jwtVerify(bearerOf(lastSeen()), Buffer.from(crmSecret));
    expect(payload).toMatchObject({ iss: id, aud: `to-${id}` });
  }
});

function configOf({ configPath }: RunningGate): string {
  return readFileSync(configPath, 'utf8');
}
