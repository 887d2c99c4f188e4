// Finds the Node that everything runs on: the pinned one from npm, or a system one of the same major version.
import { spawnSync } from 'node:child_process';
import { lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** The environment whose PATH leads to the right `node`; `{problem}`, one line, where there is none. */
export function runtimeEnvironment(root, env) {
  const { major, version, packages } = pinned(root);
  const bin = join(root, 'node_modules', '.bin');
  const local = join(bin, process.platform === 'win32' ? 'node.cmd' : 'node');
  const pinnedNode = isThere(local) ? tryNode(local) : { why: 'it is not installed' };
  // A glibc binary on musl: npm links it all the same, and it would hide a system Node that works.
  if (pinnedNode.version === undefined && isThere(local)) unlinkSync(local);

  const path = [bin, withoutLocalBin(root, env.PATH)].join(delimiter);
  const found = pinnedNode.version ?? tryNode('node', { ...env, PATH: path }).version;
  if (found !== undefined && majorOf(found) === major) return { env: { ...env, PATH: path } };
  const reinstall = packages.includes(`node-${process.platform}-${process.arch}`)
    ? ', or remove node_modules and run this again'
    : '';
  return {
    problem:
      `Node ${major} is needed. The pinned one (${version}, from npm: ${packages.join(', ')}) can't be used on this ` +
      `${process.platform}-${process.arch} machine (${pinnedNode.why ?? `it is ${found}`}), and the node on PATH is ` +
      `${found ?? 'missing'}: put a Node ${major} there${reinstall}.`,
  };
}

/** PATH without this project's own node_modules/.bin, as it was before npm put that in front. */
export function withoutLocalBin(root, path = '') {
  const local = join(root, 'node_modules', '.bin');
  return path
    .split(delimiter)
    .filter((entry) => entry !== '' && resolve(entry) !== local)
    .join(delimiter);
}

function pinned(root) {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const packages = Object.keys(optionalDependencies).filter((name) => name.startsWith('node-'));
  const version = optionalDependencies[packages[0]];
  return { major: majorOf(version), version, packages };
}

function majorOf(version) {
  return Number(version.replace(/^v/, '').split('.')[0]);
}

/** The version that it prints, or why it printed none. */
function tryNode(command, env = process.env) {
  const { status, stdout, stderr, error } = spawnSync(command, ['--version'], { env, encoding: 'utf8' });
  if (status === 0) return { version: stdout.trim() };
  return { why: error ? `it does not start: ${error.code}; is this musl?` : stderr.trim().split('\n')[0] };
}

function isThere(path) {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
