import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endAll } from '../support/jwtgate-process.ts';
import { type RunningGate, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { type LegacyService, startLegacyService } from '../support/system.ts';

let service: LegacyService;
beforeAll(async () => {
  service = await startLegacyService();
});
afterAll(async () => {
  await endAll();
  await service.close();
});

const configText = (lane: string, replay = '{claim: jti}') => `
listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${service.port}
lane: ${lane}
tenants:
  acme:
    match: {path: "/acme/**"}
    secret: ${secretOf('acme')}
    basic: {user: server, password: {value: general}}
    cors: {origins: ["https://app.example"]}
    routes:
      - {path: /acme/transfers, methods: [POST], replay: ${replay}}
      - {path: /acme/refunds, replay: {claim: jti}}
      - {path: /acme/widget, methods: [GET], cors: {origins: ["https://widget.example"], credentials: true}}
      - {path: /acme/internal/**, cors: off, basic: off}
      - {path: /acme/metrics, basic: {user: scraper, password: {value: particular}}}
      - {path: /acme/upstream-cors, cors: {origins: ["https://app.example"], preflight: pass}}
  once:
    match: {path: "/once/**"}
    secret: ${secretOf('once')}
    replay: {claim: jti}
    routes: [{path: /once/poll, replay: off}]
`;

describe.each(['auto', 'node'])('on the lane "%s"', (lane) => {
  let gate: RunningGate;
  beforeAll(async () => {
    gate = await runGate(configText(lane));
  });

  const send = (path: string, headers: Record<string, string>, method = 'GET') =>
    fetch(`http://127.0.0.1:${gate.proxyPort}${path}`, { method, headers });
  const bearer = (claims: Record<string, unknown> = {}, tenant = 'acme') => ({
    authorization: `Bearer ${tokenOf(tenant, claims)}`,
  });
  const basic = (user: string, password: string) => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });
  const preflight = (path: string, origin: string, method: string) =>
    send(path, { origin, 'access-control-request-method': method }, 'OPTIONS');

  describe('replay', () => {
    test("takes a token's one use on its route alone, by its methods alone", async () => {
      const headers = bearer({ jti: 'one' });
      for (const status of [200, 200]) expect((await send('/acme/x', headers)).status).toBe(status);
      for (const status of [200, 200]) expect((await send('/acme/transfers', headers)).status).toBe(status);
      expect((await send('/acme/transfers', headers, 'POST')).status).toBe(200);
      const again = await send('/acme/transfers', headers, 'POST');
      expect([again.status, await again.text()]).toEqual([401, expect.stringContaining('tokenReplayed')]);
      expect((await send('/acme/x', headers)).status).toBe(200);
    });

    test('a use that one route took, no other gives again', async () => {
      const headers = bearer({ jti: 'two' });
      expect((await send('/acme/refunds', headers)).status).toBe(200);
      expect((await send('/acme/transfers', headers, 'POST')).status).toBe(401);
    });

    test('of many at once exactly one passes', async () => {
      const headers = bearer({ jti: 'three' });
      const all = await Promise.all(Array.from({ length: 10 }, () => send('/acme/transfers', headers, 'POST')));
      expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
    });

    test('a token without the claim is good where single use is not asked for', async () => {
      expect((await send('/acme/x', bearer())).status).toBe(200);
      expect((await send('/acme/transfers', bearer(), 'POST')).status).toBe(403);
    });

    test("off: a route takes no use of a tenant's tokens, and does not ask for one", async () => {
      const headers = bearer({ jti: 'four' }, 'once');
      for (const status of [200, 200]) expect((await send('/once/poll', headers)).status).toBe(status);
      expect((await send('/once/x', headers)).status).toBe(200);
      expect((await send('/once/x', headers)).status).toBe(401);
      expect((await send('/once/poll', headers)).status).toBe(200);
    });

    test('no reload gives a use back, also where a route gets room of its own', async () => {
      const headers = bearer({ jti: 'five' });
      expect((await send('/acme/transfers', headers, 'POST')).status).toBe(200);
      await gate.rewrite(configText(lane, '{claim: jti, entries: 50}'));
      gate.process.signal('SIGHUP');
      await gate.process.logged('config reloaded');
      expect((await send('/acme/transfers', headers, 'POST')).status).toBe(401);
    });
  });

  describe('basic', () => {
    test("a route's own is accepted there alone, and the tenant's not there", async () => {
      expect((await send('/acme/metrics', basic('scraper', 'particular'))).status).toBe(200);
      expect(service.seen.at(-1)?.headers['x-jwt-auth']).toBe('basic');
      expect((await send('/acme/metrics', basic('server', 'general'))).status).toBe(401);
      expect((await send('/acme/metrics', basic('scraper', 'general'))).status).toBe(401);
      expect((await send('/acme/x', basic('scraper', 'particular'))).status).toBe(401);
      expect((await send('/acme/x', basic('server', 'general'))).status).toBe(200);
    });

    test('off: tokens alone, and the upstream is told so all the same', async () => {
      expect((await send('/acme/internal/x', basic('server', 'general'))).status).toBe(401);
      expect((await send('/acme/internal/x', { ...bearer(), 'x-jwt-auth': 'basic' })).status).toBe(200);
      expect(service.seen.at(-1)?.headers['x-jwt-auth']).toBe('token');
    });
  });

  describe('cors', () => {
    const allowed = (response: Response) => response.headers.get('access-control-allow-origin');

    test('a preflight is answered by the route that the request it asks about would take', async () => {
      const widget = await preflight('/acme/widget', 'https://widget.example', 'GET');
      expect([widget.status, allowed(widget)]).toEqual([204, 'https://widget.example']);
      expect(widget.headers.get('access-control-allow-credentials')).toBe('true');
      expect(allowed(await preflight('/acme/widget', 'https://app.example', 'GET'))).toBeNull();
      // No route takes PUT there: the tenant's own counts.
      expect(allowed(await preflight('/acme/widget', 'https://widget.example', 'PUT'))).toBeNull();
      expect(allowed(await preflight('/acme/widget', 'https://app.example', 'PUT'))).toBe('https://app.example');
    });

    test('what is answered and what is refused can be read by the pages of the route', async () => {
      const origin = 'https://widget.example';
      const good = await send('/acme/widget', { ...bearer(), origin });
      expect([good.status, allowed(good)]).toEqual([200, origin]);
      const bad = await send('/acme/widget', { origin });
      expect([bad.status, allowed(bad)]).toEqual([401, origin]);
      expect(allowed(await send('/acme/x', { ...bearer(), origin }))).toBeNull();
    });

    test('off: OPTIONS is a request like any other, and no page may read anything', async () => {
      const origin = 'https://app.example';
      const before = service.seen.length;
      expect((await preflight('/acme/internal/x', origin, 'GET')).status).toBe(401);
      expect(allowed(await send('/acme/internal/x', { origin }))).toBeNull();
      expect(service.seen).toHaveLength(before);
      expect(allowed(await send('/acme/internal/x', { ...bearer(), origin }))).toBeNull();
    });

    test('pass: the preflight goes to the upstream, without a token and without identity', async () => {
      const response = await preflight('/acme/upstream-cors', 'https://app.example', 'PUT');
      expect(response.status).toBe(200);
      expect(service.seen.at(-1)).toMatchObject({ method: 'OPTIONS', url: '/acme/upstream-cors' });
      expect(service.seen.at(-1)?.headers['x-jwt-subject']).toBeUndefined();
    });

    test('what only looks like a preflight is none', async () => {
      const origin = 'https://widget.example';
      expect((await send('/acme/widget', { origin }, 'OPTIONS')).status).toBe(401);
      expect((await send('/acme/widget', { 'access-control-request-method': 'GET' }, 'OPTIONS')).status).toBe(401);
      const odd = await preflight('/acme//widget', origin, 'GET');
      expect([odd.status, allowed(odd)]).not.toEqual([204, origin]);
    });
  });
});
