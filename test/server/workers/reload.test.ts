import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { childrenOf } from '../../support/children.ts';
import { findSample } from '../../support/exposition-parser.ts';
import { type HeldUpstream, startHeldUpstream } from '../../support/held-upstream.ts';
import { endAll } from '../../support/jwtgate-process.ts';
import { keyPair } from '../../support/key-pairs.ts';
import { configText, type RunningGate, runGate, secretOf, tokenOf } from '../../support/running-gate.ts';
import { newFolder } from '../../support/scratch-folder.ts';

let upstream: HeldUpstream;
const agents: Agent[] = [];
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  await endAll();
});
afterAll(() => upstream.close());

const config = (tenants: readonly string[], more = '') =>
  configText({ upstreamPort: upstream.port, tenants, more: `workers: 2\n${more}` });

/** Connections that are dealt out in turn: both workers have as many. */
function connections(count: number): Agent[] {
  const made = Array.from({ length: count }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  agents.push(...made);
  return made;
}

/** Statuses of the same request on each connection. */
async function ask(gate: RunningGate, tenant: string, over: readonly Agent[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const agent of over) statuses.push((await gate.send(`/${tenant}/x`, { token: tokenOf(tenant), agent })).status);
  return statuses;
}

async function kill(gate: RunningGate, pid: number | undefined): Promise<void> {
  process.kill(pid as number, 'SIGKILL');
  await gate.process.logged('worker replaced');
}

test('under load it loses no request, and every worker changes', async () => {
  const gate = await runGate(config(['acme', 'globex']));
  const clients = connections(8);
  const statuses = new Map<number, number>();
  let running = true;
  const load = clients.map(async (agent) => {
    while (running) {
      const { status } = await gate.send('/acme/x', { token: tokenOf('acme'), agent });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  });
  for (const [round, tenants] of [['acme', 'initech'], ['acme'], ['acme', 'globex', 'initech']].entries()) {
    await gate.rewrite(config(tenants));
    gate.process.signal('SIGHUP');
    await gate.process.logged('config reloaded', { tenants: tenants.length });
    expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_config_info', {})).toBe(1);
    expect((await gate.ops('/readyz')).body).toContain(`generation ${round + 2}`);
    const found = await ask(gate, 'initech', connections(4));
    expect(found).toEqual(Array.from({ length: 4 }, () => (tenants.includes('initech') ? 200 : 401)));
  }
  running = false;
  await Promise.all(load);
  expect([...statuses.keys()]).toEqual([200]);
  expect(gate.process.log.filter(({ msg }) => msg === 'worker ended')).toEqual([]);
});

test('a broken config changes no worker', async () => {
  const gate = await runGate(config(['acme']));
  await gate.rewrite(config(['globex'], 'lissten: x'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('reload refused: the config before it is still served');
  expect(await ask(gate, 'acme', connections(4))).toEqual([200, 200, 200, 200]);
  expect(await ask(gate, 'globex', connections(4))).toEqual([401, 401, 401, 401]);
  expect((await gate.ops('/readyz')).body).toContain('[!] last reload failed');
});

test('a worker that is started later gets the config that all serve, not the files of that moment', async () => {
  const folder = newFolder();
  const secretFile = join(folder, 'secret');
  writeFileSync(secretFile, secretOf('acme'), { mode: 0o600 });
  const text = config(['acme']).replace(`secret: ${secretOf('acme')}`, `secret: {file: ${secretFile}}`);
  const gate = await runGate(text, { folder });
  // Nobody has said that this is to be served: a file is gone, the other is half written.
  writeFileSync(secretFile, secretOf('globex'));
  await gate.rewrite('tenants: [');
  await kill(gate, childrenOf(gate.process.child.pid)[0]);
  expect(await ask(gate, 'acme', connections(4))).toEqual([200, 200, 200, 200]);

  await gate.rewrite(text);
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect(await ask(gate, 'acme', connections(4))).toEqual([401, 401, 401, 401]);
  await kill(gate, childrenOf(gate.process.child.pid)[0]);
  expect(await ask(gate, 'acme', connections(4))).toEqual([401, 401, 401, 401]);
});

test('a worker that is killed while a config is rolled out is replaced by one that serves it too', async () => {
  const gate = await runGate(config(['acme']));
  for (const tenants of [['acme', 'globex'], ['acme']]) {
    const [pid] = childrenOf(gate.process.child.pid);
    await gate.rewrite(config(tenants));
    gate.process.signal('SIGHUP');
    await delay(50);
    await kill(gate, pid);
    await gate.process.logged('config reloaded', { tenants: tenants.length });
    expect(await ask(gate, 'globex', connections(4))).toEqual(
      Array.from({ length: 4 }, () => (tenants.includes('globex') ? 200 : 401)),
    );
  }
});

test('`workers` itself needs a restart, and the reload says so', async () => {
  const gate = await runGate(config(['acme']));
  await gate.rewrite(config(['acme']).replace('workers: 2', 'workers: 3'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  const warning = await gate.process.logged('these settings were changed and need a restart; all others are live');
  expect(warning).toMatchObject({ settings: ['workers'] });
  expect(childrenOf(gate.process.child.pid)).toHaveLength(2);
});

test('a signing key that is rotated is published before any worker signs with it, also one that is started meanwhile', async () => {
  const folder = newFolder();
  const keyFile = join(folder, 'key.pem');
  const rotate = () => writeFileSync(keyFile, keyPair('ES256').privatePem, { mode: 0o600 });
  rotate();
  const sign = `{algorithm: ES256, privateKey: {file: ${keyFile}}, publishBefore: 1h, lifetime: 60s, payload: {sub: "\${claims.sub}"}, into: {header: X-Assertion}}`;
  const text = config(['acme']).replace(
    `upstream: http://127.0.0.1:${upstream.port}`,
    `upstream: {url: "http://127.0.0.1:${upstream.port}", sign: ${sign}}`,
  );
  const gate = await runGate(text, { folder });
  const published = async (): Promise<string[]> =>
    JSON.parse((await gate.ops('/.well-known/jwks.json')).body).keys.map(({ kid }: { kid: string }) => kid);
  const signers = async (over: readonly Agent[]) => {
    const before = upstream.seen.length;
    for (const [index, agent] of over.entries()) {
      const token = tokenOf('acme', { sub: `user ${before} ${index}` });
      expect((await gate.send('/acme/x', { token, agent })).status).toBe(200);
    }
    const assertions = upstream.seen.slice(before).map(({ headers }) => String(headers['x-assertion']));
    return new Set(assertions.map((assertion) => decodeProtectedHeader(assertion).kid));
  };
  const [old] = await published();
  expect(await signers(connections(4))).toEqual(new Set([old]));
  rotate();
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect(await published()).toHaveLength(2);
  await kill(gate, childrenOf(gate.process.child.pid)[0]);
  expect(await signers(connections(6))).toEqual(new Set([old]));
  expect(await published()).toContain(old);
});
