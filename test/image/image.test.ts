import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { type RawUpstream, startRawUpstream } from '../support/upstream.ts';
import { buildImage, image, logOf, missing, podman } from './image-under-test.ts';

const secret = 'a secret of more than thirty-two bytes';
const name = `jwtgate-test-${process.pid}`;

let directory: string;
let upstream: RawUpstream;

beforeAll(async () => {
  if (missing !== undefined) return;
  directory = mkdtempSync(join(tmpdir(), 'jwtgate-image-'));
  chmodSync(directory, 0o755); // The container's user is another one.
  upstream = await startRawUpstream();
  buildImage();
  writeConfig('X-User-Id');
  const hardened = ['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges'];
  podman(
    'run',
    '--detach',
    '--name',
    name,
    '--network',
    'host',
    ...hardened,
    '-v',
    `${directory}:/etc/jwtgate:ro`,
    image,
  );
  await until('the container has started', () => logOf(name).some((line) => line.msg === 'started'), 20_000);
});

afterAll(async () => {
  if (missing !== undefined) return;
  spawnSync('podman', ['rm', '--force', '--time', '0', name]);
  await upstream.close();
  rmSync(directory, { recursive: true });
});

test('it lets a good request through and refuses a bad one', async ({ skip }) => {
  skip(missing !== undefined, missing);
  expect((await fetch(proxy(), bearer(secret))).status).toBe(200);
  expect((await fetch(proxy(), bearer(`not ${secret}`))).status).toBe(401);
  expect(upstream.requests().map((request) => request.headers['x-user-id'])).toEqual(['alice']);
});

test('its health check says so, inside', ({ skip }) => {
  skip(missing !== undefined, missing);
  expect(podman('exec', name, '/usr/local/bin/jwtgate', 'healthcheck', '--url', `http://${started().ops}`)).toContain(
    'ready',
  );
});

test('it is not root, by a number, and has no shell', ({ skip }) => {
  skip(missing !== undefined, missing);
  expect(podman('inspect', '--format', '{{.Config.User}}', name).trim()).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(spawnSync('podman', ['exec', name, 'sh', '-c', 'true']).status).not.toBe(0);
});

test('SIGHUP loads a config that was replaced in the mounted directory', async ({ skip }) => {
  skip(missing !== undefined, missing);
  writeConfig('X-Replaced');
  podman('kill', '--signal', 'HUP', name);
  await until('it says so', () => logOf(name).some((line) => line.msg === 'config reloaded'));
  await fetch(proxy(), bearer(secret));
  expect(upstream.requests().at(-1)?.headers).toMatchObject({ 'x-replaced': 'alice' });
});

test('it stops when asked, with exit code 0', ({ skip }) => {
  skip(missing !== undefined, missing);
  podman('stop', '--time', '10', name);
  expect(podman('inspect', '--format', '{{.State.ExitCode}}', name).trim()).toBe('0');
});

function started(): { proxy?: string; ops?: string } {
  return logOf(name).find((line) => line.msg === 'started') ?? {};
}

function proxy(): string {
  return `http://${started().proxy}/`;
}

/** As an editor or a deployment does it: a new file takes the old one's place. */
function writeConfig(header: string): void {
  const text = `listen: 127.0.0.1:0
ops: 127.0.0.1:0
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
