import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { childrenOf } from '../../support/children.ts';
import { findSample } from '../../support/exposition-parser.ts';
import { jwksServer } from '../../support/jwks-server.ts';
import { endAll } from '../../support/jwtgate-process.ts';
import { keyPair } from '../../support/key-pairs.ts';
import { hasRedis, redisCli, startRedis } from '../../support/redis-server.ts';
import { type RunningGate, runGate, secretOf, tokenOf } from '../../support/running-gate.ts';
import { type LegacyService, startLegacyService } from '../../support/system.ts';
import { until } from '../../support/until.ts';

/* What holds for one process holds for two, whichever of them a request comes to. */

let service: LegacyService;
const agents: Agent[] = [];
beforeAll(async () => {
  service = await startLegacyService();
});
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  await endAll();
});
afterAll(() => service.close());

const config = (tenant: string, upstream = `http://127.0.0.1:${service.port}`) => `
listen: 127.0.0.1:0
ops: 127.0.0.1:0
workers: 2
upstream: ${upstream}
tenants:
  acme: {match: {path: /acme/**}, ${tenant}}
`;
const secret = `secret: ${secretOf('acme')}`;

function connections(count: number): Agent[] {
  const made = Array.from({ length: count }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  agents.push(...made);
  return made;
}

async function killOne(gate: RunningGate): Promise<void> {
  process.kill(childrenOf(gate.process.child.pid)[0] as number, 'SIGKILL');
  await gate.process.logged('worker replaced');
}

describe('a token for one request', () => {
  test('passes once over all workers, also when one was replaced since', async () => {
    const gate = await runGate(config(`${secret}, replay: {claim: jti}`));
    const over = connections(8);
    for (const jti of ['one', 'two', 'three']) {
      const token = tokenOf('acme', { jti });
      const answers = await Promise.all(over.map((agent) => gate.send('/acme/x', { token, agent })));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ body }) => body.includes('tokenReplayed'))).toHaveLength(7);
    }
    expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_replay_entries')).toBe(3);
    await killOne(gate);
    const token = tokenOf('acme', { jti: 'one' });
    for (const agent of connections(4)) expect((await gate.send('/acme/x', { token, agent })).status).toBe(401);
    gate.process.signal('SIGHUP');
    await gate.process.logged('config unchanged');
    await gate.rewrite(config(`${secret}, replay: {claim: jti, entries: 50}`));
    gate.process.signal('SIGHUP');
    await gate.process.logged('config reloaded');
    for (const agent of connections(4)) expect((await gate.send('/acme/x', { token, agent })).status).toBe(401);
  });

  test.each(['refuse', 'allow'])(
    'is refused while the primary does not answer, with onStoreFailure: %s',
    async (then) => {
      const gate = await runGate(config(`${secret}, replay: {claim: jti, onStoreFailure: ${then}}`));
      const [agent] = connections(1);
      const ask = (jti: string) => gate.send('/acme/x', { token: tokenOf('acme', { jti }), agent: agent as Agent });
      expect((await ask('one')).status).toBe(200);
      gate.process.signal('SIGSTOP');
      const refused = await ask('two');
      expect([refused.status, JSON.parse(refused.body).reason]).toEqual([503, 'stateUnavailable']);
      gate.process.signal('SIGCONT');
      expect((await ask('three')).status).toBe(200);
    },
  );
});

