import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findJwtLibrary, jwtLibraryNames } from '../support/jwt-libraries.ts';
import { endAll } from '../support/jwtgate-process.ts';
import type { RunningGate } from '../support/running-gate.ts';
import { askGate, type LegacyService, runExample, startLegacyService } from '../support/system.ts';
import { mintHs256 } from '../support/tokens.ts';

const account = 'IRkWcQ4nfqK28364GBHjK3p2xRHfYW1A';
const authToken = 'authToken-of-this-account-32bytes';
const otherAccount = 'AC7f2b90d1e8c34f6a9b0c1d2e3f405162';
const otherToken = 'another-authToken-of-32-bytes-ok!';
const user = {
  id: 'u-1',
  accountId: 'u-1',
  firstName: 'Zoë',
  lastName: 'Ünal',
  email: 'zoe@example.com',
  locale: 'de_CH',
};
const inSevenDays = Math.floor(Date.now() / 1000) + 7 * 24 * 3600;
const token = (claims: object = { user, exp: inSevenDays }, kid = account, secret = authToken) =>
  mintHs256(secret, { header: { typ: 'JWT', kid }, claims: { ...claims } });
const asClient = (raw = token()) => ({ 'x-saasquatch-user-token': raw });
const asServer = (sid = account, secret = authToken) => ({
  authorization: `Basic ${Buffer.from(`${sid}:${secret}`).toString('base64')}`,
});
const path = (accountId = 'u-1', userId = 'u-1') => `/api/v1/test_tenant/open/account/${accountId}/user/${userId}`;

let service: LegacyService;
let gate: RunningGate;
beforeAll(async () => {
  service = await startLegacyService();
  gate = await runExample('advocate', service.port);
});
afterAll(async () => {
  await endAll();
  await service.close();
});

const upsert = (headers: Record<string, string>, json: unknown = { id: 'u-1', accountId: 'u-1' }, target = path()) =>
  askGate(gate, target, { method: 'POST', headers, json });

describe('a client with its user’s token', () => {
  it('is let through, and the upstream learns who it is', async () => {
    expect((await upsert(asClient())).status).toBe(200);
    const headers = service.seen.at(-1)?.headers ?? {};
    expect(headers).toMatchObject({
      'x-user-id': 'u-1',
      'x-user-account': 'u-1',
      'x-user-email': 'zoe@example.com',
      'x-jwt-tenant': account,
      'x-jwt-auth': 'token',
    });
  });

  it.each([
    ['without exp', asClient(token({ user })), undefined],
    ['with a body that says nothing of the user', asClient(), { firstName: 'Zoë' }],
    ['with other members in the body', asClient(), { id: 'u-1', accountId: 'u-1', segments: ['vip'] }],
  ])('is let through %s', async (_name, headers, json) => {
    expect((await upsert(headers, json)).status).toBe(200);
  });

  it('may look without a body', async () => {
    expect((await askGate(gate, path(), { headers: asClient() })).status).toBe(200);
  });

  it.each<[string, Record<string, string>, unknown, string, string]>([
    ['no token', {}, undefined, path(), 'tokenMissing'],
    ['a token with a scheme', asClient(`Bearer ${token()}`), undefined, path(), 'tokenMalformed'],
    ['the token in the wrong header', { authorization: `Bearer ${token()}` }, undefined, path(), 'tokenMissing'],
    ['an expired token', asClient(token({ user, exp: 1_500_000_000 })), undefined, path(), 'tokenExpired'],
    ['an account nobody knows', asClient(token({ user }, 'nobody')), undefined, path(), 'tenantUnknown'],
    ['no kid', asClient(mintHs256(authToken, { claims: { user } })), undefined, path(), 'tenantUnknown'],
    ['another account’s secret', asClient(token({ user }, account, otherToken)), undefined, path(), 'signatureInvalid'],
    ['another user in the path', asClient(), { id: 'u-1', accountId: 'u-1' }, path('u-1', 'u-2'), 'bindMismatch'],
    ['another account in the path', asClient(), { id: 'u-1' }, path('u-2', 'u-1'), 'bindMismatch'],
    ['another user in the body', asClient(), { id: 'u-2', accountId: 'u-1' }, path(), 'bindMismatch'],
    ['another account in the body', asClient(), { id: 'u-1', accountId: 'u-2' }, path(), 'bindMismatch'],
    ['a number for the id in the body', asClient(), { id: 1 }, path(), 'bindMismatch'],
    ['null for the id in the body', asClient(), { id: null }, path(), 'bindMismatch'],
    [
      'a token without the user’s id',
      asClient(token({ user: { accountId: 'u-1' } })),
      undefined,
      path(),
      'claimRefused',
    ],
    ['a flat token', asClient(token({ id: 'u-1', accountId: 'u-1' })), undefined, path(), 'claimRefused'],
    ['dots in the path', asClient(), undefined, `${path()}/../../u-2`, 'requestRefused'],
  ])('is refused with %s', async (_name, headers, json, target, reason) => {
    const before = service.seen.length;
    const answer = await upsert(headers, json ?? { id: 'u-1' }, target);
    expect(JSON.parse(answer.body).reason).toBe(reason);
    expect(service.seen.length).toBe(before);
  });
});

