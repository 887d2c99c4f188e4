import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endAll } from '../support/jwtgate-process.ts';
import type { RunningGate } from '../support/running-gate.ts';
import { askGate, type LegacyService, reloadWith, runExample, startLegacyService } from '../support/system.ts';
import { mintHs256 } from '../support/tokens.ts';

const secret = 'change-me-change-me-change-me-32';
const app = 'AP09092338';
const body = { clientId: `${app}/2315/v2_22315c49b793ad39`, userId: '2315' };
const good = { appId: app, userId: '2315' };
const past = Math.floor(Date.now() / 1000) - 3600;
const bearer = (claims: object, key = secret, header: object = {}) => ({
  authorization: `Bearer ${mintHs256(key, { claims: { ...claims }, header: { ...header } })}`,
});

let service: LegacyService;
let gate: RunningGate & { readonly folder: string };
beforeAll(async () => {
  service = await startLegacyService();
  gate = await runExample('imiconnect', service.port);
});
afterAll(async () => {
  await endAll();
  await service.close();
});

const setUserId = (headers: Record<string, string>, json: unknown = body, path = `/${app}/setuserid`) =>
  askGate(gate, path, { method: 'POST', headers, json });

describe('an app with a secret', () => {
  it.each([
    ['userId', good],
    ['appUserId', { appId: app, appUserId: '2315' }],
    ['customerId', { appId: app, customerId: '2315' }],
    ['a number for the user', { appId: app, userId: 2315 }],
    ['any other claims', { ...good, plan: 'gold', nested: { a: [1] } }],
    ['an exp in the future', { ...good, exp: 4_000_000_000 }],
  ])('takes a token with %s, and forwards the body byte for byte', async (_name, claims) => {
    const text = `{ "clientId" : "${body.clientId}",\n  "userId": "2315" }`;
    const headers = { ...bearer(claims), 'content-type': 'application/json' };
    const answer = await askGate(gate, `/${app}/setuserid`, { method: 'POST', headers, body: text });
    expect(answer.status).toBe(200);
    const seen = service.seen.at(-1);
    expect(seen?.body).toBe(text);
    expect(seen?.headers['x-app-id']).toBe(app);
    expect(seen?.headers['x-jwt-tenant']).toBe(app);
  });

  const invalid = { status: 'Invalid token', code: 38 };
  const missing = { status: 'Token is required to access the requested resource', code: 39 };
  const expired = { status: 'Token expired', code: 40 };
  it.each<[string, Record<string, string>, object, unknown]>([
    ['no token', {}, missing, body],
    ['another scheme', { authorization: 'Basic YTpi' }, missing, body],
    ['an expired token', bearer({ ...good, exp: past }), expired, body],
    ['another secret', bearer(good, 'another-secret-of-thirty-two-byte'), invalid, body],
    ['another algorithm', bearer(good, secret, { alg: 'HS512' }), invalid, body],
    ['no algorithm', bearer(good, secret, { alg: 'none' }), invalid, body],
    ['another app’s token', bearer({ ...good, appId: 'AP1' }), invalid, body],
    ['a token without app', bearer({ userId: '2315' }), invalid, body],
    ['another user’s token', bearer({ ...good, userId: '99' }), invalid, body],
    ['a token without user', bearer({ appId: app }), invalid, body],
    ['a body for another user', bearer(good), invalid, { ...body, userId: '99' }],
    ['a body whose client is of another user', bearer(good), invalid, { ...body, clientId: `${app}/99/x` }],
    ['a body whose client is of another app', bearer(good), invalid, { ...body, clientId: 'AP1/2315/x' }],
    ['a token that is not valid yet', bearer({ ...good, nbf: 4_000_000_000 }), invalid, body],
    ['an opaque token', { authorization: 'Bearer abc' }, invalid, body],
  ])('refuses %s with the exact JSON, and forwards nothing', async (_name, headers, json, sent) => {
    const before = service.seen.length;
    const answer = await setUserId(headers, sent);
    expect(answer.status).toBe(401);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.body).toBe(JSON.stringify(json));
    expect(service.seen.length).toBe(before);
  });

  it.each([
    ['no JSON', 'application/json', '{"userId":', 400],
    ['a member twice', 'application/json', '{"clientId":"AP09092338/2315/x","userId":"9","userId":"2315"}', 400],
    ['a form', 'application/x-www-form-urlencoded', 'userId=2315', 415],
    ['more than bodyBytes', 'application/json', JSON.stringify({ ...body, pad: 'x'.repeat(70_000) }), 413],
  ])('refuses a body that is %s', async (_name, type, text, status) => {
    const before = service.seen.length;
    const headers = { ...bearer(good), 'content-type': type };
    const answer = await askGate(gate, `/${app}/setuserid`, { method: 'POST', headers, body: text });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([status, { status: 'Invalid request', code: 38 }]);
    expect(service.seen.length).toBe(before);
  });

  it('streams bodies that no rule reads, of any size and type', async () => {
    const text = 'x'.repeat(1_000_000);
    const answer = await askGate(gate, `/${app}/upload`, { method: 'POST', headers: bearer(good), body: text });
    expect(answer.status).toBe(200);
    expect(service.seen.at(-1)?.body).toBe(text);
  });

  it('removes identity headers that a client sends', async () => {
    await setUserId({ ...bearer(good), 'x-app-id': 'AP1', x_jwt_tenant: 'AP1' });
    expect(service.seen.at(-1)?.headers['x-app-id']).toBe(app);
    expect(service.seen.at(-1)?.headers).not.toHaveProperty('x_jwt_tenant');
  });
});

it('an app without a secret takes requests without a token, and believes none', async () => {
  const answer = await askGate(gate, '/AP09092339/setuserid', { method: 'POST', headers: bearer(good), json: body });
  expect(answer.status).toBe(200);
  expect(service.seen.at(-1)?.headers).not.toHaveProperty('authorization');
  expect(service.seen.at(-1)?.headers).not.toHaveProperty('x-app-id');
});

it('an unknown app is refused', async () => {
  const answer = await setUserId(bearer(good), body, '/AP1/setuserid');
  expect([answer.status, JSON.parse(answer.body)]).toEqual([401, { status: 'Invalid token', code: 38 }]);
});

it('10,000 apps share one template, and one more comes by SIGHUP while traffic runs', async () => {
  const apps = Array.from(
    { length: 10_000 },
    (_, i) => `  APP${i}: {template: app, secret: secret-of-app-${i}-${'x'.repeat(24)}}`,
  );
  await reloadWith(gate, 'imiconnect/apps.d/many.yaml', `tenants:\n${apps.join('\n')}\n`);
  const one = (id: number) => {
    const headers = bearer({ appId: `APP${id}` }, `secret-of-app-${id}-${'x'.repeat(24)}`);
    return askGate(gate, `/APP${id}/x`, { headers }).then(({ status }) => status);
  };
  expect(await one(9_999)).toBe(200);
  expect(await one(10_000)).toBe(401);
  let running = true;
  const statuses: number[] = [];
  const traffic = (async () => {
    for (let id = 0; running; id = (id + 37) % 10_000) statuses.push(await one(id));
  })();
  await reloadWith(
    gate,
    'imiconnect/apps.d/new.yaml',
    `tenants:\n  APP10000: {template: app, secret: secret-of-app-10000-${'x'.repeat(24)}}\n`,
  );
  running = false;
  await traffic;
  expect(await one(10_000)).toBe(200);
  expect(statuses.length).toBeGreaterThan(0);
  expect(new Set(statuses)).toEqual(new Set([200]));
}, 120_000);
