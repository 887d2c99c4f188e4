// What a gate's start, reload and memory grow by, with tenants and with remembered tokens, and what single use costs:
// docs/scaling.md has figures.
//   npm run build && node bench/growth.ts
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { findExecutable } from './machine.ts';
import { findFreePorts } from './ports.ts';
import { readTreeUsage } from './process-usage.ts';
import { endChildrenOnExit, type RunningProcess, startProcess, waitForPort } from './processes.ts';
import { formatTable } from './report.ts';
import { startUpstream } from './upstream.ts';

const executable = join(import.meta.dirname, '../dist/jwtgate');
const sources = join(import.meta.dirname, '../src/main.ts');
const [command = '', ...firstArgs] = existsSync(executable) ? [executable] : [process.execPath, sources];
const tenantCounts = [1, 1_000, 10_000, 100_000];
const tokenCounts = [1, 10_000, 100_000];
/** As many requests for each, so that what serving them leaves behind is the same; a token is kept that comes again. */
const requests = 300_000;
/** For tokens that are sent once each. */
const singleTokens = 100_000;
const clients = 16;

const directory = mkdtempSync(join(tmpdir(), 'jwtgate-bench-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
const secretOf = (tenant: number) => `secret-${String(tenant).padStart(32, '0')}`;

interface Gate {
  readonly running: RunningProcess;
  readonly port: number;
  readonly startMs: number;
  /** Resolves with the line when the log says this, from now on. */
  logged(message: string): Promise<void>;
  rewrite(text: string): void;
}

async function startGate(text: string, ready: readonly string[] = ['started']): Promise<Gate> {
  const [port = 0] = await findFreePorts(1);
  const config = join(directory, 'config.yaml');
  const rewrite = (next: string) => writeFileSync(config, `listen: 127.0.0.1:${port}\nops: off\n${next}`);
  rewrite(text);
  const begin = performance.now();
  const args = [...firstArgs, 'run', '-c', config, '--log-format', 'json'];
  const running = startProcess({ command, args, cores: undefined, stdout: 'pipe' });
  const waiting = new Map<string, () => void>();
  if (running.child.stdout === null) throw new Error('no pipe');
  createInterface(running.child.stdout).on('line', (line) => {
    for (const [message, resolve] of waiting) if (line.includes(`"msg":"${message}"`)) resolve();
  });
  running.child.once('exit', () => waiting.size > 0 && process.stderr.write(running.complaint()));
  const logged = (message: string) => new Promise<void>((resolve) => waiting.set(message, resolve));
  await Promise.all(ready.map(logged));
  return { running, port, startMs: performance.now() - begin, logged, rewrite };
}

/** Once nothing happens any more; in MB of 10⁶ bytes. */
async function privateMb({ pid }: RunningProcess): Promise<number> {
  await delay(3_000);
  return readTreeUsage(pid).anonBytes / 1e6;
}

async function startRedis(): Promise<{ readonly running: RunningProcess; readonly port: number }> {
  const [port = 0] = await findFreePorts(1);
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory];
  const running = startProcess({ command: 'redis-server', args, cores: undefined });
  await waitForPort(port, running);
  return { running, port };
}

function tenantsText(upstreamPort: number, count: number, change: string): string {
  const line = (_: unknown, i: number) => `  app-${i}: {template: app, secret: ${secretOf(i)}}`;
  return `upstream: http://127.0.0.1:${upstreamPort}
templates: {app: {algorithms: [HS256], match: {path: "/\${tenant}/**"}}}
tenants:
${Array.from({ length: count }, line).join('\n')}
  changed: {template: app, secret: ${change.repeat(32)}}
`;
}

async function measureTenants(upstreamPort: number, count: number): Promise<string[]> {
  const gate = await startGate(tenantsText(upstreamPort, count, 'a'));
  const cpuMs = readTreeUsage(gate.running.pid).cpuNs / 1e6;
  const before = await privateMb(gate.running);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, readTreeUsage(gate.running.pid).anonBytes / 1e6);
  }, 20);
  gate.rewrite(tenantsText(upstreamPort, count, 'b'));
  const reloaded = gate.logged('config reloaded');
  const begin = performance.now();
  gate.running.child.kill('SIGHUP');
  await reloaded;
  const reloadMs = performance.now() - begin;
  // The config before stays for as long as a head may be under way, 10 s.
  await delay(12_000);
  clearInterval(watch);
  const after = await privateMb(gate.running);
  await gate.running.stop();
  return [count, gate.startMs, cpuMs, before, reloadMs, most, after].map(show);
}