describe.each(jwtLibraryNames)('a token made by %s', (name) => {
  it('is let through', async (context) => {
    const library = await findJwtLibrary(name);
    if ('missing' in library) return context.skip(library.missing);
    const header = { typ: 'JWT', kid: account };
    const payload = { user, exp: inSevenDays };
    const [raw = ''] = await library.mint([{ payload, header, key: authToken, algorithm: 'HS256' }]);
    expect((await upsert(asClient(raw))).status).toBe(200);
    expect(service.seen.at(-1)?.headers['x-user-id']).toBe('u-1');
  });
});

describe('a server with its account’s key', () => {
  it('is let through for any user, and the upstream learns which way it came', async () => {
    expect((await upsert(asServer(), { id: 'u-9', accountId: 'u-9' }, path('u-9', 'u-9'))).status).toBe(200);
    const headers = service.seen.at(-1)?.headers ?? {};
    expect(headers).toMatchObject({ 'x-jwt-tenant': account, 'x-jwt-auth': 'basic' });
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('x-user-id');
  });

  it.each<[string, Record<string, string>, string]>([
    ['another account’s key', asServer(account, otherToken), 'tokenMissing'],
    ['no key', asServer(account, ''), 'tokenMissing'],
    ['an account nobody knows', asServer('nobody', authToken), 'tenantUnknown'],
    ['a user’s token beside it', { ...asServer(), ...asClient() }, 'tokenAmbiguous'],
    [
      'another account’s token beside it',
      { ...asServer(), ...asClient(token({ user }, otherAccount, otherToken)) },
      'tenantUnknown',
    ],
    [
      'identity headers of its own making',
      { ...asServer(account, 'x'), 'x-user-id': 'u-1', 'x-jwt-auth': 'token' },
      'tokenMissing',
    ],
  ])('is refused with %s', async (_name, headers, reason) => {
    expect(JSON.parse((await upsert(headers)).body).reason).toBe(reason);
  });

  it('cannot choose the identity that a token would give', async () => {
    await upsert({ ...asServer(), 'x-user-id': 'u-1', x_user_email: 'a@b.c', 'x-jwt-auth': 'token' });
    const headers = service.seen.at(-1)?.headers ?? {};
    expect(headers['x-jwt-auth']).toBe('basic');
    for (const name of ['x-user-id', 'x_user_email']) expect(headers).not.toHaveProperty(name);
  });
});

describe('a widget in a browser', () => {
  const origin = 'https://shop.example.com';
  const preflight = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,x-saasquatch-user-token',
  };

  it('gets its preflight answered without a token, and nothing reaches the upstream', async () => {
    const before = service.seen.length;
    const answer = await askGate(gate, path(), { method: 'OPTIONS', headers: preflight });
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST, PUT, DELETE',
      'access-control-allow-headers': 'Content-Type, X-SaaSquatch-User-Token',
    });
    expect(service.seen.length).toBe(before);
  });

  it('can read an answer and a refusal', async () => {
    const good = await upsert({ ...asClient(), origin });
    expect([good.status, good.headers['access-control-allow-origin']]).toEqual([200, origin]);
    const refused = await upsert({ ...asClient(token({ user, exp: 1_500_000_000 })), origin });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, origin]);
    expect(refused.headers['access-control-expose-headers']).toContain('WWW-Authenticate');
  });

  it('of another site can read nothing', async () => {
    const foreign = { ...preflight, origin: 'https://example.com.evil.org' };
    const answer = await askGate(gate, path(), { method: 'OPTIONS', headers: foreign });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it.each([
    ['no Origin', { 'access-control-request-method': 'POST' }],
    ['no Access-Control-Request-Method', { origin }],
  ])('sends OPTIONS with %s in vain: it needs a token like every request', async (_name, headers) => {
    const answer = await askGate(gate, path(), { method: 'OPTIONS', headers });
    expect([answer.status, JSON.parse(answer.body).reason]).toEqual([401, 'tokenMissing']);
  });
});
