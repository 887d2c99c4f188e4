import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findExecutable } from '../machine.ts';
import { startProcess } from '../processes.ts';
import { h2loadCommand, readH2load } from './h2load.ts';
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
  const h2load = spec.protocol === 'h2' ? h2loadCommand(spec) : undefined;
  const command = h2load ?? commandFor(spec, place);
  const load = startProcess({ ...command, cores: place.cores, stdout: 'pipe' });
  let output = '';
  load.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const limit = setTimeout(() => load.stop(), spec.durationMs + 30_000);
  await once(load.child, 'close');
  clearTimeout(limit);
  const ofH2load = h2load && readH2load(output, spec);
  if (ofH2load !== undefined) return ofH2load;
  const line = output.split('\n').find((candidate) => candidate.startsWith('{'));
  if (line === undefined) throw new Error(`the load program gave no result: ${output.slice(-500)} ${load.complaint()}`);
  return JSON.parse(line) as LoadResult;
}

function commandFor(spec: LoadSpec, place: LoadPlace): { command: string; args: string[] } {
  const { protocol = 'http' } = spec;
  if (protocol === 'h2') return ownCommand('http2-requests.ts', spec, place);
  if (protocol === 'handshake' || protocol === 'resumption') return ownCommand('handshakes.ts', spec, place);
  return chooseLoadProgram() === 'wrk' ? wrkCommand(spec, place) : ownCommand('built-in.ts', spec, place);
}

function wrkCommand(spec: LoadSpec, place: LoadPlace): { command: string; args: string[] } {
  const script = join(place.directory, `load-${scripts}.lua`);
  writeFileSync(script, writeWrkScript(spec));
  const seconds = String(Math.max(1, Math.ceil(spec.durationMs / 1000)));
  const args = ['-t1', `-c${spec.connections}`, `-d${seconds}s`, '--timeout', '5s', '-s', script];
  return {
    command: findExecutable('wrk') as string,
    args: [...args, `${spec.protocol ?? 'http'}://127.0.0.1:${spec.port}${spec.path}`],
  };
}

/** A program of ours beside this file. */
function ownCommand(file: string, spec: LoadSpec, place: LoadPlace): { command: string; args: string[] } {
  const specFile = join(place.directory, `load-${scripts}.json`);
  writeFileSync(specFile, JSON.stringify(spec));
  return { command: process.execPath, args: ['--no-warnings', join(import.meta.dirname, file), specFile] };
}
