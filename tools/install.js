// Brings node_modules in step with package-lock.json, once, however many scripts start at the same time.
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withoutLocalBin } from './runtime.js';

const lockWaitMs = 200;
/** Older locks are left-overs: no install takes this long. */
const lockStaleMs = 15 * 60_000;

/** Runs `npm ci` when node_modules is not what the lock says; `{problem}` holds the whole of npm's output. */
export async function installWhereNeeded(root) {
  const found = missingPackage(root);
  if (found === undefined) return {};
  if (isSymlink(join(root, 'node_modules'))) {
    return { problem: `node_modules is a link to another checkout and lacks ${found}: run npm ci there.` };
  }
  const release = await acquire(join(root, '.install.lock'));
  try {
    return missingPackage(root) === undefined ? {} : await npmCi(root);
  } finally {
    release();
  }
}

/** The first package whose version the lock names and npm's own record of the install does not; undefined: all there. */
function missingPackage(root) {
  const wanted = readPackages(join(root, 'package-lock.json'));
  if (wanted === undefined) return undefined; // An installed package carries no lock, and needs none.
  const present = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (present === undefined) return 'everything';
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || (entry.optional && !isMadeForThisMachine(entry))) continue;
    if (present[path]?.version !== entry.version) return `${path.replace(/^.*node_modules\//, '')} ${entry.version}`;
  }
  return undefined;
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Binaries for other machines are left out, and so is what only those need, which the lock marks in no way. */
function isMadeForThisMachine({ os, cpu, libc }) {
  const names = (list, mine) => [list].flat().includes(mine);
  return names(os, process.platform) && names(cpu, process.arch) && (libc === undefined || names(libc, thisLibc()));
}

function thisLibc() {
  if (process.platform !== 'linux') return undefined;
  process.report.excludeNetwork = true; // Else the report looks up names, which can take seconds.
  return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

function npmCi(root) {
  console.error('Installing what package-lock.json names (once, about ten seconds) …');
  // Under npm these name the npm, and the Node, that run this script; else the shell's npm.
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const [command, first] = npm && node && existsSync(node) ? [node, [npm]] : ['npm', []];
  // Included explicitly: NODE_ENV=production or a user's `omit` would else leave out the tools or the pinned Node.
  // No dependency needs an install script, so none may run.
  const kinds = ['--include=dev', '--include=optional', '--ignore-scripts'];
  const args = [...first, 'ci', ...kinds, '--no-audit', '--no-fund', '--loglevel=error'];
  const env = { ...process.env, PATH: withoutLocalBin(root, process.env.PATH) };
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => done({ problem: `can't run npm: ${error.message}` }));
    child.on('close', (code) => {
      if (code === 0) done({});
      else done({ problem: `npm ci failed (exit ${code}):\n\n${Buffer.concat(output).toString()}` });
    });
  });
}

/** Waits for a turn to install; the returned function gives it up. */
async function acquire(file) {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isStale(file)) rmSync(file, { force: true });
    else await sleep(lockWaitMs);
  }
}

function isStale(file) {
  try {
    if (Date.now() - statSync(file).mtimeMs > lockStaleMs) return true;
    const pid = Number(readFileSync(file, 'utf8'));
    if (pid > 0) process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function isSymlink(path) {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}
