import { type FSWatcher, watch as watchDirectory } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { changedMs, createContentHash, type WatchedPaths } from './content-hash.ts';

export interface WatchOptions {
  /** Read anew after every change: a reload may bring other files. */
  paths(): WatchedPaths;
  /** Called when contents differ from what was seen before; never twice at once. */
  onChange(): Promise<void>;
  /** Told when a directory can't be watched: then only the interval looks at it. */
  onProblem(problem: string): void;
  /** When the config that is being served was read: what changed after that counts as a change. */
  readonly loadedAtMs: number;
  readonly quietMs?: number;
  readonly longestWaitMs?: number;
  readonly intervalMs?: number;
}

export interface Watch {
  /** Resolves when the directories are watched and the contents are known. */
  readonly ready: Promise<void>;
  close(): void;
}

/** More rounds than this for one event mean that files change as fast as we read: wait for the next event. */
const rounds = 5;

/**
 * Follows a config's files. Directories are watched, not files: editors rename a new file over the old one and
 * Kubernetes swaps the `..data` symlink of a ConfigMap, and a watch on the file would stay with the old inode.
 * Events only say "look": contents decide. A slow interval looks too, as not every filesystem sends events.
 */
export function watchFiles(options: WatchOptions): Watch {
  const { quietMs = 200, longestWaitMs = 2_000, intervalMs = 15_000 } = options;
  const contents = createContentHash();
  const watchers = new Map<string, FSWatcher>();
  const unwatchable = new Set<string>();
  let seen: string | undefined;
  let quietTimer: NodeJS.Timeout | undefined;
  let firstEventMs: number | undefined;
  let looking = false;
  let lookAgain = false;
  let closed = false;

  function onEvent(): void {
    const nowMs = performance.now();
    firstEventMs ??= nowMs;
    clearTimeout(quietTimer);
    const waitMs = Math.max(0, Math.min(quietMs, firstEventMs + longestWaitMs - nowMs));
    quietTimer = setTimeout(() => {
      firstEventMs = undefined;
      void alone(compare);
    }, waitMs);
    quietTimer.unref();
  }

  /** One look at a time; an event that comes meanwhile asks for another. */
  async function alone(look: () => Promise<void>): Promise<void> {
    if (looking) {
      lookAgain = true;
      return;
    }
    looking = true;
    await look();
    looking = false;
    if (!lookAgain || closed) return;
    lookAgain = false;
    onEvent();
  }

  async function begin(): Promise<void> {
    await arm();
    const { digest, newestChangeMs } = await contents.read(options.paths());
    const newestSwapMs = Math.max(0, ...(await Promise.all([...watchers.keys()].map(changedMs))));
    // What was written, or swapped in, while or after the config was read may not be in it.
    if (Math.max(newestChangeMs, newestSwapMs) < options.loadedAtMs - 1_000) seen = digest;
    else lookAgain = true;
  }

  async function compare(): Promise<void> {
    for (let round = 0; round < rounds && !closed; round++) {
      const { digest } = await contents.read(options.paths());
      if (digest === seen) return;
      seen = digest;
      await options.onChange();
      // The reload may have read other files, or these once more: compare until nothing differs.
      await arm();
    }
  }

  async function arm(): Promise<void> {
    const wanted = await directoriesOf(options.paths());
    if (closed) return;
    for (const [directory, watcher] of watchers) {
      if (!wanted.has(directory)) drop(directory, watcher);
    }
    for (const directory of wanted) {
      if (!watchers.has(directory)) watchOne(directory);
    }
  }

  function watchOne(directory: string): void {
    try {
      const watcher = watchDirectory(directory, { persistent: false }, onEvent);
      watcher.on('error', () => {
        drop(directory, watcher);
        onEvent();
      });
      watchers.set(directory, watcher);
      unwatchable.delete(directory);
    } catch (error) {
      if (unwatchable.has(directory)) return;
      unwatchable.add(directory);
      options.onProblem(`${directory}: ${(error as NodeJS.ErrnoException).code ?? 'cannot be watched'}`);
    }
  }

  function drop(directory: string, watcher: FSWatcher): void {
    watcher.close();
    if (watchers.get(directory) === watcher) watchers.delete(directory);
  }

  const interval = setInterval(
    () =>
      void alone(async () => {
        await arm();
        await compare();
      }),
    intervalMs,
  );
  interval.unref();

  return {
    ready: alone(begin),
    close() {
      closed = true;
      clearInterval(interval);
      clearTimeout(quietTimer);
      for (const [directory, watcher] of watchers) drop(directory, watcher);
    },
  };
}

/** Where each path's name lives, and where the file is that its symlinks lead to. */
async function directoriesOf({ files, directories }: WatchedPaths): Promise<Set<string>> {
  const found = new Set<string>(directories);
  for (const file of files) {
    found.add(dirname(file));
    const target = await realpath(file).catch(() => file);
    found.add(dirname(target));
  }
  return found;
}
