import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { endAll, jwtgateCommand, startJwtgate } from '../support/jwtgate-process.ts';
import { configText, type RunningGate, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { type LegacyService, startLegacyService } from '../support/system.ts';
import { until } from '../support/until.ts';

let service: LegacyService;
beforeAll(async () => {
  service = await startLegacyService();
});
afterEach(endAll);
afterAll(() => service.close());

const config = (tenants: readonly string[], more = '') => configText({ upstreamPort: service.port, tenants, more });

async function reload(...args: readonly string[]) {
  const asked = startJwtgate(['reload', ...args]);
  const code = await asked.ended;
  return { code, stdout: asked.stdout, stderr: asked.stderr };
}

const adminOf = async (folder: string) => {
  const socket = join(folder, 'admin.sock');
  return { more: `admin: unix:${socket}`, flags: ['--admin', `unix:${socket}`] };
};

test('by the admin listener: says what is served now, and what was changed', async () => {
  const folder = newFolder();
  const { more, flags } = await adminOf(folder);
  const gate = await runGate(config(['acme', 'globex'], more), { folder });
  expect(await reload(...flags)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^unchanged: generation 1, 2 tenants/),
  });

  await gate.rewrite(config(['globex', 'initech'], more));
  const { code, stdout, stderr } = await reload('-c', gate.configPath);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(
    /^reloaded: generation \d+, 2 tenants, hash [0-9a-f]{12}\n {2}added: initech\n {2}removed: acme\n$/,
  );
  expect((await gate.send('/initech/x', { token: tokenOf('initech') })).status).toBe(200);
  expect(await gate.process.logged('config reloaded')).toMatchObject({ cause: 'admin' });
});

test('a config that is refused: every problem, exit code 78, and no secret', async () => {
  const folder = newFolder();
  const { more, flags } = await adminOf(folder);
  const gate = await runGate(config(['acme'], more), { folder });
  await gate.rewrite(`${config(['acme'], more)}\nlissten: 1\nlimits: {headerBytes: many}\n`);
  const refused = await reload(...flags);
  expect(refused.code).toBe(78);
  expect(refused.stderr).toContain('lissten: unknown key');
  expect(refused.stderr).toContain('limits.headerBytes');
  expect(refused.stderr).toContain('the config before it is still served');
  expect(refused.stderr).not.toContain(secretOf('acme'));
  expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);

  const asJson = await reload(...flags, '--json');
  const { result, problems } = JSON.parse(asJson.stdout);
  const errors = problems.filter(({ severity }: { severity: string }) => severity === 'error');
  expect([asJson.code, result, errors.length]).toEqual([78, 'refused', 2]);
});

test('what waits for a restart is said', async () => {
  const folder = newFolder();
  const { more, flags } = await adminOf(folder);
  const gate = await runGate(config(['acme'], more), { folder });
  await gate.rewrite(config(['acme'], more).replace('listen: 127.0.0.1:0', 'listen: 127.0.0.2:0'));
  expect((await reload(...flags)).stdout).toContain('waits for a restart: listen');
});

test('only POST reloads, and only what a web page can not send unasked', async () => {
  const gate = await runGate(config(['acme'], 'admin: 127.0.0.1:0'));
  const [{ admin } = {}] = gate.process.log.filter(({ msg }) => msg === 'started');
  const url = `http://${admin}/api/reload`;
  expect((await fetch(url)).status).toBe(405);
  expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(403);
  const json = { 'content-type': 'application/json' };
  expect(
    (await fetch(url, { method: 'POST', headers: { ...json, origin: 'https://evil.example' }, body: '{}' })).status,
  ).toBe(403);
  expect((await fetch(url, { method: 'POST', headers: json, body: '{}' })).status).toBe(200);
});

test('by a signal: the pid file leads to the process, and its ops listener tells', async () => {
  const pidFile = join(newFolder(), 'jwtgate.pid');
  const gate = await runGate(config(['acme']), { args: ['--pid-file', pidFile] });
  const flags = ['--pid-file', pidFile, '--ops', `http://127.0.0.1:${gate.opsPort}`];
  expect(readFileSync(pidFile, 'utf8')).toBe(`${gate.process.child.pid}\n`);
  expect(await reload(...flags)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^unchanged: generation 1/) });

  await gate.rewrite(config(['acme', 'globex']));
  expect(await reload('--pid', String(gate.process.child.pid), ...flags.slice(2))).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^reloaded: generation \d+, 2 tenants/),
  });

  await gate.rewrite(`${config(['acme'])}\nlissten: 1\n`);
  const refused = await reload(...flags);
  expect(refused.code).toBe(78);
  expect(refused.stderr).toMatch(/1 problem, first at .*config\.yaml:\d+:\d+/);

  await stop(gate);
  expect(existsSync(pidFile)).toBe(false);
  expect(await reload(...flags)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('cannot read the pid file'),
  });
});

