import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type BackendServer, type Haproxy, hasHaproxy, startHaproxy } from '../support/haproxy.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { hasNginx, type NginxBalancer, startNginx } from '../support/nginx-balancer.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { type RunningGate, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { startLoad } from '../support/steady-load.ts';
import { until } from '../support/until.ts';

// What a Deployment behind a Service does: replicas are replaced one by one while requests go on. Every token is for one
// request, and Redis is where the replicas tell each other; so a request that anyone tried twice would be refused.
const needs = (what: Readonly<Record<string, boolean>>) => {
  const missing = Object.keys(what).filter((program) => !what[program]);
  return { isMissing: missing.length > 0, because: missing.length > 0 ? ` (needs ${missing.join(' and ')})` : '' };
};
const { isMissing, because } = needs({ haproxy: hasHaproxy, 'redis-server': hasRedis });
const forNginx = needs({ nginx: hasNginx, 'redis-server': hasRedis });

afterEach(endAll);

describe.skipIf(isMissing).each(['auto', 'node'] as const)(
  `three replicas behind HAProxy, lane %s${because}`,
  (lane) => {
    test('are replaced one by one under load, and no request is lost, no token taken twice', async () => {
      await using system = await startSystem({ lane });
      await replaceOneByOne(system);
    });
  },
);

describe.skipIf(forNginx.isMissing)(`three replicas behind nginx${forNginx.because}`, () => {
  test('are replaced under load though it asks nobody’s health, and nothing is lost, no token taken twice', async () => {
    await using system = await startSystem({ front: startNginx, drainDelay: '0s' });
    await replaceOneByOne(system);
  });
});

describe.skipIf(isMissing)(`three replicas behind HAProxy: what would be lost otherwise${because}`, () => {
  test('a replica that is killed takes the requests under way with it, and this test sees that', async () => {
    await using system = await startSystem();
    const load = system.startLoad();
    const [victim] = system.replicas as [Replica];
    await until('it has a request under way', () => system.underWay(victim) > 0);
    victim.gate.process.signal('SIGKILL');
    await until(
      'HAProxy has noticed',
      async () => (await system.balancer.state?.(victim.name))?.startsWith('DOWN') === true,
      20_000,
    );
    await load.stop();
    expect(load.failures).not.toEqual([]);
    expect(system.used).toBeGreaterThan(load.succeeded);
    expect(system.usedTwice).toEqual([]);
  });

  test('a replica that stops accepting before its load balancer looks refuses what that still sends', async () => {
    await using system = await startSystem({ drainDelay: '0s', checkEveryMs: 60_000 });
    const load = system.startLoad();
    const [first] = system.replicas as [Replica];
    await system.isServedBy(first);
    first.gate.process.signal('SIGTERM');
    expect(await first.gate.process.ended).toBe(0);
    await until('a request fails', () => load.failures.length > 0);
    await load.stop();
    // None of those had begun: what was under way got its answer.
    expect(system.used).toBe(load.succeeded);
  });
});

async function replaceOneByOne(system: Awaited<ReturnType<typeof startSystem>>): Promise<void> {
  const load = system.startLoad();
  let interrupted = 0;
  for (const replica of system.replicas) {
    await system.isServedBy(replica);
    replica.gate.process.signal('SIGTERM');
    interrupted += Number((await replica.gate.process.logged('draining')).active_requests);
    expect(await replica.gate.process.ended).toBe(0);
    await replica.start();
  }
  for (const replica of system.replicas) await system.isServedBy(replica);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(interrupted).toBeGreaterThan(0);
  expect(load.succeeded).toBeGreaterThan(100);
  expect(system.usedTwice).toEqual([]);
  expect(system.used).toBe(load.succeeded);
}

interface Replica extends BackendServer {
  gate: RunningGate;
  start(): Promise<void>;
}

interface SystemOptions {
  readonly lane?: 'auto' | 'node';
  readonly drainDelay?: string;
  readonly checkEveryMs?: number;
  readonly front?: (replicas: readonly BackendServer[]) => Promise<NginxBalancer>;
}

async function startSystem(options: SystemOptions = {}) {
  const { lane = 'auto', drainDelay = '5s', checkEveryMs = 100, front } = options;
  const redis = await startRedis();
  const service = await startService();
  const replicas: Replica[] = [];
  for (const name of ['one', 'two', 'three']) {
    const [proxyPort, opsPort] = [await freePort(), await freePort()];
    const text = configText({ name, proxyPort, opsPort, lane, drainDelay, redis, upstreamPort: service.port });
    const replica = {
      name,
      proxyPort,
      opsPort,
      gate: await runGate(text),
      async start() {
        replica.gate = await runGate(text);
      },
    };
    replicas.push(replica);
  }
  const balancer: NginxBalancer & Partial<Haproxy> =
    (await front?.(replicas)) ?? (await startHaproxy(replicas, checkEveryMs));
  let tokens = 0;
  const served = new Map<string, number>();
  return {
    replicas,
    balancer,
    get used() {
      return service.used.size;
    },
    get usedTwice() {
      return [...service.used].filter(([, count]) => count > 1);
    },
    underWay: ({ name }: Replica) => service.underWay.get(name) ?? 0,
    startLoad: () => {
      const load = startLoad({
        port: balancer.port,
        clients: 16,
        next: () => {
          tokens += 1;
          const authorization = `Bearer ${tokenOf('acme', { jti: `token-${tokens}` })}`;
          // Some are slow enough that each replica is asked to stop in their midst.
          return { path: tokens % 2 === 0 ? '/slow' : '/quick', headers: { authorization } };
        },
        judge: ({ status, headers }) => {
          const replica = String(headers['x-replica']);
          served.set(replica, (served.get(replica) ?? 0) + 1);
          return status === 200 ? undefined : `status ${status}`;
        },
      });
      onTestFinished(() => load.stop());
      return load;
    },
    /** Resolves when this replica, as it runs now, has answered. */
    async isServedBy({ name }: Replica) {
      const before = served.get(name) ?? 0;
      await until(`answers by way of ${name}`, () => (served.get(name) ?? 0) > before);
    },
    async [Symbol.asyncDispose]() {
      await endAll();
      await balancer[Symbol.asyncDispose]();
      await service.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}

/** Answers with what the gate tells it: which token it was, and which replica brought it. */
async function startService() {
  const used = new Map<string, number>();
  const underWay = new Map<string, number>();
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const [id, replica] = [String(request.headers['x-token-id']), String(request.headers['x-replica'])];
    used.set(id, (used.get(id) ?? 0) + 1);
    underWay.set(replica, (underWay.get(replica) ?? 0) + 1);
    const answer = () => {
      underWay.set(replica, (underWay.get(replica) ?? 0) - 1);
      response.writeHead(200, { 'X-Replica': replica }).end('ok');
    };
    if (request.url === '/slow') setTimeout(answer, 100);
    else answer();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    used,
    underWay,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface ReplicaConfig {
  readonly name: string;
  readonly proxyPort: number;
  readonly opsPort: number;
  readonly lane: string;
  readonly drainDelay: string;
  readonly redis: RedisServer;
  readonly upstreamPort: number;
}

const configText = ({ name, proxyPort, opsPort, lane, drainDelay, redis, upstreamPort }: ReplicaConfig) => `
listen: 127.0.0.1:${proxyPort}
ops: 127.0.0.1:${opsPort}
upstream: http://127.0.0.1:${upstreamPort}
lane: ${lane}
timeouts: {drainDelay: ${drainDelay}}
tenants:
  acme:
    secret: ${secretOf('acme')}
    replay: {claim: jti, store: "redis://127.0.0.1:${redis.port}/0", timeout: 5s}
    headers: {X-Token-Id: "\${claims.jti}", X-Replica: ${name}}
`;
