// The Node that goes into an executable: the one that runs this script, or its like for another machine.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './root.ts';

export const archs = ['x64', 'arm64'] as const;
export type Arch = (typeof archs)[number];

export interface Runtime {
  readonly version: string;
  readonly arch: Arch;
  /** The npm package it came in, with bin/node and LICENSE. */
  readonly folder: string;
  readonly node: string;
  /** Runs it here: what stands before its path on a command line. Undefined where nothing can. */
  readonly runner: readonly string[] | undefined;
}

/** `scratch`: where one that is not here is fetched to. */
export function findRuntime(arch: Arch, scratch: string): Runtime {
  const version = process.versions.node;
  const isForHere = arch === process.arch;
  const folder = isForHere ? dirname(dirname(realpathSync(process.execPath))) : fetchRuntime(arch, version, scratch);
  const node = join(folder, 'bin', 'node');
  return { version, arch, folder, node, runner: isForHere ? [] : findEmulator(arch, node) };
}

/** From the registry that npm is set up for. Not by an install: npm refuses packages for other machines. */
function fetchRuntime(arch: Arch, version: string, scratch: string): string {
  const name = `node-linux-${arch}`;
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const pinned = packages[`node_modules/${name}`];
  if (pinned.version !== version) throw new Error(`this is Node ${version}; package-lock.json pins ${pinned.version}`);
  npm('pack', '--silent', '--ignore-scripts', '--pack-destination', scratch, `${name}@${version}`);
  const archive = join(scratch, `${name}-${version}.tgz`);
  const digest = createHash('sha512').update(readFileSync(archive)).digest('base64');
  if (pinned.integrity !== `sha512-${digest}`) throw new Error(`${name} is not the one that package-lock.json pins`);
  execFileSync('tar', ['-xzf', archive, '-C', scratch]);
  return join(scratch, 'package');
}

/** Under npm these name the npm, and the Node, that run this script; else the shell's npm. */
function npm(...args: readonly string[]): void {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  const [command, first] = script && node && existsSync(node) ? [node, [script]] : ['npm', []];
  execFileSync(command, [...first, ...args], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Debian: qemu-user-static, and libc6, libstdc++6 and libatomic1 of the other machine (libc6-arm64-cross …). */
const emulators: Readonly<Record<Arch, readonly string[]>> = {
  arm64: ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'],
  x64: ['qemu-x86_64-static', '-L', '/usr/x86_64-linux-gnu'],
};

function findEmulator(arch: Arch, node: string): readonly string[] | undefined {
  const [command = '', ...args] = emulators[arch];
  return spawnSync(command, [...args, node, '--version']).status === 0 ? emulators[arch] : undefined;
}