test.each([1, 2])('who reads in the log that it has started finds the pid file: workers %i', async (workers) => {
  const folder = newFolder();
  const [path, secret, pidFile] = [join(folder, 'config.yaml'), join(folder, 'secret'), join(folder, 'pid-and-log')];
  // Without a warning, so that the line goes out at once.
  await writeFile(secret, secretOf('acme'), { mode: 0o600 });
  const tenants = `tenants: {acme: {secret: {file: ${secret}, encoding: utf8}}}`;
  await writeFile(
    path,
    `listen: 127.0.0.1:0\nops: off\nworkers: ${workers}\nupstream: http://127.0.0.1:1\n${tenants}\n`,
  );
  // One file for both shows which came first: writing the number empties it.
  const log = openSync(pidFile, 'a');
  const [command, main] = jwtgateCommand;
  const gate = spawn(command, [main, 'run', '-c', path, '--pid-file', pidFile], { stdio: ['ignore', log, 'inherit'] });
  closeSync(log);
  try {
    const written = () => readFileSync(pidFile, 'utf8');
    await until('it told its number and that it started', () => /^\d+\n.*"msg":"started"/.test(written()));
    expect(written()).toMatch(new RegExp(`^${gate.pid}\n`));
  } finally {
    await end(gate);
  }
});

test('SIGHUP would end another program: an old pid file signals none', async () => {
  const gate = await runGate(config(['acme']));
  const other = spawn('sleep', ['60']);
  const pidFile = join(newFolder(), 'old.pid');
  try {
    await writeFile(pidFile, `${other.pid}\n`);
    const asked = await reload('--pid-file', pidFile, '--ops', `http://127.0.0.1:${gate.opsPort}`);
    expect(asked.code).toBe(69);
    expect(asked.stderr).toMatch(/process \d+ is sleep, and no jwtgate run: is the pid file an old one\?/);
    expect(other.exitCode ?? other.signalCode).toBeNull();
  } finally {
    await end(other);
  }
  await writeFile(pidFile, `${other.pid}\n`);
  const gone = await reload('--pid-file', pidFile, '--ops', `http://127.0.0.1:${gate.opsPort}`);
  expect([gone.code, gone.stderr]).toEqual([69, expect.stringContaining('there is no process')]);
});

test('where nobody answers, it says who was asked and where', async () => {
  const nobody = 'http://127.0.0.1:1';
  const asked = await reload('--admin', nobody);
  expect(asked.stderr).toBe(
    `jwtgate: no answer from the admin listener at ${nobody}: ECONNREFUSED; is jwtgate running there?\n`,
  );
  expect((await reload('--admin', 'unix:/nowhere/admin.sock')).stderr).toContain('at unix:/nowhere/admin.sock: ENOENT');
});

test('no process is signalled where nobody could tell what becomes of it', async () => {
  const gate = await runGate(config(['acme']).replace('ops: 127.0.0.1:0', 'ops: 127.0.0.1:0'));
  const asked = await reload('--pid', String(gate.process.child.pid), '--ops', 'http://127.0.0.1:1');
  expect([asked.code, asked.stderr]).toEqual([69, expect.stringContaining('does not answer')]);
  expect(gate.process.log.some(({ msg }) => msg === 'config unchanged')).toBe(false);
});

test('something else that answers is no jwtgate', async () => {
  const server = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    expect((await reload('--admin', url)).code).not.toBe(0);
    expect(await reload('--pid', String(process.pid), '--ops', url)).toMatchObject({ code: 69 });
  } finally {
    server.close();
  }
});

test.each([
  ['a pid that is none', ['--pid', '-1'], 2],
  ['all processes', ['--pid', '0'], 2],
  ['two ways at once', ['--pid', '1', '--pid-file', 'x'], 2],
  ['a time that is none', ['--timeout', 'soon'], 2],
  ['an address that is none', ['--admin', 'localhost:9902'], 2],
  ['nobody there', ['--admin', 'http://127.0.0.1:1'], 69],
])('%s: exit code %s', async (_what, args, code) => {
  const asked = await reload(...(args as readonly string[]));
  expect(asked.code).toBe(code);
  expect(asked.stderr).toMatch(/^jwtgate: /);
});

test('a pid file that can not be written is no start', async () => {
  const path = join(newFolder(), 'config.yaml');
  await writeFile(path, config(['acme']));
  const started = startJwtgate(['run', '-c', path, '--pid-file', '/nowhere/jwtgate.pid']);
  expect(await started.ended).toBe(69);
  expect(started.stderr).toContain('cannot write the pid file /nowhere/jwtgate.pid: ENOENT');
});

async function stop(gate: RunningGate): Promise<void> {
  gate.process.signal('SIGTERM');
  await gate.process.ended;
}

async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill();
  await closed;
}
