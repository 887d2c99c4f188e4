import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { findExecutable } from './machine.ts';

export interface ProcessSpec {
  readonly command: string;
  readonly args: readonly string[];
  /** Cores as taskset takes them, "0" or "2,3"; undefined: anywhere. */
  readonly cores: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: number;
  readonly stdout?: number | 'pipe';
}

export interface RunningProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The last it wrote to stderr. */
  complaint(): string;
  /** Asks with SIGTERM, insists with SIGKILL after two seconds; resolves when the process is gone. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();

/** Starts a child that is certain to be ended, by its pid, however this process ends. */
export function startProcess(spec: ProcessSpec): RunningProcess {
  // taskset replaces itself by the command, so the child's pid is the measured process itself.
  const taskset = spec.cores === undefined ? undefined : findExecutable('taskset');
  const argv = [spec.command, ...spec.args];
  if (taskset !== undefined && spec.cores !== undefined) argv.unshift(taskset, '-c', spec.cores);
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: [spec.stdin ?? 'ignore', spec.stdout ?? 'ignore', 'pipe'],
    env: { ...process.env, ...spec.env },
  });
  if (child.pid === undefined) throw new Error(`${spec.command} could not be started`);
  running.add(child);
  child.once('exit', () => running.delete(child));
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  return { pid: child.pid, child, complaint: () => complaint.trim(), stop: () => stopChild(child) };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const insist = setTimeout(() => child.kill('SIGKILL'), 2_000);
  await gone;
  clearTimeout(insist);
}

/** Installs the handlers that end every child on Ctrl-C, SIGTERM, an uncaught error or a plain exit. */
export function endChildrenOnExit(): void {
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  process.on('SIGINT', () => process.exit(130));
  process.on('SIGTERM', () => process.exit(143));
}

/** Milliseconds until the port accepts a connection; throws when the process ends first or the limit passes. */
export async function waitForPort(port: number, running: RunningProcess, limitMs = 15_000): Promise<number> {
  const begin = performance.now();
  const { child } = running;
  while (performance.now() - begin < limitMs) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`it ended before it listened: ${running.complaint()}`);
    }
    if (await accepts(port)) return performance.now() - begin;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`it did not listen within ${limitMs} ms: ${running.complaint()}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
