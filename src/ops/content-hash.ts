import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What a config was made of. */
export interface WatchedPaths {
  readonly files: readonly string[];
  /** Where an `include` pattern looks: a file that appears here is a change too. */
  readonly directories: readonly string[];
}

export interface Contents {
  /** One word for all of it; files that can't be read, and why, are part of it. */
  readonly digest: string;
  /** When any file or directory of it last changed, in ms since 1970. */
  readonly newestChangeMs: number;
}

export interface ContentHash {
  /** Reads what is there now. Never rejects. */
  read(paths: WatchedPaths): Promise<Contents>;
}

interface Known {
  readonly identity: string | undefined;
  readonly digest: string;
  readonly changedMs: number;
}

/** Remembers each file's digest by its inode, size and times, so that looking again costs a stat a file. */
export function createContentHash(): ContentHash {
  let known = new Map<string, Known>();

  return {
    async read({ files, directories }) {
      const next = new Map<string, Known>();
      let newestChangeMs = 0;
      const all = createHash('sha256');
      for (const file of files) {
        const entry = await digestOf(file, known.get(file));
        next.set(file, entry);
        newestChangeMs = Math.max(newestChangeMs, entry.changedMs);
        all.update(`${file}\0${entry.digest}\0`);
      }
      for (const directory of directories) {
        newestChangeMs = Math.max(newestChangeMs, await changedMs(directory));
        all.update(`${directory}\0${await listing(directory)}\0`);
      }
      known = next;
      return { digest: all.digest('hex'), newestChangeMs };
    },
  };
}

async function digestOf(file: string, before: Known | undefined): Promise<Known> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file);
    // A timestamp is as coarse as the kernel's tick: a file that has just changed may change again unseen.
    const settled = ctimeMs < Date.now() - 1_000;
    const identity = settled ? `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}` : undefined;
    if (identity !== undefined && before?.identity === identity) return before;
    const digest = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    return { identity, digest, changedMs: ctimeMs };
  } catch (error) {
    return { identity: undefined, digest: (error as NodeJS.ErrnoException).code ?? 'unreadable', changedMs: 0 };
  }
}

/** When a name in this directory was last added, removed or renamed; 0 where there is no directory. */
export async function changedMs(directory: string): Promise<number> {
  return (await stat(directory).catch(() => undefined))?.ctimeMs ?? 0;
}

/** Names, sizes and times: a file that an include pattern may take in is not yet among the files. */
async function listing(directory: string): Promise<string> {
  try {
    const names = (await readdir(directory)).sort();
    const entries = await Promise.all(
      names.map(async (name) => {
        const status = await stat(join(directory, name)).catch(() => undefined);
        return `${name}:${status?.size ?? ''}:${status?.mtimeMs ?? ''}`;
      }),
    );
    return entries.join('/');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}
