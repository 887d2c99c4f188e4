import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Agent, request, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { childrenOf, isRunning } from '../../support/children.ts';
import { findSample, parseExposition } from '../../support/exposition-parser.ts';
import { type HeldUpstream, startHeldUpstream } from '../../support/held-upstream.ts';
import { endAll, startJwtgate } from '../../support/jwtgate-process.ts';
import { configText, type Reply, type RunningGate, runGate, secretOf, tokenOf } from '../../support/running-gate.ts';
import { newFolder } from '../../support/scratch-folder.ts';
import { until } from '../../support/until.ts';

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

const config = (more = '', tenants = ['acme']) =>
  configText({ upstreamPort: upstream.port, tenants, more: `workers: 2\n${more}` });

const workersOf = (gate: RunningGate) => childrenOf(gate.process.child.pid);

/** Keeps one connection. */
function connection(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agents.push(agent);
  return agent;
}

async function nextHeld(count: number): Promise<ServerResponse[]> {
  const held: ServerResponse[] = [];
  while (held.length < count) held.push(await upstream.nextHeld());
  return held;
}

const metric = async (gate: RunningGate, name: string, labels: Record<string, string> = {}) =>
  findSample((await gate.ops('/metrics')).body, name, labels);

describe('two workers', () => {
  test('share the clients evenly, one by one, and answer the ops listener as one', async () => {
    const gate = await runGate(config());
    expect(gate.process.log.find(({ msg }) => msg === 'started')).toMatchObject({ workers: 2 });
    expect(workersOf(gate)).toHaveLength(2);
    const clients = Array.from({ length: 8 }, connection);
    for (const agent of clients) {
      expect((await gate.send('/acme/x', { token: tokenOf('acme'), agent })).status).toBe(200);
    }
    await until('both have four', async () => {
      const connections = parseExposition((await gate.ops('/metrics')).body).filter(
        ({ name }) => name === 'jwtgate_worker_connections',
      );
      return connections.length === 2 && connections.every(({ value }) => value === 4);
    });
    expect(await metric(gate, 'jwtgate_requests_total', { tenant: 'acme', decision: 'allow' })).toBe(8);
    expect(await metric(gate, 'jwtgate_upstream_duration_seconds_count')).toBe(8);
    expect(await metric(gate, 'jwtgate_workers_serving')).toBe(2);
    expect((await gate.ops('/readyz')).body).toContain('[+] workers: 2 of 2 serve');
  });

  test('have nothing secret on their command lines and in their environments', async () => {
    const env = { ACME_SECRET: secretOf('acme'), UNRELATED: 'also-none-of-their-business' };
    const text = config().replace(secretOf('acme'), '{env: ACME_SECRET}');
    const gate = await runGate(text, { env });
    expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
    for (const pid of workersOf(gate)) {
      const shown = readFileSync(`/proc/${pid}/environ`, 'latin1') + readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      expect(shown).not.toContain(secretOf('acme'));
      expect(shown).not.toContain('none-of-their-business');
      expect(shown).toContain('__worker');
    }
  });

  test('serve on a unix socket, of which there is one, with its mode', async () => {
    const socketPath = join(newFolder(), 'proxy');
    const folder = newFolder();
    const path = join(folder, 'config.yaml');
    await writeFile(path, config().replace('listen: 127.0.0.1:0', `listen: unix:${socketPath}`));
    const gate = startJwtgate(['run', '-c', path]);
    expect(await gate.logged('started')).toMatchObject({ proxy: `unix:${socketPath}` });
    expect(lstatSync(socketPath).mode & 0o777).toBe(0o660);
    const headers = { Authorization: `Bearer ${tokenOf('acme')}` };
    for (let i = 0; i < 4; i++) {
      const [response] = await once(request({ socketPath, path: '/acme/x', headers, agent: false }).end(), 'response');
      expect(response.resume().statusCode).toBe(200);
    }
    gate.signal('SIGTERM');
    expect(await gate.ended).toBe(0);
    expect(() => lstatSync(socketPath)).toThrow('ENOENT');
  });

  test('an address that is taken: exit code 69, and no process is left', async () => {
    const first = await runGate(config());
    const path = join(newFolder(), 'config.yaml');
    await writeFile(path, config().replace('listen: 127.0.0.1:0', `listen: 127.0.0.1:${first.proxyPort}`));
    const second = startJwtgate(['run', '-c', path]);
    expect(await second.ended).toBe(69);
    expect(second.stderr).toContain('`listen`');
  });

  test('write whole lines, however many and long', async () => {
    const gate = await runGate(config());
    const path = `/acme/${'long'.repeat(1_000)}`;
    const clients = Array.from({ length: 8 }, connection);
    await Promise.all(
      clients.map(async (agent) => {
        for (let i = 0; i < 50; i++) await gate.send(path, { token: tokenOf('acme'), agent });
      }),
    );
    gate.process.signal('SIGTERM');
    expect(await gate.process.ended).toBe(0);
    const lines = gate.process.stdout.trim().split('\n');
    expect(lines.filter((line) => JSON.parse(line).msg === 'request')).toHaveLength(400);
  });

  test('`workers: 1` is this process alone', async () => {
    const gate = await runGate(config().replace('workers: 2', 'workers: 1'));
    expect(workersOf(gate)).toEqual([]);
    expect((await gate.ops('/metrics')).body).not.toContain('jwtgate_worker');
    expect((await gate.ops('/readyz')).body).not.toContain('workers');
  });

  test('nobody else can start one', async () => {
    const worker = startJwtgate(['__worker', '1']);
    expect(await worker.ended).toBe(2);
    expect(worker.stderr).toContain('run starts workers');
    const help = startJwtgate(['--help']);
    expect(await help.ended).toBe(0);
    expect(help.stdout).not.toContain('worker');
  });

  test('SIGUSR2 turns debug logging on and off in all of them', async () => {
    const gate = await runGate(config());
    gate.process.signal('SIGUSR2');
    expect(await gate.process.logged('log level changed')).toMatchObject({ now: 'debug' });
    gate.process.signal('SIGUSR2');
    expect(await gate.process.logged('log level changed')).toMatchObject({ now: 'info' });
  });
});

