import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type JwksServer, jsonAnswer, jwksServer } from '../support/jwks-server.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { keyPair } from '../support/key-pairs.ts';
import { ask, type RunningGate, runGate } from '../support/running-gate.ts';
import { askGate, startLegacyService } from '../support/system.ts';
import { until } from '../support/until.ts';

/* What users of every gateway ask for: an identity provider's outage, rotation or flood does not become ours. */

const old = keyPair('ES256', 'old');
const fresh = keyPair('ES256', 'fresh');
const exp = () => Math.floor(Date.now() / 1000) + 3600;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const goodToken = (key = old) => key.sign({ sub: 'joe', exp: exp() });

let provider: JwksServer;
let gate: RunningGate;
beforeEach(async () => {
  provider = await jwksServer([old.jwk]);
});
afterAll(async () => {
  await endAll();
});

async function start(more = ''): Promise<void> {
  const service = await startLegacyService();
  gate = await runGate(`
listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${service.port}
log: {access: false}
tenants:
  remote:
    match: {path: /remote/**}
    algorithms: [ES256]
    audience: any
    jwks: {url: "${provider.url}", cooldown: 1s${more}}
  local:
    match: {path: /local/**}
    secret: {value: a-local-secret-of-thirty-two-bytes-or-more}
`);
}

const send = (token: string, path = '/remote/x') => askGate(gate, path, { headers: bearer(token) });

describe('a provider that is away when we start', () => {
  it('stops neither the start nor other tenants; its own get 503 with Retry-After until its keys come', async () => {
    provider.answer = (request) => request.socket.destroy();
    await start();
    expect((await askGate(gate, '/local/x')).status).toBe(401);
    const refused = await send(goodToken());
    expect([refused.status, JSON.parse(refused.body).reason]).toEqual([503, 'keysUnavailable']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    provider.publish([old.jwk]);
    await until('its keys are there', async () => (await send(goodToken())).status === 200);
  });
});

describe('a provider that goes away later', () => {
  it('is missed by nobody: its last keys go on, and readiness stays', async () => {
    await start(', refresh: 1s, required: true');
    expect((await send(goodToken())).status).toBe(200);
    provider.answer = (_request, response) => response.writeHead(500).end();
    const before = provider.requests.length;
    await until('it was asked again', () => provider.requests.length > before);
    for (let i = 0; i < 20; i++) expect((await send(goodToken())).status).toBe(200);
    expect((await ask(gate.opsPort, '/readyz', {})).status).toBe(200);
  });
});

describe('a rotation under load', () => {
  it('loses no request: the new key is fetched when its first token comes, and the old one goes when its set says so', async () => {
    await start(', refresh: 1s');
    const statuses: number[] = [];
    let running = true;
    let key = old;
    const clients = Array.from({ length: 4 }, async () => {
      while (running) statuses.push((await send(goodToken(key))).status);
    });
    await until('traffic runs', () => statuses.length > 20);
    provider.publish([old.jwk, fresh.jwk]);
    key = fresh;
    const begun = statuses.length;
    await until('traffic runs with the new key', () => statuses.length > begun + 50);
    provider.publish([fresh.jwk]);
    const withdrawn = goodToken(old);
    await until('the old key is gone', async () => (await send(withdrawn)).status === 401);
    running = false;
    await Promise.all(clients);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(JSON.parse((await send(withdrawn)).body).reason).toBe('keyUnknown');
  });

  it('a verdict in the cache dies with its key', async () => {
    await start(', refresh: 1s');
    const token = goodToken(old);
    for (let i = 0; i < 3; i++) expect((await send(token)).status).toBe(200);
    provider.publish([fresh.jwk]);
    await until('the cached token is refused', async () => (await send(token)).status === 401);
  });
});

describe('a flood of made-up kids', () => {
  it('asks the provider hardly ever, and good tokens pass in the middle of it', async () => {
    await start();
    expect((await send(goodToken())).status).toBe(200);
    const before = provider.requests.length;
    const statuses = await Promise.all(
      Array.from({ length: 300 }, (_, i) => send(keyPair('ES256', `made-up-${i % 3}-${i}`).sign({ exp: exp() }))),
    );
    expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([401]));
    expect((await send(goodToken())).status).toBe(200);
    // One at once, and one a cool-down: how long the flood takes is the machine's business.
    expect(provider.requests.length - before).toBeLessThanOrEqual(10);
  });
});

describe('a provider that misbehaves', () => {
  it.each<[what: string, misbehave: () => void, settings?: string]>([
    ['answers garbage', () => (provider.answer = (_request, response) => response.end('<html>'))],
    ['answers 500', () => (provider.answer = (_request, response) => response.writeHead(500).end())],
    ['never answers', () => (provider.answer = () => {}), ', timeout: 500ms'],
    [
      'redirects',
      () => (provider.answer = (_request, response) => response.writeHead(302, { location: provider.url }).end()),
    ],
    ['answers with ten megabytes', () => (provider.answer = jsonAnswer({ keys: [], pad: 'x'.repeat(10_000_000) }))],
    ['has no keys', () => provider.publish([])],
  ])('%s: its tenants are refused, others are not, and the process lives', async (_what, misbehave, settings) => {
    misbehave();
    await start(settings);
    const refused = await send(goodToken());
    expect([401, 503]).toContain(refused.status);
    expect((await askGate(gate, '/local/x')).status).toBe(401);
  });

  it('publishes one odd key among good ones: only that one is skipped', async () => {
    provider.publish([{ kty: 'XYZ', kid: 'odd' }, { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'weak' }, old.jwk, null]);
    await start();
    expect((await send(goodToken())).status).toBe(200);
  });
});
