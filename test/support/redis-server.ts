import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from './free-port.ts';
import { newFolder } from './scratch-folder.ts';

/** Is Redis installed here? (Debian: redis-server) */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

export interface RedisServer {
  readonly port: number;
  readonly process: ChildProcess;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A real Redis on a loopback port, without files; `port`: where one ran before. */
export async function startRedis(port?: number, args: readonly string[] = []): Promise<RedisServer> {
  const chosen = port ?? (await freePort());
  const options = ['--port', String(chosen), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...args];
  const child = spawn('redis-server', options, { cwd: newFolder(), stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`redis-server ended:\n${said}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (/Ready to accept connections/.test(said)) resolve();
    });
  });
  return {
    port: chosen,
    process: child,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Sends one command by redis-cli, as an operator would, and gives what it prints; `input`: its last word, byte for byte. */
export function redisCli(port: number, args: readonly string[], input?: Uint8Array): string {
  const options = ['-p', String(port), ...(input === undefined ? [] : ['-x']), ...args];
  const { stdout, stderr } = spawnSync('redis-cli', options, { input: input ?? '', encoding: 'utf8' });
  if (stderr !== '' || /^(?:ERR|WRONGTYPE|NOAUTH|NOPERM) /.test(stdout)) throw new Error(`${stderr}${stdout}`);
  return stdout.trim();
}
