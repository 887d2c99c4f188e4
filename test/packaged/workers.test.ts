import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { childrenOf, isRunning } from '../support/children.ts';
import { type JwtgateProcess, startJwtgate } from '../support/jwtgate-process.ts';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { executable, packagedRig, secret } from './rig.ts';

/* A single executable starts itself again: its arguments, its flags and its program lie otherwise than those of sources. */

const rig = packagedRig();

const config = () => join(rig.directory, 'config.yaml');

function writeConfig(more = ''): void {
  const lines = [
    'listen: 127.0.0.1:0',
    'ops: 127.0.0.1:0',
    `upstream: http://127.0.0.1:${rig.upstream.port}`,
    'workers: 2',
  ];
  writeFileSync(config(), `${lines.join('\n')}\ntenants: {acme: {secret: {file: secret}${more}}}\n`);
}

interface Running {
  readonly gate: JwtgateProcess;
  readonly url: string;
  readonly ops: string;
}

async function run(file = executable, env: NodeJS.ProcessEnv = {}): Promise<Running> {
  writeConfig();
  const gate = startJwtgate(['run', '-c', config()], { executable: [file], env });
  const { proxy, ops } = await gate.logged('started', { workers: 2 });
  return { gate, url: `http://${proxy}`, ops: `http://${ops}` };
}

async function ask({ url }: Running, jti?: string): Promise<number> {
  const claims = { sub: 'alice', jti, exp: Math.floor(Date.now() / 1000) + 60 };
  const headers = { Authorization: `Bearer ${mintHs256(secret, { claims })}`, Connection: 'close' };
  return (await fetch(`${url}/orders`, { headers })).status;
}

test('two workers serve, reload, and end with the primary; no environment is needed', async () => {
  const running = await run(executable, { PATH: undefined });
  const { gate, ops } = running;
  const pids = childrenOf(gate.child.pid);
  expect(pids).toHaveLength(2);
  for (const pid of pids) {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').filter(Boolean);
    expect(words.slice(1)).toEqual(['__worker', String(pids.indexOf(pid) + 1)]);
  }
  for (let i = 0; i < 6; i++) expect(await ask(running)).toBe(200);
  expect(await (await fetch(`${ops}/metrics`)).text()).toContain(
    'jwtgate_requests_total{tenant="acme",decision="allow",reason=""} 6',
  );

  writeConfig(', replay: {claim: jti}');
  gate.signal('SIGHUP');
  await gate.logged('config reloaded');
  const statuses = await Promise.all(Array.from({ length: 6 }, () => ask(running, 'one')));
  expect(statuses.toSorted()).toEqual([200, 401, 401, 401, 401, 401]);

  gate.signal('SIGTERM');
  expect(await gate.ended).toBe(0);
  expect(gate.stderr).toBe('');
  expect(pids.filter(isRunning)).toEqual([]);
});

test('a worker that is killed is replaced by the program that runs, also where another file has taken its place', async () => {
  const copy = join(rig.directory, 'jwtgate');
  copyFileSync(executable, copy);
  const running = await run(copy);
  const { gate } = running;
  rmSync(copy);
  writeFileSync(copy, '#!/bin/sh\necho another version >&2\nexit 1\n', { mode: 0o755 });
  process.kill(childrenOf(gate.child.pid)[0] as number, 'SIGKILL');
  await gate.logged('worker replaced');
  for (let i = 0; i < 4; i++) expect(await ask(running)).toBe(200);
  expect(gate.stderr).toBe('');
});

test('workers end by themselves when the primary is killed', async () => {
  const { gate } = await run();
  const pids = childrenOf(gate.child.pid);
  gate.signal('SIGKILL');
  await gate.ended;
  await until('they have ended', () => !pids.some(isRunning));
});

test('NODE_OPTIONS loads nothing into workers, and SIGUSR1 opens no debugger in them', async () => {
  const intruder = join(rig.directory, 'intruder.cjs');
  writeFileSync(intruder, `require('node:fs').writeFileSync(${JSON.stringify(join(rig.directory, 'was-here'))}, '')`);
  const running = await run(executable, { NODE_OPTIONS: `--require=${intruder}` });
  for (const pid of childrenOf(running.gate.child.pid)) process.kill(pid, 'SIGUSR1');
  for (let i = 0; i < 4; i++) expect(await ask(running)).toBe(200);
  expect(existsSync(join(rig.directory, 'was-here'))).toBe(false);
  expect(running.gate.stderr).toBe('');
});