describe.skipIf(!hasRedis)('a revocation list in Redis (needs redis-server)', () => {
  test('is read once for all workers, who all hear of a change at once', async () => {
    await using redis = await startRedis();
    redisCli(redis.port, ['SADD', 'jwtgate:revoked', '# none']);
    const revoked = `revoked: {url: "redis://127.0.0.1:${redis.port}/0", refresh: 1h}`;
    const gate = await runGate(config(`${secret}, ${revoked}`));
    const over = connections(8);
    const token = tokenOf('acme', { jti: 'one' });
    const statuses = async () => {
      const answers = await Promise.all(over.map((agent) => gate.send('/acme/x', { token, agent })));
      return [...new Set(answers.map(({ status }) => status))];
    };
    await until('read', async () => (await statuses()).join() === '200');
    expect(redisCli(redis.port, ['INFO', 'commandstats'])).toMatch(/cmdstat_sscan:calls=1,/);
    redisCli(redis.port, ['SADD', 'jwtgate:revoked', 'jti one']);
    await until('revoked everywhere', async () => (await statuses()).join() === '401');
    redisCli(redis.port, ['SREM', 'jwtgate:revoked', 'jti one']);
    await until('nowhere any more', async () => (await statuses()).join() === '200');
    const [, clients] = /connected_clients:(\d+)/.exec(redisCli(redis.port, ['INFO', 'clients'])) ?? [];
    // The primary's, and the one that asks.
    expect(clients).toBe('2');
  });
});

describe('an upstream’s rate', () => {
  test('is one over all workers', async () => {
    const upstream = `{url: "http://127.0.0.1:${service.port}", rate: {limit: 5/h, burst: 5}}`;
    const gate = await runGate(config(secret, upstream));
    const statuses: number[] = [];
    for (const agent of connections(10)) {
      statuses.push((await gate.send('/acme/x', { token: tokenOf('acme'), agent })).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429, 429, 429]);
    await killOne(gate);
    expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(429);
  });
});

describe('a user’s provisioning', () => {
  test('is one call over all workers, and one that failed is made again', async () => {
    let status = 503;
    const directory = await startLegacyService(() => status);
    const provision = `provision: {url: "http://127.0.0.1:${directory.port}/users", subject: "\${claims.sub}"}`;
    const gate = await runGate(config(`${secret}, ${provision}`));
    const over = connections(8);
    const askAll = () => Promise.all(over.map((agent) => gate.send('/acme/x', { token: tokenOf('acme'), agent })));
    expect((await askAll()).every(({ body }) => body.includes('provisionFailed'))).toBe(true);
    const failed = directory.seen.length;
    status = 201;
    expect((await askAll()).map((answer) => answer.status)).toEqual(over.map(() => 200));
    expect((await askAll()).map((answer) => answer.status)).toEqual(over.map(() => 200));
    expect(directory.seen.length).toBe(failed + 1);
    await killOne(gate);
    for (const agent of connections(4)) {
      expect((await gate.send('/acme/x', { token: tokenOf('acme'), agent })).status).toBe(200);
    }
    expect(directory.seen.length).toBe(failed + 1);
    await directory.close();
  });
});

