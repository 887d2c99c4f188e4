import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { exitCodes } from './exit-codes.ts';

/** A file that names this process until it ends, for `jwtgate reload` and supervisors. */
export interface PidFile {
  /** Removes it, unless it names another process by now. */
  remove(): void;
}

/** Writes it, over one that an earlier process left; else says why not on stderr, and gives the exit code. */
export function writePidFile(path: string): PidFile | { readonly exitCode: number } {
  const text = `${process.pid}\n`;
  try {
    writeFileSync(path, text, { mode: 0o644 });
  } catch (error) {
    process.stderr.write(`jwtgate: cannot write the pid file ${path}: ${codeOf(error)}\n`);
    return { exitCode: exitCodes.unavailable };
  }
  return {
    remove() {
      try {
        if (readFileSync(path, 'utf8') === text) unlinkSync(path);
      } catch {
        // It is gone already, or its folder is.
      }
    },
  };
}

/** The process that a pid file names, or what is wrong with it. */
export function readPidFile(path: string): number | { readonly problem: string } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return { problem: `cannot read the pid file ${path}: ${codeOf(error)}` };
  }
  return parsePid(text.trim()) ?? { problem: `${path} does not hold the number of a process` };
}

/** Process 1 is a container's own; 0 and below are groups of processes. */
export function parsePid(text: string): number | undefined {
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'failed';
}
