import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const bases = [...readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/^ARG \w+_IMAGE=(\S+)$/gm)].map(
  ([, base]) => base as string,
);

/** What is tested: `JWTGATE_IMAGE`, which is built already, or what `buildImage` makes. */
export const image = process.env.JWTGATE_IMAGE ?? 'localhost/jwtgate:test';

/** Brings Node: the Dockerfile builds in it. */
export const nodeImage = bases[0] as string;

/** Needs podman, and the two base images at hand or a registry to pull them from. */
export const missing = whatIsMissing();

function whatIsMissing(): string | undefined {
  if (spawnSync('podman', ['--version']).error) return 'podman is not installed';
  const absent = (process.env.JWTGATE_IMAGE ? [] : bases).filter((base) => !isHere(base));
  return absent.length > 0 ? `no base image: ${absent.join(', ')}` : undefined;
}

/** Is the image at hand, or can it be had? */
export function isHere(name: string): boolean {
  const has = spawnSync('podman', ['image', 'exists', name]).status === 0;
  return has || spawnSync('podman', ['pull', '--quiet', name]).status === 0;
}

export function buildImage(): void {
  if (process.env.JWTGATE_IMAGE !== undefined) return;
  podman('build', '--format', 'docker', '--network', 'host', '--isolation', 'chroot', '-t', image, root);
}

export function podman(...args: string[]): string {
  return execFileSync('podman', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** A container's log so far. */
export function logOf(container: string): { msg?: string; proxy?: string; ops?: string }[] {
  return podman('logs', container)
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
