import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildImage, identity, image, missing, podman, root } from './image-under-test.ts';

interface Config {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly Labels: Readonly<Record<string, string>>;
}

const context = `localhost/jwtgate-context:${process.pid}`;
let config: Config;
let healthcheck: readonly string[];

beforeAll(() => {
  if (missing !== undefined) return;
  buildImage();
  const [found] = JSON.parse(podman('image', 'inspect', image));
  config = found.Config;
  healthcheck = (found.Healthcheck ?? found.Config.Healthcheck)?.Test;
});

afterAll(() => {
  if (missing === undefined) podman('image', 'rm', '--force', '--ignore', context);
});

test('its user is a number, and not root', ({ skip }) => {
  skip(missing !== undefined, missing);
  expect(config.User).toMatch(/^[1-9]\d*:[1-9]\d*$/);
});

test('it runs jwtgate, and asks it for its health', ({ skip }) => {
  skip(missing !== undefined, missing);
  expect([config.Entrypoint, config.Cmd]).toEqual([['/usr/local/bin/jwtgate'], ['run']]);
  expect(healthcheck).toEqual(['CMD', '/usr/local/bin/jwtgate', 'healthcheck']);
  expect(Object.keys(config.ExposedPorts)).toEqual(['8080/tcp', '9901/tcp']);
});

test('it says what it is, by the labels that OCI names', ({ skip }) => {
  skip(missing !== undefined || process.env.JWTGATE_IMAGE !== undefined, missing ?? 'it was built elsewhere');
  const of = (name: string) => config.Labels[`org.opencontainers.image.${name}`];
  expect([of('title'), of('version'), of('revision'), of('licenses')]).toEqual([
    'jwtgate',
    identity.version,
    identity.commit,
    'MIT',
  ]);
  expect(of('description')).toMatch(/JWT/);
  expect(podman('run', '--rm', '--network', 'none', image, '--version')).toContain(
    `jwtgate ${identity.version} (commit ${identity.commit}, `,
  );
});

test('there is no shell in it, no package manager, and no sources', ({ skip }) => {
  skip(missing !== undefined, missing);
  const container = podman('create', '--network', 'none', image).trim();
  const list = execFileSync('sh', ['-c', 'podman export "$1" | tar -tf -', 'sh', container], { encoding: 'utf8' });
  podman('rm', container);
  const files = list.split('\n');
  expect(files).toContain('usr/local/bin/jwtgate');
  const programs = files.filter((file) => /(?:^|\/)s?bin\/[^/]+$/.test(file)).map((file) => file.replace(/.*\//, ''));
  const unwanted = /^(?:sh|bash|dash|ash|busybox|apt|apt-get|dpkg|npm|npx|node|curl|wget|perl|python\d?)$/;
  expect(programs.filter((program) => unwanted.test(program))).toEqual([]);
  expect(files.filter((file) => /node_modules|\.ts$|package\.json$/.test(file))).toEqual([]);
});

test('what is sent to its build is small, and holds neither dependencies nor history nor secrets', ({ skip }) => {
  skip(missing !== undefined, missing);
  const folder = mkdtempSync(join(tmpdir(), 'jwtgate-context-'));
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY . /\n');
  podman('build', '--quiet', '--isolation', 'chroot', '--file', join(folder, 'Dockerfile'), '--tag', context, root);
  rmSync(folder, { recursive: true });
  const container = podman('create', '--network', 'none', context, 'nothing').trim();
  const list = execFileSync('sh', ['-c', 'podman export "$1" | tar -tvf -', 'sh', container], { encoding: 'utf8' });
  podman('rm', container);
  const entries = list.trim().split('\n');
  const bytes = entries.reduce((sum, entry) => sum + Number(entry.split(/\s+/)[2]), 0);
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThan(3_000_000);
  const top = new Set(entries.map((entry) => (entry.split(/\s+/)[5] ?? '').split('/')[0]));
  expect([...top].filter((name) => !/^(?:src|tools|package(?:-lock)?\.json|\.npmrc)$/.test(name ?? ''))).toEqual([]);
});
