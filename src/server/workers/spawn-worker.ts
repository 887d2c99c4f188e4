import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isSea } from 'node:sea';
import type { Scoreboard } from './scoreboard.ts';
import { workerVerb } from './worker-verb.ts';

/** What Node, its libraries and the time zone need of an environment: whatever else there is may be a secret. */
const runtimeVariable =
  /^(?:NODE_(?:EXTRA_CA_CERTS|OPTIONS|V8_COVERAGE)|SSL_CERT_(?:FILE|DIR)|OPENSSL_CONF|UV_\w+|MALLOC_\w+|LD_\w+|TZ|LANG|LC_\w+|PATH)$/;

/** What is read of the environment while serving; it may hold credentials, and so goes by IPC. */
const servingVariable = /^(?:OTEL_\w+|(?:https?|no)_proxy|(?:HTTPS?|NO)_PROXY)$/;

/** Variables that a worker is told, and that its own environment lacks. */
export function servingVariables(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return pick(env, servingVariable);
}

/**
 * Starts this program once more, as a worker: by the very file that runs now, also where another version has taken its
 * place on the disk. Nothing secret is on its command line or in its environment; what it must know comes by IPC.
 */
export function spawnWorker(
  index: number,
  env: NodeJS.ProcessEnv,
  scoreboard: Pick<Scoreboard, 'fd'> | undefined,
): ChildProcess {
  const self = '/proc/self/exe';
  const [, main = ''] = process.argv;
  // An executable has its flags and its program in itself.
  const program = isSea() ? [] : [...process.execArgv, main];
  return spawn(existsSync(self) ? self : process.execPath, [...program, workerVerb, String(index)], {
    argv0: process.argv0,
    env: pick(env, runtimeVariable),
    // The last one is `scoreboardFd`.
    stdio: ['ignore', 'pipe', 'inherit', 'ipc', scoreboard?.fd ?? 'ignore'],
    serialization: 'advanced',
  });
}

function pick(env: NodeJS.ProcessEnv, names: RegExp): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value !== undefined && names.test(name) ? [[name, value]] : [])),
  );
}
