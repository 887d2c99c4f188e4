import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../support/free-port.ts';
import { type Manifest, parseManifests } from '../support/manifests.ts';
import { ask } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { buildImage, image, isHere, logOf, missing as missingForImage, nodeImage, podman } from './image-under-test.ts';

// deploy/kubernetes/pod.yaml by `podman kube play`, which knows neither native sidecars nor Kubernetes' probes.
const missing = missingForImage ?? (isHere(nodeImage) ? undefined : `no image ${nodeImage}`);
const name = `jwtgate-test-${process.pid}`;
const gate = `${name}-jwtgate`;
const path = join(newFolder(), 'pod.yaml');

/** A legacy service: listens where it is told, and tells what it was sent. */
const app = `process.on('SIGTERM', process.exit);
require('http').createServer((q, s) => s.end(JSON.stringify(q.headers))).listen(process.env.PORT, process.env.HOST)`;

let proxyPort: number;
let opsPort: number;
let appPort: number;
let config: string;

beforeAll(async () => {
  if (missing !== undefined) return;
  buildImage();
  [proxyPort, opsPort, appPort] = [await freePort(), await freePort(), await freePort()];
  writeFileSync(path, adapted(readFileSync(resolve(import.meta.dirname, '../../deploy/kubernetes/pod.yaml'), 'utf8')));
  await play(path);
  await until('the gate has started', () => logOf(gate).some(({ msg }) => msg === 'started'));
  await until('so has the app', async () => (await ask(proxyPort, '/health', {})).status === 200);
});

afterAll(() => {
  if (missing !== undefined) return;
  spawnSync('podman', ['pod', 'rm', '--force', '--time', '0', name]);
  spawnSync('podman', ['volume', 'rm', '--force', `${name}-config`, `${name}-secrets`]);
  spawnSync('podman', ['secret', 'rm', `${name}-secrets`]);
});

test('the gate in the pod lets a good request through to the app beside it', async ({ skip }) => {
  skip(missing !== undefined, missing);
  const good = await send('acme', '/', secretOf('acme'));
  expect([good.status, JSON.parse(good.body)]).toMatchObject([200, { 'x-jwt-tenant': 'acme' }]);
  expect((await send('acme', '/', 'another secret of more than thirty-two bytes')).status).toBe(401);
});

test('the app’s health is open, and the app itself listens on loopback only', async ({ skip }) => {
  skip(missing !== undefined, missing);
  expect((await ask(proxyPort, '/health', {})).status).toBe(200);
  expect(spawnSync('ss', ['-Hltn', `sport = :${appPort}`], { encoding: 'utf8' }).stdout).toContain(
    `127.0.0.1:${appPort}`,
  );
});

test('what Kubernetes would ask by probes answers', ({ skip }) => {
  skip(missing !== undefined, missing);
  expect(podman('exec', gate, '/usr/local/bin/jwtgate', 'healthcheck')).toContain('ready');
});

test('a config that is swapped in as the kubelet does it is taken up, and its new tenant is served', async ({
  skip,
}) => {
  skip(missing !== undefined, missing);
  const volume = podman('volume', 'inspect', `${name}-config`, '--format', '{{.Mountpoint}}').trim();
  const swapIn = (version: string, text: string) => {
    mkdirSync(join(volume, version));
    writeFileSync(join(volume, version, 'config.yaml'), text);
    symlinkSync(version, join(volume, '..data_tmp'));
    renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
  };
  const reloads = () => logOf(gate).filter(({ msg }) => msg === 'config reloaded').length;
  // podman lays a plain file there; from here on it is what Kubernetes would have laid.
  swapIn('..version_1', config);
  symlinkSync('..data/config.yaml', join(volume, 'new'));
  renameSync(join(volume, 'new'), join(volume, 'config.yaml'));
  const tenants = `
  acme: {match: {header: {X-Tenant: acme}}, secret: {file: /run/secrets/jwtgate/acme}, algorithms: [HS256]}
  globex: {match: {header: {X-Tenant: globex}}, secret: globex-${'x'.repeat(32)}, algorithms: [HS256]}
`;
  swapIn('..version_2', config.replace(/^tenants:[\s\S]*/m, `tenants:${tenants}`));
  await until('it was taken up', () => reloads() > 0);
  expect((await send('globex', '/', `globex-${'x'.repeat(32)}`)).status).toBe(200);
  expect((await send('acme', '/', secretOf('acme'))).status).toBe(200);
});

test('the gate stops within its grace period, drained', ({ skip }) => {
  skip(missing !== undefined, missing);
  podman('stop', '--time', '20', gate);
  expect(podman('inspect', '--format', '{{.State.ExitCode}}', gate).trim()).toBe('0');
  expect(logOf(gate).at(-1)).toMatchObject({ msg: 'stopped' });
});

/** The file with images that are here, on the host's network and free ports, under names of this test's own. */
function adapted(text: string): string {
  const [map, pod] = parseManifests(text) as [Manifest, Manifest];
  config = (map.data?.['config.yaml'] ?? '')
    .replace('0.0.0.0:8080', `127.0.0.1:${proxyPort}`)
    .replace('0.0.0.0:9901', `127.0.0.1:${opsPort}`)
    .replace('127.0.0.1:3000', `127.0.0.1:${appPort}`)
    .replace('drainDelay: 10s', 'drainDelay: 1s');
  const [sidecar, legacy] = pod.spec.containers;
  const { ports: _, ...gateContainer } = { ...sidecar, image };
  const environment = [
    { name: 'HOST', value: '127.0.0.1' },
    { name: 'PORT', value: String(appPort) },
  ];
  const appContainer = { ...legacy, image: nodeImage, command: ['node', '-e', app], env: environment };
  const [configVolume, secretVolume] = pod.spec.volumes;
  const spec = {
    ...pod.spec,
    hostNetwork: true,
    containers: [gateContainer, appContainer],
    volumes: [
      { ...configVolume, configMap: { name: `${name}-config` } },
      { ...secretVolume, secret: { ...secretVolume.secret, secretName: `${name}-secrets` } },
    ],
  };
  const acme = Buffer.from('the secret of acme, of more than thirty-two bytes').toString('base64');
  const documents = [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: `${name}-secrets` }, data: { acme } },
    { ...map, metadata: { name: `${name}-config` }, data: { 'config.yaml': config } },
    { ...pod, metadata: { ...pod.metadata, name }, spec },
  ];
  return documents.map((document) => stringify(document)).join('---\n');
}

/** The pod's monitors keep whatever they are given for output: a file, as a pipe would stay open as long as the pod runs. */
async function play(file: string): Promise<void> {
  const output = `${file}.log`;
  const descriptor = openSync(output, 'w');
  const [code] = await once(
    spawn('podman', ['kube', 'play', file], { stdio: ['ignore', descriptor, descriptor] }),
    'exit',
  );
  if (code !== 0) throw new Error(`podman kube play:\n${readFileSync(output, 'utf8')}`);
}

/** What podman mounted: older versions leave a Secret's base64 as it is. */
function secretOf(key: string): string {
  const volume = podman('volume', 'inspect', `${name}-secrets`, '--format', '{{.Mountpoint}}').trim();
  return readFileSync(join(volume, key), 'utf8');
}

function send(tenant: string, target: string, secret: string) {
  const exp = Math.floor(Date.now() / 1000) + 60;
  const token = mintHs256(secret, { claims: { sub: 'alice', exp } });
  return ask(proxyPort, target, { authorization: `Bearer ${token}`, 'x-tenant': tenant });
}
