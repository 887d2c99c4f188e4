import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { plainAnswer, type RawUpstream, startRawUpstream } from '../support/upstream.ts';
import { buildImage, image, logOf, missing, podman } from './image-under-test.ts';

// One container, in the order of a life: it starts, serves, reloads, drains; then another.
const secret = 'a secret of more than thirty-two bytes';
const name = `jwtgate-test-${process.pid}`;
const watching = `${name}-watching`;

let directory: string;
let upstream: RawUpstream;
let proxyPort: number;
let opsPort: number;

beforeAll(async () => {
  if (missing !== undefined) return;
  directory = mkdtempSync(join(tmpdir(), 'jwtgate-image-'));
  chmodSync(directory, 0o755); // The container's user is another one.
  // `/slow` is answered when a test says so.
  upstream = await startRawUpstream((unanswered) => (unanswered.startsWith('GET /slow ') ? undefined : plainAnswer));
  [proxyPort, opsPort] = [await freePort(), await freePort()];
  buildImage();
  writeConfig('X-User-Id');
  await start(name);
});

afterAll(async () => {
  if (missing !== undefined) return;
  spawnSync('podman', ['rm', '--force', '--time', '0', name, watching]);
  await upstream.close();
  rmSync(directory, { recursive: true });
});

test('it lets a good request through and refuses a bad one', async ({ skip }) => {
  skip(missing !== undefined, missing);
  expect((await fetch(proxy(), bearer(secret))).status).toBe(200);
  expect((await fetch(proxy(), bearer(`not ${secret}`))).status).toBe(401);
  expect(upstream.requests().map((request) => request.headers['x-user-id'])).toEqual(['alice']);
});

test('its own health check finds it healthy', async ({ skip }) => {
  skip(missing !== undefined, missing);
  podman('healthcheck', 'run', name);
  expect(podman('exec', name, '/usr/local/bin/jwtgate', 'healthcheck')).toContain('ready');
});

test('the process is not root, has no capability and can get none', ({ skip }) => {
  skip(missing !== undefined, missing);
  const pid = podman('inspect', '--format', '{{.State.Pid}}', name).trim();
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (key: string) => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1];
  const id = '65532';
  expect([field('Uid'), field('Gid')]).toEqual([Array(4).fill(id).join('\t'), Array(4).fill(id).join('\t')]);
  expect(['CapPrm', 'CapEff', 'CapBnd'].map(field)).toEqual(Array(3).fill('0'.repeat(16)));
  expect(field('NoNewPrivs')).toBe('1');
});

test('all of its files are read-only, as it writes none', ({ skip }) => {
  skip(missing !== undefined, missing);
  const pid = podman('inspect', '--format', '{{.State.Pid}}', name).trim();
  const mounts = readFileSync(`/proc/${pid}/mounts`, 'latin1').trim().split('\n');
  const options = (path: string) => mounts.find((line) => line.split(' ')[1] === path)?.split(' ')[3];
  expect([options('/'), options('/etc/jwtgate')]).toEqual([
    expect.stringMatching(/^ro,/),
    expect.stringMatching(/^ro,/),
  ]);
});

test('no shell can be started in it', ({ skip }) => {
  skip(missing !== undefined, missing);
  expect(spawnSync('podman', ['exec', name, 'sh', '-c', 'true']).status).toBe(127); // not found
});

test('podman kill -s HUP reloads a file that took the place of another in the mounted directory', async ({ skip }) => {
  skip(missing !== undefined, missing);
  writeConfig('X-Replaced');
  podman('kill', '--signal', 'HUP', name);
  await until('it says so', () => says(name, 'config reloaded'));
  await fetch(proxy(), bearer(secret));
  expect(upstream.requests().at(-1)?.headers).toMatchObject({ 'x-replaced': 'alice' });
});

test('podman stop lets a request that is under way come to its end, and exits with 0', async ({ skip }) => {
  skip(missing !== undefined, missing);
  const answer = fetch(`${proxy()}slow`, bearer(secret));
  const waiting = () => upstream.connections.find(({ unanswered }) => unanswered.startsWith('GET /slow '));
  await until('the upstream has it', () => waiting() !== undefined);
  const stop = spawn('podman', ['stop', '--time', '60', name], { stdio: 'ignore' });
  const stopped = once(stop, 'exit');
  await until('it drains', () => says(name, 'draining'));
  waiting()?.socket.write(plainAnswer);
  expect([(await answer).status, await (await answer).text()]).toEqual([200, 'ok']);
  await stopped;
  expect(podman('inspect', '--format', '{{.State.ExitCode}}', name).trim()).toBe('0');
  expect(logOf(name).at(-1)).toMatchObject({ msg: 'stopped' });
});

test('with --watch it sees such a file by itself', async ({ skip }) => {
  skip(missing !== undefined, missing);
  await start(watching, 'run', '--watch');
  writeConfig('X-Watched');
  await until('it says so', () => says(watching, 'config reloaded'));
  await fetch(proxy(), bearer(secret));
  expect(upstream.requests().at(-1)?.headers).toMatchObject({ 'x-watched': 'alice' });
});

/** Hardened as far as that goes. */
async function start(container: string, ...command: string[]): Promise<void> {
  const hardened = ['--read-only', '--read-only-tmpfs=false', '--cap-drop=ALL', '--security-opt=no-new-privileges'];
  const mount = ['-v', `${directory}:/etc/jwtgate:ro`];
  podman('run', '--detach', '--name', container, '--network', 'host', ...hardened, ...mount, image, ...command);
  await until(`${container} has started`, () => says(container, 'started'));
}

function says(container: string, message: string): boolean {
  return logOf(container).some(({ msg }) => msg === message);
}

function proxy(): string {
  return `http://127.0.0.1:${proxyPort}/`;
}

/** As an editor or a deployment does it: a new file takes the old one's place. */
function writeConfig(header: string): void {
  const text = `listen: 127.0.0.1:${proxyPort}
ops: 127.0.0.1:${opsPort}
upstream: http://127.0.0.1:${upstream.port}
tenants:
  acme: {secret: ${secret}, algorithms: [HS256], headers: {${header}: "\${claims.sub}"}}
`;
  writeFileSync(join(directory, 'new'), text);
  renameSync(join(directory, 'new'), join(directory, 'config.yaml'));
}

function bearer(key: string): RequestInit {
  const exp = Math.floor(Date.now() / 1000) + 60;
  return { headers: { Authorization: `Bearer ${mintHs256(key, { claims: { sub: 'alice', exp } })}` } };
}
