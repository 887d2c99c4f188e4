import type { ConfigDeps, FileContent, FileFault } from '../../config/deps.ts';

/** All that a load read of the world, so that it can be loaded once more elsewhere, to the byte. It holds secrets. */
export interface ConfigSnapshot {
  readonly files: ReadonlyMap<string, FileContent | FileFault>;
  readonly globs: ReadonlyMap<string, readonly string[]>;
  /** The variables that were looked at; one that is not set is not in it. */
  readonly env: Readonly<Record<string, string>>;
}

type Reading = Pick<ConfigDeps, 'env' | 'readFile' | 'glob'>;

/** Reads for one load and keeps what was read; each file is read once, however often it is asked for. */
export function recordSnapshot(reading: Reading): { readonly reading: Reading; taken(): ConfigSnapshot } {
  const files = new Map<string, Promise<FileContent | FileFault>>();
  const globs = new Map<string, Promise<readonly string[]>>();
  const env: Record<string, string> = {};
  const readFiles = new Map<string, FileContent | FileFault>();
  const readGlobs = new Map<string, readonly string[]>();

  const once = <T>(known: Map<string, Promise<T>>, kept: Map<string, T>, key: string, read: () => Promise<T>) => {
    const reading = known.get(key) ?? read().then((value) => keep(kept, key, value));
    known.set(key, reading);
    return reading;
  };

  return {
    reading: {
      env: new Proxy(reading.env, {
        get(target, name) {
          const value = typeof name === 'string' ? target[name] : undefined;
          if (value !== undefined) env[name as string] = value;
          return value;
        },
      }),
      readFile: (path) => once(files, readFiles, path, () => reading.readFile(path)),
      glob: (pattern) => once(globs, readGlobs, pattern, () => reading.glob(pattern)),
    },
    taken: () => ({ files: readFiles, globs: readGlobs, env: { ...env } }),
  };
}

function keep<T>(kept: Map<string, T>, key: string, value: T): T {
  kept.set(key, value);
  return value;
}

/** Reads from a snapshot alone: what is not in it is not there. */
export function readingOf({ files, globs, env }: ConfigSnapshot): Reading {
  return {
    env,
    readFile: async (path) => files.get(path) ?? { fault: 'missing' },
    glob: async (pattern) => globs.get(pattern) ?? [],
  };
}