async function measureTokens(upstreamPort: number, count: number): Promise<string[]> {
  const cache = 'verdictCache: {entries: 200000, bytes: 512MiB}';
  const gate = await startGate(`${cache}\nlog: {access: false}\n${tenantsText(upstreamPort, 1, 'a')}`);
  const tokens = Array.from({ length: count }, (_, i) => mint(i));
  const cpuBefore = readTreeUsage(gate.running.pid).cpuNs;
  await sendAll(gate.port, tokens, requests);
  const cpuUs = (readTreeUsage(gate.running.pid).cpuNs - cpuBefore) / 1e3 / requests;
  const after = await privateMb(gate.running);
  await gate.running.stop();
  return [count, cpuUs, after].map(show);
}

/** Each token is sent once. */
async function measureReplay(upstreamPort: number, where: string): Promise<string[]> {
  const text = `log: {access: false}\n${where}\n${tenantsText(upstreamPort, 1, 'a')}`;
  const gate = await startGate(text, where.includes('redis') ? ['started', 'replay store connected'] : ['started']);
  const tokens = Array.from({ length: singleTokens }, (_, i) => mint(i));
  const cpuBefore = readTreeUsage(gate.running.pid).cpuNs;
  await sendAll(gate.port, tokens, singleTokens);
  const cpuUs = (readTreeUsage(gate.running.pid).cpuNs - cpuBefore) / 1e3 / singleTokens;
  const after = await privateMb(gate.running);
  await gate.running.stop();
  return [where === '' ? 'off' : where, show(cpuUs), show(after)];
}

function mint(user: number): string {
  const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    jti: `token-${user}`,
    sub: `user-${user}`,
    email: `user-${user}@example.com`,
    name: 'Some Body',
    roles: ['reader', 'editor'],
  };
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const input = `${segment({ alg: 'HS256', typ: 'JWT' })}.${segment({ ...claims, iss: 'https://id.example/', exp })}`;
  return `${input}.${createHmac('sha256', secretOf(0)).update(input).digest('base64url')}`;
}

async function sendAll(port: number, tokens: readonly string[], requests: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  let next = 0;
  const send = (token: string) =>
    new Promise<void>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      request({ port, host: '127.0.0.1', path: '/app-0/x', headers, agent }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
        response.resume().on('end', resolve);
      })
        .on('error', reject)
        .end();
    });
  const client = async () => {
    while (next < requests) await send(tokens[next++ % tokens.length] as string);
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
}

function show(value: number): string {
  return value < 100 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}

async function print<T>(
  title: string,
  head: string[],
  cases: T[],
  measure: (one: T) => Promise<string[]>,
): Promise<void> {
  const rows: string[][] = [];
  for (const one of cases) rows.push(await measure(one));
  process.stdout.write(`\n## ${title}\n${formatTable([head, ...rows])}\n`);
}

endChildrenOnExit();
const upstream = await startUpstream(directory, undefined);
const tenantColumns = ['tenants', 'start ms', 'CPU ms', 'private MB', 'reload ms', 'at most MB', 'after MB'];
await print('tenants of one line, each with a secret of its own', tenantColumns, tenantCounts, (count) =>
  measureTenants(upstream.port, count),
);
const tokenColumns = ['tokens', 'CPU µs/request', 'private MB'];
await print(`tokens, all remembered, in ${requests} requests`, tokenColumns, tokenCounts, (count) =>
  measureTokens(upstream.port, count),
);
const replays = ['', `replay: {claim: jti, entries: ${singleTokens}}`];
const redis = findExecutable('redis-server') === undefined ? undefined : await startRedis();
if (redis !== undefined) replays.push(`replay: {store: "redis://127.0.0.1:${redis.port}/0"}`);
await print('tokens for one request each', ['replay', 'CPU µs/request', 'private MB'], replays, (where) =>
  measureReplay(upstream.port, where),
);
await redis?.running.stop();
await upstream.stop();
process.exit(0);
