import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };

export const root = resolve(import.meta.dirname, '../..');
const bases = [...readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/^ARG \w+_IMAGE=(\S+)$/gm)].map(
  ([, base]) => base as string,
);

/** What is tested: `JWTGATE_IMAGE`, which is built already, or what `buildImage` makes. */
export const image = process.env.JWTGATE_IMAGE ?? 'localhost/jwtgate:test';

/** Brings Node: the Dockerfile builds in it. */
export const nodeImage = bases[0] as string;

/** What the image is built with. */
export const identity = { version: packageJson.version, commit: 'a1b2c3d4e5f6' };

/** Needs podman, and the two base images: at hand, of a registry, or made here of Debian's packages. */
export const missing = whatIsMissing();

function whatIsMissing(): string | undefined {
  if (spawnSync('podman', ['--version']).error) return 'podman is not installed';
  if (process.env.JWTGATE_IMAGE) return undefined;
  const isRoot = process.getuid?.() === 0;
  if (isRoot) return prepareOwnStore();
  const absent = bases.filter((base) => !isHere(base));
  return absent.length > 0 ? `no base image, and only root can make stand-ins: ${absent.join(', ')}` : undefined;
}

/** Kept from one run to the next: what it takes a minute to make, and the layers of the image's own build. */
function prepareOwnStore(): string | undefined {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'jwtgate', 'image-tests');
  const timeoutMs = 300_000;
  const { status, stderr, error } = spawnSync(join(import.meta.dirname, 'base-images.sh'), [folder, ...bases], {
    encoding: 'utf8',
    stdio: ['ignore', 'inherit', 'pipe'],
    timeout: timeoutMs,
  });
  process.env.CONTAINERS_STORAGE_CONF = join(folder, 'storage.conf');
  process.env.CONTAINERS_CONF = join(folder, 'containers.conf');
  process.env.CONTAINERS_REGISTRIES_CONF = join(folder, 'registries.conf');
  if (status === 0) return undefined;
  return error?.message ?? (stderr.trim().split('\n').at(-1) || 'no base images');
}

/** Is the image at hand, or can it be had? */
export function isHere(name: string): boolean {
  const has = spawnSync('podman', ['image', 'exists', name]).status === 0;
  return has || spawnSync('podman', ['pull', '--quiet', name]).status === 0;
}

export function buildImage(): void {
  if (process.env.JWTGATE_IMAGE !== undefined) return;
  const args = ['--format', 'docker', '--network', 'host', '--isolation', 'chroot', '--layers', '--quiet'];
  podman('build', ...args, '--build-arg', `COMMIT=${identity.commit}`, '--tag', image, root);
  podman('image', 'prune', '--force', '--filter', 'until=72h'); // What the tag was taken from.
}

/** Its output; throws with what it said on stderr where it fails. */
export function podman(...args: string[]): string {
  return execFileSync('podman', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64e6 });
}

/** A container's log so far. */
export function logOf(container: string): { msg?: string; proxy?: string; ops?: string }[] {
  return podman('logs', container)
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
