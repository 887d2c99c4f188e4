import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { newFolder } from './scratch-folder.ts';
import { patienceMs } from './until.ts';

export type LogLine = Readonly<Record<string, unknown>>;

export interface JwtgateProcess {
  readonly child: ChildProcess;
  /** All of it so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** The log so far; lines that are no JSON are left out. */
  readonly log: readonly LogLine[];
  /** The next line, of those not yet returned, with this message; rejects when the process ends, or does not log it in time. */
  logged(message: string, fields?: LogLine): Promise<LogLine>;
  signal(name: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** How jwtgate is started: its sources as one file, as they ship, which starts in a third of the time. */
export const jwtgateCommand: readonly [string, string] = [process.execPath, bundleSources()];

function bundleSources(): string {
  const outfile = join(newFolder(), 'jwtgate.cjs');
  const entry = join(import.meta.dirname, '../../src/main.ts');
  buildSync({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' });
  return outfile;
}

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Runs instead of `jwtgateCommand`. */
  readonly executable?: readonly string[];
}

/** Starts jwtgate as a process of its own; the test that started it must see it end, or call `endAll`. */
export function startJwtgate(args: readonly string[], options: StartOptions = {}): JwtgateProcess {
  const [command = '', ...first] = options.executable ?? jwtgateCommand;
  const child = spawn(command, [...first, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let stdout = '';
  let stderr = '';
  let parsedChars = 0;
  const log: LogLine[] = [];
  const returned = new Set<LogLine>();
  const wake: (() => void)[] = [];
  const wakeAll = () => {
    for (const each of wake.splice(0)) each();
  };

  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (let end = stdout.indexOf('\n', parsedChars); end !== -1; end = stdout.indexOf('\n', parsedChars)) {
      const line = parseLine(stdout.slice(parsedChars, end));
      if (line !== undefined) log.push(line);
      parsedChars = end + 1;
    }
    wakeAll();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  let over = false;
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    over = true;
    wakeAll();
    return (code ?? signal) as number | NodeJS.Signals;
  });

  return {
    child,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    log,
    ended,
    async logged(message, fields = {}) {
      const deadline = performance.now() + patienceMs;
      for (;;) {
        const found = log.find((line) => !returned.has(line) && line.msg === message && hasFields(line, fields));
        if (found !== undefined) {
          returned.add(found);
          return found;
        }
        if (over) throw new Error(`jwtgate ended without logging "${message}":\n${stdout}${stderr}`);
        if (performance.now() > deadline) throw new Error(`jwtgate did not log "${message}":\n${stdout}${stderr}`);
        await new Promise<void>((resolve) => {
          wake.push(resolve);
          setTimeout(resolve, patienceMs).unref();
        });
      }
    },
    signal(name) {
      child.kill(name);
    },
  };
}

const running = new Set<ChildProcess>();

/** Ends what a failed test left running. */
export async function endAll(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }),
  );
}

/** Resolves once the process catches this signal instead of being ended by it. */
export async function catches(child: ChildProcess, signalNumber: number): Promise<void> {
  const bit = 1n << BigInt(signalNumber - 1);
  for (;;) {
    const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1];
    if (caught !== undefined && (BigInt(`0x${caught}`) & bit) !== 0n) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function parseLine(text: string): LogLine | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function hasFields(line: LogLine, fields: LogLine): boolean {
  return Object.entries(fields).every(([name, value]) => line[name] === value);
}
