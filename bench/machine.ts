import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where the parts of a measurement run, so that the proxy under test never shares a core with its load. */
export interface CorePlan {
  readonly proxy: string;
  readonly upstream: string;
  readonly load: string;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly date: string;
  /** One-minute load average when the run began: above 0.3 or so, somebody else is working here. */
  readonly loadAverage: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** The plan for this machine; undefined where taskset is missing or there is only one core. */
export function planCores(): CorePlan | undefined {
  const cores = availableParallelism();
  if (cores < 2 || findExecutable('taskset') === undefined) return undefined;
  if (cores === 2) return { proxy: '0', upstream: '1', load: '1' };
  if (cores === 3) return { proxy: '0', upstream: '1', load: '2' };
  return { proxy: '0', upstream: '1', load: '2,3' };
}

/** Absolute path of a program, also looked for in the sbin directories that a user's PATH often lacks. */
export function findExecutable(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    kernel: release(),
    node: process.version,
    date: new Date().toISOString(),
    loadAverage: loadavg()[0] ?? 0,
    versions: { haproxy: versionOf('haproxy', '-v'), nginx: versionOf('nginx', '-v'), wrk: versionOf('wrk', '-v') },
  };
}

function versionOf(name: string, flag: string): string {
  const path = findExecutable(name);
  if (path === undefined) return 'not installed';
  // nginx prints its version on stderr, and wrk exits 1 when asked for its own.
  const text = execFileSync('sh', ['-c', '"$0" "$1" 2>&1 || true', path, flag], { encoding: 'utf8', timeout: 5_000 });
  return /\d+\.\d+[\w.+-]*/.exec(text)?.[0] ?? 'unknown';
}
