// The bundle, inside a copy of the pinned Node.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Runtime } from './runtime.ts';

/** A small young generation: least memory by far, at no measured cost in CPU. */
const heapFlags = ['--max-semi-space-size=1'];
/** SIGUSR1 would open a debugger that every container of the pod can reach. */
const runtimeFlags = [...heapFlags, '--disable-sigusr1'];
/** V8 draws the seed of its hash tables at random, and the code cache shows their order. It is for this one run. */
const buildFlags = ['--random-seed=42'];

export interface ExecutableParts {
  readonly bundle: string;
  readonly runtime: Runtime;
  /** Name → file: what `node:sea` hands out at run time. */
  readonly assets: Readonly<Record<string, string>>;
}

/** Makes `output`; equal parts give equal bytes. */
export function makeExecutable(output: string, { bundle, runtime, assets }: ExecutableParts): void {
  const work = join(dirname(output), '.work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  copyFileSync(bundle, join(work, 'jwtgate.cjs'));
  copyFileSync(runtime.node, join(work, 'node'));
  strip(join(work, 'node'));
  const config = {
    // Relative, and so without this machine's paths: the main file's name goes into the executable.
    main: 'jwtgate.cjs',
    executable: 'node',
    output,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgv: runtimeFlags,
    execArgvExtension: 'none', // NODE_OPTIONS of whoever starts it can't load code into it.
    assets,
  };
  writeFileSync(join(work, 'sea.json'), JSON.stringify(config));
  // The code cache is bound to V8's flags, so it is made under those that it will run with.
  execFileSync(process.execPath, [...heapFlags, ...buildFlags, '--build-sea', 'sea.json'], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  rmSync(work, { recursive: true });
}

/** Takes the symbols out, where `strip` is there: a fifth smaller, same memory. */
function strip(file: string): void {
  // Before the injection and never after it: a stripped executable loses what was injected.
  const { status, error } = spawnSync('strip', ['--strip-all', file], { stdio: 'inherit' });
  if (error) console.warn('strip is not installed (binutils): the executable is about 30 MB larger');
  else if (status !== 0) throw new Error(`strip failed with status ${status}`);
}
