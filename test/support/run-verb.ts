import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export interface VerbResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface VerbOptions {
  /** What it reads; without it stdin is an open pipe that never ends. */
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const main = join(import.meta.dirname, '../../src/main.ts');

/** Runs one verb to its end. */
export async function runVerb(args: readonly string[], { stdin, env }: VerbOptions = {}): Promise<VerbResult> {
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env.PATH, ...env } });
  // A verb may end without having read what it is given.
  child.stdin.on('error', () => {});
  if (stdin !== undefined) child.stdin.end(stdin);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number, stdout, stderr };
}
