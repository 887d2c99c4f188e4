import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { type LegacyService, startLegacyService } from '../support/system.ts';
import { until } from '../support/until.ts';

let service: LegacyService;
beforeAll(async () => {
  service = await startLegacyService();
});
afterAll(async () => {
  await endAll();
  await service.close();
});

const configText = (replay: string, more = '') => `
listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${service.port}
${more}
tenants:
  acme: {match: {path: /acme/**}, secret: ${secretOf('acme')}, replay: ${replay}}
  globex: {match: {path: /globex/**}, secret: ${secretOf('globex')}}
`;

test('a token is for one request, also across a reload; a tenant without replay is not touched', async () => {
  const gate = await runGate(configText('{claim: jti}'));
  const token = tokenOf('acme', { jti: 'one' });
  const statuses = await Promise.all(Array.from({ length: 20 }, () => gate.send('/acme/x', { token })));
  expect(statuses.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(statuses.filter(({ status, body }) => status === 401 && body.includes('tokenReplayed'))).toHaveLength(19);

  await gate.rewrite(configText('{claim: jti, entries: 50}'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect((await gate.send('/acme/x', { token })).status).toBe(401);
  expect((await gate.ops('/metrics')).body).toContain('jwtgate_replay_entries 1');
  expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(403);

  const other = tokenOf('globex', { jti: 'one' });
  for (let i = 0; i < 2; i++) expect((await gate.send('/globex/x', { token: other })).status).toBe(200);
});

test('replay at the top is for every tenant but those that say off', async () => {
  const gate = await runGate(configText('off', 'replay: {claim: jti}'));
  const [acme, globex] = [tokenOf('acme', { jti: 'one' }), tokenOf('globex', { jti: 'one' })];
  for (const status of [200, 200]) expect((await gate.send('/acme/x', { token: acme })).status).toBe(status);
  for (const status of [200, 401]) expect((await gate.send('/globex/x', { token: globex })).status).toBe(status);
});

describe.skipIf(!hasRedis)('replicas that share Redis', () => {
  test('let a token through once between them', async () => {
    await using redis = await startRedis();
    const text = configText(`{store: "redis://127.0.0.1:${redis.port}/0", timeout: 5s}`);
    const gates = await Promise.all([runGate(text), runGate(text)]);
    await Promise.all(gates.map((gate) => gate.process.logged('replay store connected')));
    for (const jti of ['one', 'two', 'three']) {
      const token = tokenOf('acme', { jti });
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (gates[i % 2] as (typeof gates)[0]).send('/acme/x', { token })),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(19);
    }
  });

  test('start without it, refuse until it is there, and use it then', async () => {
    const port = await freePort();
    const gate = await runGate(configText(`{store: "redis://:hidden-word@127.0.0.1:${port}", timeout: 5s}`));
    await gate.process.logged('replay store lost');
    const token = tokenOf('acme', { jti: 'one' });
    const refused = await gate.send('/acme/x', { token });
    expect(refused.status).toBe(503);
    expect(refused.body).toContain('stateUnavailable');
    expect((await gate.send('/globex/x', { token: tokenOf('globex') })).status).toBe(200);
    expect((await gate.ops('/readyz')).status).toBe(200);
    expect((await gate.ops('/metrics')).body).not.toContain('hidden-word');
    await using _redis = await startRedis(port, ['--requirepass', 'hidden-word']);
    await gate.process.logged('replay store connected');
    // The first process has said so; with several, all are connected when the sum says so.
    const isUp = async () => /jwtgate_replay_store_up\{store="[^"]+"\} 1/.test((await gate.ops('/metrics')).body);
    await until('all are connected', isUp);
    for (const status of [200, 401]) expect((await gate.send('/acme/x', { token })).status).toBe(status);
  });

  test('let tokens through while it is away, where that was asked for', async () => {
    const gate = await runGate(configText(`{store: "redis://127.0.0.1:${await freePort()}", onStoreFailure: allow}`));
    const token = tokenOf('acme', { jti: 'one' });
    for (const status of [200, 200]) expect((await gate.send('/acme/x', { token })).status).toBe(status);
    expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(403);
  });
});
