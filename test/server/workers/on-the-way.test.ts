import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { childrenOf, isRunning } from '../../support/children.ts';
import { findSample } from '../../support/exposition-parser.ts';
import { type HeldUpstream, startHeldUpstream } from '../../support/held-upstream.ts';
import { endAll } from '../../support/jwtgate-process.ts';
import { openRawClient, type RawClient } from '../../support/raw-client.ts';
import { configText, type RunningGate, runGate, tokenOf } from '../../support/running-gate.ts';
import { newFolder } from '../../support/scratch-folder.ts';
import { patienceMs, until } from '../../support/until.ts';

/*
 * A client that was handed to a worker is on its way until the worker has taken it. A worker that is stopped (SIGSTOP)
 * takes nobody, and hears nothing before its end.
 */

let upstream: HeldUpstream;
const clients: RawClient[] = [];
const stopped: number[] = [];
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  // What is stopped would not notice that the test has ended.
  for (const pid of stopped.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  await endAll();
});
afterAll(() => upstream.close());

const config = (more = '') =>
  configText({ upstreamPort: upstream.port, tenants: ['acme'], more: `workers: 2\n${more}` });

const head = (path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${tokenOf('acme')}\r\n${more}\r\n`;

async function connect(at: { port: number } | { path: string }): Promise<RawClient> {
  const client = await openRawClient('port' in at ? { host: '127.0.0.1', ...at } : at);
  clients.push(client);
  return client;
}

function stop(pid: number): void {
  stopped.push(pid);
  process.kill(pid, 'SIGSTOP');
}

const workersOf = (gate: RunningGate) => childrenOf(gate.process.child.pid) as [number, number];
const openFiles = (pid: number | undefined) => readdirSync(`/proc/${pid}/fd`).length;

/** Clients whose requests are sent; resolves when half of them, those of the worker that runs, are answered. */
async function sendHalfAnswered(at: { port: number } | { path: string }, count: number): Promise<RawClient[]> {
  const sent: RawClient[] = [];
  for (let i = 0; i < count; i++) {
    const client = await connect(at);
    client.send(head('/acme/x'));
    sent.push(client);
  }
  const answered = () => sent.filter(({ received }) => received !== '').length;
  await until('half of them are answered', () => answered() === count / 2);
  return sent;
}

describe('a worker that is killed', () => {
  const socketPath = join(newFolder(), 'proxy');
  test.for([
    ['a port', '127.0.0.1:0'],
    ['a unix socket', `unix:${socketPath}`],
  ] as const)('loses nobody who was on the way to it: another serves them (%s)', async ([, listen]) => {
    const gate = await runGate(config().replace('listen: 127.0.0.1:0', `listen: ${listen}`));
    const at = listen.startsWith('unix:') ? { path: socketPath } : { port: gate.proxyPort };
    const [first] = workersOf(gate);
    stop(first);
    const sent = await sendHalfAnswered(at, 8);
    process.kill(first, 'SIGKILL');
    for (const client of sent) expect((await client.response()).status).toBe(200);
    // Each connection ends with what serves it: nothing else has kept hold of it.
    for (const client of sent) client.send(head('/acme/x', 'Connection: close\r\n'));
    for (const client of sent) {
      expect((await client.response()).status).toBe(200);
      expect(await client.closed()).toBe('end');
    }
  });

  test('loses nobody who waits to ask for a verdict either', async () => {
    const gate = await runGate(config('verify: {address: "127.0.0.1:0", front: nginx}\ntrustedProxies: [127.0.0.1]'));
    const port = Number(
      String(gate.process.log.find(({ msg }) => msg === 'started')?.verify)
        .split(':')
        .at(-1),
    );
    const [first] = workersOf(gate);
    stop(first);
    const original =
      'X-Original-Method: GET\r\nX-Original-URI: /acme/x\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 192.0.2.7\r\n';
    const asked: RawClient[] = [];
    for (let i = 0; i < 4; i++) {
      const client = await connect({ port });
      client.send(head('/verify', original));
      asked.push(client);
    }
    await until('half are answered', () => asked.filter(({ received }) => received !== '').length === 2);
    process.kill(first, 'SIGKILL');
    for (const client of asked) expect((await client.response()).status).toBe(200);
  });

  test('with both: those who wait are served by the first that comes in their place', async () => {
    const gate = await runGate(config());
    for (const pid of workersOf(gate)) stop(pid);
    const idle = openFiles(gate.process.child.pid);
    const sent: RawClient[] = [];
    for (let i = 0; i < 6; i++) {
      const client = await connect({ port: gate.proxyPort });
      client.send(head('/acme/x'));
      sent.push(client);
    }
    await until('they are on their way', () => openFiles(gate.process.child.pid) === idle + sent.length);
    for (const pid of workersOf(gate)) process.kill(pid, 'SIGKILL');
    for (const client of sent) expect((await client.response()).status).toBe(200);
  });

  test('keeps nobody who has left meanwhile, and no file of theirs', async () => {
    const gate = await runGate(config());
    const [first] = workersOf(gate);
    const idle = openFiles(gate.process.child.pid);
    stop(first);
    const sent = await sendHalfAnswered({ port: gate.proxyPort }, 8);
    for (const client of sent) client.destroy();
    process.kill(first, 'SIGKILL');
    await gate.process.logged('worker replaced');
    await until('nobody is connected', async () => {
      const { body } = await gate.ops('/metrics');
      return ['1', '2'].every((worker) => findSample(body, 'jwtgate_worker_connections', { worker }) === 0);
    });
    await until('no file is kept', () => openFiles(gate.process.child.pid) === idle);
    const client = await connect({ port: gate.proxyPort });
    client.send(head('/acme/x'));
    expect((await client.response()).status).toBe(200);
  });
});

/** Bytes that a process has read so far. */
function bytesRead(pid: number): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]);
}

/** Bytes that have come to this end of a connection and that nobody has read. */
function unread(port: number, { socket }: RawClient): number | undefined {
  const address = (value = 0) => `0100007F:${value.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n');
  const line = lines.find((text) => text.includes(` ${address(port)} ${address(socket.localPort)} `));
  const [, received] = line?.trim().split(/\s+/)[4]?.split(':') ?? [];
  return received === undefined ? undefined : Number.parseInt(received, 16);
}

describe('request smuggling by the end of a worker', () => {
  test('whoever was heard in part is cut off and not handed over: the rest of a request is never taken for the next', async () => {
    const gate = await runGate(config());
    const seen = upstream.seen.length;
    const primary = gate.process.child.pid as number;
    const workers = workersOf(gate);
    for (const pid of workers) stop(pid);
    const idle = openFiles(primary);
    const victims = [await connect({ port: gate.proxyPort }), await connect({ port: gate.proxyPort })];
    await until('both are on their way', () => openFiles(primary) === idle + victims.length);
    expect((await gate.ops('/livez')).status).toBe(200);
    stop(primary);
    const half = head('/acme/x').slice(0, -2);
    for (const client of victims) client.send(half);
    // The worst moment: a worker takes one, and reads, and dies, before it has told the primary so.
    for (const pid of workers) {
      const before = bytesRead(pid);
      process.kill(pid, 'SIGCONT');
      spinUntil(() => bytesRead(pid) >= before + half.length);
      process.kill(pid, 'SIGKILL');
    }
    const heard = victims.filter((client) => unread(gate.proxyPort, client) === 0);
    expect(heard.length).toBeGreaterThan(0);
    for (const client of heard) client.send(head('/acme/smuggled'));
    process.kill(primary, 'SIGCONT');
    for (const client of heard) {
      await until('it is cut off, or answered', () => client.socket.closed || client.received !== '');
      expect(client.received).toBe('');
    }
    for (let i = 0; i < 2; i++) await gate.process.logged('worker replaced');
    expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
    expect(upstream.seen.slice(seen).map(({ url }) => url)).toEqual(['/acme/x']);
  });
});

/** Without leaving this turn of the loop: what is waited for lasts some milliseconds. */
function spinUntil(holds: () => boolean): void {
  const deadline = performance.now() + patienceMs;
  while (!holds()) if (performance.now() > deadline) throw new Error('nothing was read');
}