describe('a key provider', () => {
  const old = keyPair('ES256', 'old');
  const fresh = keyPair('ES256', 'fresh');
  const tokenBy = (key: typeof old) => key.sign({ sub: 'joe', exp: Math.floor(Date.now() / 1000) + 600 });

  test('is asked once for all workers, at the start, for a new key, and by a worker that is started later', async () => {
    await using provider = await jwksServer([old.jwk]);
    const gate = await runGate(
      config(`algorithms: [ES256], audience: any, jwks: {url: "${provider.url}", cooldown: 30s, required: true}`),
    );
    await until('it is ready', async () => (await gate.ops('/readyz')).status === 200);
    const send = (key: typeof old, agent: Agent) => gate.send('/acme/x', { token: tokenBy(key), agent });
    for (const agent of connections(4)) expect((await send(old, agent)).status).toBe(200);
    expect(provider.requests).toHaveLength(1);
    expect(gate.process.log.filter(({ msg }) => msg === 'keys changed')).toHaveLength(1);

    provider.publish([old.jwk, fresh.jwk]);
    for (const agent of connections(4)) expect((await send(fresh, agent)).status).toBe(200);
    expect(provider.requests).toHaveLength(2);
    const fetched = async () =>
      findSample((await gate.ops('/metrics')).body, 'jwtgate_jwks_fetches_total', { result: 'fetched' });
    expect(await fetched()).toBe(2);

    await killOne(gate);
    for (const agent of connections(4)) expect((await send(fresh, agent)).status).toBe(200);
    expect(provider.requests).toHaveLength(2);
    expect(await fetched()).toBe(2);
    expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_jwks_keys')).toBe(2);
  });

  test('that withdraws a key ends it in all workers as soon as one has heard of it', async () => {
    await using provider = await jwksServer([old.jwk]);
    const gate = await runGate(
      config(`algorithms: [ES256], audience: any, jwks: {url: "${provider.url}", cooldown: 1s}`),
    );
    const over = connections(4);
    const askAll = (key: typeof old) =>
      Promise.all(over.map(async (agent) => (await gate.send('/acme/x', { token: tokenBy(key), agent })).status));
    expect(await askAll(old)).toEqual([200, 200, 200, 200]);
    provider.publish([fresh.jwk]);
    const [first] = over;
    expect((await gate.send('/acme/x', { token: tokenBy(fresh), agent: first as Agent })).status).toBe(200);
    await until('the other has heard of it', async () => (await askAll(old)).every((status) => status === 401));
  });

  test('that is away is asked as often as by one process, and all workers have its keys when it is back', async () => {
    await using provider = await jwksServer([old.jwk]);
    const { answer } = provider;
    provider.answer = (request) => request.socket.destroy();
    const gate = await runGate(config(`algorithms: [ES256], audience: any, jwks: {url: "${provider.url}"}`));
    await until('it was asked three times', () => provider.requests.length >= 3);
    const over = connections(4);
    const askAll = () =>
      Promise.all(over.map(async (agent) => (await gate.send('/acme/x', { token: tokenBy(old), agent })).status));
    expect(await askAll()).toEqual([503, 503, 503, 503]);
    // 0.5 to 1 s, then 1 to 2 s, for one process; and a worker that was just started asks for itself.
    expect(provider.requests.length).toBeLessThanOrEqual(5);
    provider.answer = answer;
    await gate.process.logged('keys fetched again');
    const asked = provider.requests.length;
    await until('all have them', async () => (await askAll()).every((status) => status === 200));
    expect(provider.requests.length).toBe(asked);
  });
});

test('the admin listener tells of what any worker has refused', async () => {
  const gate = await runGate(`admin: 127.0.0.1:0\n${config(secret)}`);
  for (const agent of connections(4)) {
    expect((await gate.send('/acme/x', { token: `${tokenOf('acme')}x`, agent })).status).toBe(401);
  }
  const { admin } = gate.process.log.find(({ msg }) => msg === 'started') as { admin: string };
  const ask = async (path: string) =>
    (await fetch(`http://${admin}${path}`)).json() as Promise<Record<string, unknown>>;
  const { refusals } = (await ask('/api/refusals')) as { refusals: { id: string; reason: string }[] };
  expect(refusals.map(({ reason }) => reason)).toEqual(Array.from({ length: 4 }, () => 'signatureInvalid'));
  for (const { id } of refusals) expect(await ask(`/api/refusals/${id}`)).toMatchObject({ id, tenant: 'acme' });
  const headers = { 'Content-Type': 'application/json' };
  const question = { method: 'POST', headers, body: JSON.stringify({ method: 'GET', url: '/acme/x', headers: {} }) };
  const explained = await fetch(`http://${admin}/api/explain`, question);
  expect(await explained.json()).toMatchObject({ ladder: { verdict: 'refused', reason: 'tokenMissing' } });
});

test('clients that leave before they were dealt out are nobody’s trouble', async () => {
  const gate = await runGate(config(secret));
  const socket = connect(gate.proxyPort, '127.0.0.1');
  await once(socket, 'connect');
  for (let i = 0; i < 50; i++) {
    const leaving = connect(gate.proxyPort, '127.0.0.1', () => leaving.resetAndDestroy());
  }
  socket.write(`GET /acme/x HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${tokenOf('acme')}\r\n\r\n`);
  const [first] = await once(socket, 'data');
  expect(String(first)).toContain('200 OK');
  socket.destroy();
  expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
  expect(gate.process.log.filter(({ level }) => level === 'error')).toEqual([]);
});
