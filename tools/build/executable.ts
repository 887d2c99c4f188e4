// The bundle and its parts, inside a copy of the pinned Node.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parts } from './put-off.ts';
import type { Arch, Runtime } from './runtime.ts';

/** A small young generation: least memory by far, at no measured cost in CPU. */
const heapFlags = ['--max-semi-space-size=1', '--no-parallel-scavenge', '--no-concurrent-array-buffer-sweeping'];
/**
 * One thread to compile and to collect beside the one that serves: each would keep what memory it once took. SIGUSR1 would
 * open a debugger that every container of the pod can reach.
 */
export const runtimeFlags = [...heapFlags, '--v8-pool-size=1', '--disable-sigusr1'];
/**
 * For the one run that makes the code cache. V8 draws the seed of its hash tables at random, and a cache shows their
 * order. And bytecode remembers what kinds of values it met: strings that the collector has merged are of another kind,
 * so that nothing may be collected meanwhile. The size of the young generation is none of the flags that bind a cache.
 */
const cacheFlags = [...heapFlags, '--random-seed=42', '--min-semi-space-size=64', '--max-semi-space-size=64'];

const cacheFile = 'jwtgate.cjs.part.cache';

export interface ExecutableParts {
  /** Where the bundle and its parts are. */
  readonly code: string;
  readonly runtime: Runtime;
  /** Name → file: what else `node:sea` hands out at run time. */
  readonly assets: Readonly<Record<string, string>>;
}

/** Makes `output`; equal parts give equal bytes. */
export function makeExecutable(output: string, { code, runtime, assets }: ExecutableParts): void {
  const work = join(dirname(output), '.work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const scripts = ['jwtgate.cjs', ...Object.values(parts)];
  for (const script of scripts) {
    writeFileSync(join(work, `${script}.part`), wrap(readFileSync(join(code, script), 'utf8')));
  }
  const isWarm = makeCodeCache(work, runtime);
  copyFileSync(runtime.node, join(work, 'node'));
  strip(join(work, 'node'), runtime);
  const config = {
    // Relative, and so without this machine's paths: the main file's name goes into the executable.
    main: 'loader.cjs',
    executable: 'node',
    output,
    disableExperimentalSEAWarning: true,
    execArgv: runtimeFlags,
    execArgvExtension: 'none', // NODE_OPTIONS of whoever starts it can't load code into it.
    assets: {
      ...assets,
      ...Object.fromEntries(scripts.map((script) => [script, `${script}.part`])),
      ...(isWarm && { 'jwtgate.cjs.cache': cacheFile }),
    },
  };
  writeFileSync(join(work, 'sea.json'), JSON.stringify(config));
  if (isWarm) injectAligned(work, output);
  else inject(work, 0);
  rmSync(work, { recursive: true });
}

/** V8 copies a code cache that lies across its words: 1.4 MB of private memory. What stands before it can be longer. */
function injectAligned(work: string, output: string): void {
  const cache = readFileSync(join(work, cacheFile));
  const wordBytes = 8;
  let padding = 0;
  for (const _ of ['as it comes', 'padded']) {
    inject(work, padding);
    // The place in the file is, within a page, the place in memory.
    padding = -readFileSync(output).indexOf(cache) & (wordBytes - 1);
    if (padding === 0) return;
  }
  throw new Error('the code cache is not where V8 can use it as it is');
}

/**
 * What loader.cjs and warm-up.cjs call; the first line is theirs. All of it ASCII, as the loader takes it to be: esbuild
 * leaves other characters only in regular expressions, where an escape means the same.
 */
function wrap(script: string): string {
  const ascii = script.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `(function (exports, require, module) {\n${ascii}\n})`;
}

function inject(work: string, padding: number): void {
  const loader = readFileSync(join(import.meta.dirname, 'loader.cjs'), 'utf8');
  writeFileSync(join(work, 'loader.cjs'), loader + '\n'.repeat(padding));
  run([process.execPath, '--build-sea', 'sea.json'], work);
}

/** Says whether there is one. It is bound to the machine, the version and V8's flags: those that it will run with. */
function makeCodeCache(work: string, { arch, node, runner }: Runtime): boolean {
  if (runner === undefined) {
    console.warn(`without a code cache, because nothing here runs ${arch}: its starts take half as long again`);
    return false;
  }
  const [command = '', ...args] = [...runner, node, ...cacheFlags, join(import.meta.dirname, 'warm-up.cjs'), work];
  // What it starts with is part of what it compiles: a collector named by the environment, a pipe where this has a terminal.
  const env = { PATH: process.env.PATH };
  const output = join(work, 'warm-up.log');
  const log = openSync(output, 'w');
  const { status, signal, error } = spawnSync(command, args, { cwd: work, env, stdio: ['ignore', log, log] });
  closeSync(log);
  if (status !== 0)
    throw new Error(`the warm-up ended with ${error ?? signal ?? status}:\n${readFileSync(output, 'utf8')}`);
  return true;
}

function run([command = '', ...args]: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Debian: binutils, or binutils-aarch64-linux-gnu and the like for another machine. */
const strippers: Readonly<Record<Arch, string>> = { x64: 'x86_64-linux-gnu-strip', arm64: 'aarch64-linux-gnu-strip' };

/** Takes the symbols out, where a program is there that can: a fifth smaller, same memory. */
function strip(file: string, { arch }: Runtime): void {
  // Before the injection and never after it: a stripped executable loses what was injected.
  const stripper = arch === process.arch ? 'strip' : strippers[arch];
  const { status, error } = spawnSync(stripper, ['--strip-all', file], { stdio: 'inherit' });
  if (error) console.warn(`${stripper} is not installed: the executable is about 30 MB larger`);
  else if (status !== 0) throw new Error(`${stripper} failed with status ${status}`);
}
