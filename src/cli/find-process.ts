import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * Is this process a jwtgate that serves? A pid file may be old, and SIGHUP ends most programs: undefined, or why it is
 * not to be signalled. Where the system does not tell (`/proc` is Linux's), its being there has to do.
 */
export function whyNotJwtgate(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EPERM' ? `this user may not signal process ${pid}` : `there is no process ${pid}`;
  }
  if (process.platform !== 'linux') return undefined;
  let executable: string;
  let words: readonly string[];
  try {
    // An executable that was replaced since is "… (deleted)".
    executable = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
    words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return `what process ${pid} is can't be told`;
  }
  const isOurs =
    executable === process.execPath ||
    basename(executable).startsWith('jwtgate') ||
    words.some((word) => basename(word) === 'jwtgate.cjs'); // The npm package's, which may run on a Node of its own.
  if (isOurs && words.includes('run')) return undefined;
  return `process ${pid} is ${basename(executable)}, and no jwtgate run: is the pid file an old one?`;
}
