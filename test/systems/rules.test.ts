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

const configText = (lane: string, rule: string) => `
listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${service.port}
lane: ${lane}
tenants:
  acme:
    match: {path: "/acme/**"}
    secret: ${secretOf('acme')}
    rule: |
      ${rule}
    routes:
      - path: "/acme/orgs/{org}/**"
        rule: request.pathVariables.org in claims.orgs && request.headers["x-team"] == claims.team
      - {path: /acme/office, rule: 'request.time.getFullYear("Europe/Berlin") >= 2024 && request.body.amount <= claims.limit'}
`;

describe.each(['auto', 'node'])('on the lane "%s"', (lane) => {
  let gate: RunningGate;
  const send = async (
    path: string,
    claims: Record<string, unknown>,
    headers: Record<string, string> = {},
    to = gate,
  ) => {
    const { status, body } = await to.send(path, { token: tokenOf('acme', claims), headers });
    return status === 200 ? 'passed' : `${status} ${JSON.parse(body).reason ?? body}`;
  };

  beforeAll(async () => {
    gate = await runGate(configText(lane, 'claims.active == true'));
  });

  test("a tenant's rule and a route's both decide", async () => {
    const claims = { active: true, orgs: ['a', 'b'], team: 'blue' };
    expect(await send('/acme/x', claims)).toBe('passed');
    expect(await send('/acme/x', { active: 'true' })).toContain('403');
    expect(await send('/acme/orgs/a/items', claims, { 'X-Team': 'blue' })).toBe('passed');
    expect(await send('/acme/orgs/%61/items', claims, { 'X-Team': 'blue' })).toBe('passed');
    expect(await send('/acme/orgs/c/items', claims, { 'X-Team': 'blue' })).toContain('403');
    expect(await send('/acme/orgs/a/items', claims, { 'X-Team': 'red' })).toContain('403');
    expect(await send('/acme/orgs/a/items', { ...claims, active: false }, { 'X-Team': 'blue' })).toContain('403');
  });

  test('another spelling of a header that a rule reads does not reach the upstream', async () => {
    const claims = { active: true, orgs: ['a'], team: 'blue' };
    expect(await send('/acme/orgs/a', claims, { 'X-Team': 'blue', X_Team: 'red', 'X.Team': 'green' })).toBe('passed');
    const { headers } = service.seen.at(-1) as { headers: Record<string, unknown> };
    expect(headers['x-team']).toBe('blue');
    expect(Object.keys(headers).filter((name) => /^x.team$/.test(name))).toEqual(['x-team']);
  });

  test('a body is read for the rule that asks for it, and arrives whole', async () => {
    const post = (amount: number) =>
      fetch(`http://127.0.0.1:${gate.proxyPort}/acme/office`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${tokenOf('acme', { active: true, limit: 10 })}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ amount }),
      });
    expect((await post(10)).status).toBe(200);
    expect(service.seen.at(-1)).toMatchObject({ body: '{"amount":10}' });
    expect((await post(11)).status).toBe(403);
  });

  test('the client is told the reason alone; the log says which rule, and nothing of the claims', async () => {
    const { status, body } = await gate.send('/acme/x', { token: tokenOf('acme', { active: 'hunter2' }) });
    expect(status).toBe(403);
    expect(body).toContain('ruleRefused');
    expect(body).not.toMatch(/active|hunter2/);
    const line = await gate.process.logged('request', { reason: 'ruleRefused', status: 403, path: '/acme/x' });
    expect(JSON.stringify(line)).toContain('claims.active == true');
    expect(JSON.stringify(gate.process.log)).not.toContain('hunter2');
    expect((await gate.ops('/metrics')).body).toMatch(/reason="ruleRefused".* [1-9]/);
  });

  test('a reload takes the new rule, and not a broken one', async () => {
    const own = await runGate(configText(lane, 'claims.active == true'));
    await own.rewrite(configText(lane, 'claims.active == false'));
    own.process.signal('SIGHUP');
    await own.process.logged('config reloaded');
    expect(await send('/acme/x', { active: true }, {}, own)).toContain('403');
    expect(await send('/acme/x', { active: false }, {}, own)).toBe('passed');
    await own.rewrite(configText(lane, 'claims.active == tru'));
    own.process.signal('SIGHUP');
    await own.process.logged('reload refused: the config before it is still served');
    expect(await send('/acme/x', { active: false }, {}, own)).toBe('passed');
  });
});