describe('the end', () => {
  test('SIGTERM lets what is under way in every worker end; nothing is lost, and no process is left', async () => {
    const gate = await runGate(config());
    const pids = workersOf(gate);
    const answers = Array.from({ length: 6 }, () =>
      gate.send('/acme/held', { token: tokenOf('acme'), agent: connection() }),
    );
    const held = await nextHeld(answers.length);
    gate.process.signal('SIGTERM');
    await gate.process.logged('draining', { active_requests: 6 });
    await expect(gate.send('/acme/x', { token: tokenOf('acme') })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect((await gate.ops('/readyz')).status).toBe(503);
    expect((await gate.ops('/livez')).status).toBe(200);
    expect(await metric(gate, 'jwtgate_active_requests')).toBe(6);
    for (const response of held) response.end('whole');
    for (const answer of answers) expect(await answer).toEqual({ status: 200, body: 'whole' });
    expect(await gate.process.ended).toBe(0);
    expect(gate.process.log.filter(({ msg }) => msg === 'request')).toHaveLength(6);
    expect(gate.process.log.at(-1)?.msg).toBe('stopped');
    expect(gate.process.stderr).toBe('');
    expect(pids.filter(isRunning)).toEqual([]);
  });

  test('timeouts.drainDelay: clients are dealt out until it is over', async () => {
    const gate = await runGate(config('timeouts: {drainDelay: 5s, drain: 5s}'));
    gate.process.signal('SIGTERM');
    await gate.process.logged('draining', { delay_ms: 5000 });
    for (let i = 0; i < 4; i++) expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
    expect(await gate.process.ended).toBe(0);
  });

  test('a drain waits no longer than timeouts.drain, and a second signal not at all', async () => {
    const gate = await runGate(config('timeouts: {drain: 300ms}'));
    const answer = gate.send('/acme/held', { token: tokenOf('acme') });
    const failed = expect(answer).rejects.toThrow();
    await upstream.nextHeld();
    gate.process.signal('SIGTERM');
    expect(await gate.process.ended).toBe(0);
    await failed;

    const other = await runGate(config());
    const pids = workersOf(other);
    const cut = expect(other.send('/acme/held', { token: tokenOf('acme') })).rejects.toThrow();
    await upstream.nextHeld();
    other.process.signal('SIGTERM');
    await other.process.logged('draining');
    other.process.signal('SIGTERM');
    expect(await other.process.ended).toBe(143);
    await cut;
    await until('its workers have ended', () => !pids.some(isRunning));
  });

  test('workers end by themselves when the primary is killed', async () => {
    const gate = await runGate(config());
    const pids = workersOf(gate);
    const cut = expect(gate.send('/acme/held', { token: tokenOf('acme') })).rejects.toThrow();
    await upstream.nextHeld();
    gate.process.signal('SIGKILL');
    await gate.process.ended;
    await until('they have ended', () => !pids.some(isRunning));
    await cut;
  });

  test('a signal to a worker is the primary’s to obey: it serves on', async () => {
    const gate = await runGate(config());
    const pids = workersOf(gate);
    for (const pid of pids)
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.kill(pid, signal);
    for (let i = 0; i < 4; i++) expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
    expect(workersOf(gate)).toEqual(pids);
  });
});

describe('a worker that is killed', () => {
  test('loses its own connections alone; another takes its place, is counted and logged, and no count goes back', async () => {
    const gate = await runGate(config());
    const [first, second] = workersOf(gate) as [number, number];
    const clients = Array.from({ length: 6 }, connection);
    const send = (agent: Agent) => gate.send('/acme/x', { token: tokenOf('acme'), agent });
    for (const agent of clients) await send(agent);
    const before = (await metric(gate, 'jwtgate_requests_total', { decision: 'allow' })) as number;
    expect(before).toBe(6);

    // Each client has one request under way: three of them in the worker that dies.
    const answers = clients.map((agent) => gate.send('/acme/held', { token: tokenOf('acme'), agent }));
    const settled = Promise.allSettled(answers);
    const held = await nextHeld(answers.length);
    process.kill(first, 'SIGKILL');
    expect(await gate.process.logged('worker ended')).toMatchObject({ worker: 1, signal: 'SIGKILL', cause: 'crash' });
    expect((await gate.ops('/readyz')).status).toBe(200);
    expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
    for (const response of held) response.end('whole');
    const outcomes = await settled;
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);

    expect(await gate.process.logged('worker replaced')).toMatchObject({ worker: 1 });
    const now = workersOf(gate);
    expect(now).toHaveLength(2);
    expect(now).toContain(second);
    expect(now).not.toContain(first);
    expect(await metric(gate, 'jwtgate_worker_losses_total', { cause: 'crash' })).toBe(1);
    expect(await metric(gate, 'jwtgate_workers_serving')).toBe(2);
    // One beside the three: the others were never finished.
    expect(await metric(gate, 'jwtgate_requests_total', { decision: 'allow' })).toBe(before + 4);
    const answered: Reply[] = [];
    for (let i = 0; i < 4; i++) answered.push(await gate.send('/acme/x', { token: tokenOf('acme') }));
    expect(answered.every(({ status }) => status === 200)).toBe(true);
  });

  test('while the primary can open no file: another takes its place once it can, and the other worker serves on', async () => {
    const gate = await runGate(config());
    const [first] = workersOf(gate) as [number, number];
    const limit = (files: string) =>
      execFileSync('prlimit', ['--pid', `${gate.process.child.pid}`, `--nofile=${files}:`]);
    const client = connection();
    for (const agent of [connection(), client]) await gate.send('/acme/x', { token: tokenOf('acme'), agent });
    limit('5');
    process.kill(first, 'SIGKILL');
    await gate.process.logged('a worker could not be started', { worker: 1 });
    expect((await gate.send('/acme/x', { token: tokenOf('acme'), agent: client })).status).toBe(200);
    limit('1000');
    await gate.process.logged('worker replaced', { worker: 1 });
    for (let i = 0; i < 4; i++) expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
  });

  test('again and again: the primary gives up with exit code 70, and says why', async () => {
    const gate = await runGate(config());
    let killed: number | undefined;
    // The first worker, each time it is back.
    for (let i = 0; i < 6; i++) {
      await until('worker 1 is there', () => {
        const pids = childrenOf(gate.process.child.pid);
        return pids.length === 2;
      });
      const pid = i === 0 ? workersOf(gate)[0] : (await gate.process.logged('worker replaced')).pid;
      killed = Number(pid);
      process.kill(killed, 'SIGKILL');
      await gate.process.logged('worker ended');
    }
    expect(await gate.process.ended).toBe(70);
    expect(await gate.process.logged('workers keep ending: giving up')).toMatchObject({
      level: 'fatal',
      detail: 'worker 1 ended 6 times in a row soon after its start',
    });
  });
});
