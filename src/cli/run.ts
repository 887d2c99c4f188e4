import { formatProblems } from '../config/format-problems.ts';
import { createLineWriter } from '../ops/line-writer.ts';
import { createLog, type LogFormat, type LogLevel } from '../ops/log.ts';
import { type StartResult, startServer } from '../server.ts';
import { findConfigPath, noConfigText } from './config-path.ts';
import { installCrashHandler } from './crash.ts';
import { exitCodes } from './exit-codes.ts';
import { listenProblem } from './listen-problem.ts';
import { writePidFile } from './pid-file.ts';
import type { HeldSignals } from './signals.ts';
import { build } from './version.ts';
import { wantsColor } from './wants-color.ts';

export interface RunOptions {
  readonly config?: string;
  readonly watch?: boolean | undefined;
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
  readonly pidFile?: string;
}

/** How long the last log lines may take. */
const flushMs = 1_000;

/** Serves until a signal ends it. Resolves only where it could not start: 69, 70 or 78. */
export async function run(options: RunOptions, signals: HeldSignals | undefined): Promise<number> {
  const writer = createLineWriter(process.stdout);
  const autoFormat = process.stdout.isTTY ? 'text' : 'json';
  const log = createLog(writer, options.logLevel ?? 'info', options.logFormat ?? autoFormat);
  installCrashHandler(log, writer);

  const configPath = findConfigPath(options.config, process.env);
  if (configPath === undefined) {
    process.stderr.write(noConfigText);
    return exitCodes.config;
  }
  const { config: _, pidFile: pidPath, ...overrides } = options;
  let pidFile: ReturnType<typeof writePidFile> | undefined;
  // Not before it serves, so that whoever finds the file can signal.
  const beforeStarted = () => {
    if (pidPath !== undefined) pidFile = writePidFile(pidPath);
  };
  const started = await startServer({
    configPath,
    env: process.env,
    writer,
    log,
    autoFormat,
    build,
    overrides,
    beforeStarted,
  });
  if (started.kind !== 'started') return tellWhyNot(started, configPath);

  const { server } = started;
  if (pidFile !== undefined && 'exitCode' in pidFile) {
    await server.drain('pid file');
    process.exit(pidFile.exitCode);
  }
  const code = await new Promise<number>((resolve) => {
    signals?.handle({
      reload: () => void server.reload('SIGHUP'),
      stop: (signal) => void server.drain(signal).then(() => resolve(exitCodes.ok)),
      toggleDebug: server.toggleDebug,
    });
    server.gaveUp?.then(() => resolve(exitCodes.internal));
  });
  pidFile?.remove();
  await writer.close(flushMs);
  // Not by itself: connections to upstreams that are kept alive would hold the process.
  process.exit(code);
}

function tellWhyNot(result: Exclude<StartResult, { kind: 'started' }>, configPath: string): number {
  if (result.kind === 'configRefused') {
    process.stderr.write(formatProblems(result.problems, { color: wantsColor(process.stderr) }));
    process.stderr.write(`jwtgate: ${configPath} cannot be used\n`);
    return exitCodes.config;
  }
  if (result.kind === 'workersFailed') {
    process.stderr.write(`jwtgate: a worker could not be started: ${result.detail}\n`);
    return exitCodes.internal;
  }
  process.stderr.write(`jwtgate: ${listenProblem(result)}\n`);
  return exitCodes.unavailable;
}
