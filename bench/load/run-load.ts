import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findExecutable } from '../machine.ts';
import { startProcess } from '../processes.ts';
import type { LoadResult, LoadSpec } from './load.ts';
import { writeWrkScript } from './wrk-script.ts';

export interface LoadPlace {
  readonly directory: string;
  readonly cores: string | undefined;
}

export type LoadProgram = 'wrk' | 'built-in';

export function chooseLoadProgram(): LoadProgram {
  return findExecutable('wrk') === undefined ? 'built-in' : 'wrk';
}

let scripts = 0;

/** Runs one load to its end in a process of its own; throws when the load program itself fails. */
export async function runLoad(spec: LoadSpec, place: LoadPlace): Promise<LoadResult> {
  scripts += 1;
  const command = chooseLoadProgram() === 'wrk' ? wrkCommand(spec, place) : builtInCommand(spec, place);
  const load = startProcess({ ...command, cores: place.cores, stdout: 'pipe' });
  let output = '';
  load.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const limit = setTimeout(() => load.stop(), spec.durationMs + 30_000);
  await once(load.child, 'close');
  clearTimeout(limit);
  const line = output.split('\n').find((candidate) => candidate.startsWith('{'));
  if (line === undefined) throw new Error(`the load program gave no result: ${output.slice(-500)} ${load.complaint()}`);
  return JSON.parse(line) as LoadResult;
}

function wrkCommand(spec: LoadSpec, place: LoadPlace): { command: string; args: string[] } {
  const script = join(place.directory, `load-${scripts}.lua`);
  writeFileSync(script, writeWrkScript(spec));
  const seconds = String(Math.max(1, Math.ceil(spec.durationMs / 1000)));
  const args = ['-t1', `-c${spec.connections}`, `-d${seconds}s`, '--timeout', '5s', '-s', script];
  return { command: findExecutable('wrk') as string, args: [...args, `http://127.0.0.1:${spec.port}${spec.path}`] };
}

function builtInCommand(spec: LoadSpec, place: LoadPlace): { command: string; args: string[] } {
  const specFile = join(place.directory, `load-${scripts}.json`);
  writeFileSync(specFile, JSON.stringify(spec));
  return { command: process.execPath, args: [join(import.meta.dirname, 'built-in.ts'), specFile] };
}
