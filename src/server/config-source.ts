import type { ConfigDeps } from '../config/deps.ts';
import { type LoadedConfig, loadConfig, type RefusedConfig } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import type { WatchedPaths } from '../ops/content-hash.ts';
import { describeError } from '../ops/describe-error.ts';
import { recordReads } from '../ops/recorded-reads.ts';
import { type ConfigSnapshot, recordSnapshot } from './workers/snapshot.ts';

/** Where a config comes from: a main file and whatever it names. */
export interface ConfigSource {
  /** Absolute path of the main file. */
  readonly path: string;
  /** Reads all of it anew. */
  load(): Promise<LoadedConfig | RefusedConfig>;
  /**
   * As `load`, beside a config that is served; a fault of ours in reading a new one is a problem, no reason to lose the
   * other.
   */
  loadAgain(served: Settings): Promise<LoadedConfig | RefusedConfig>;
  /** What the last load read, whether it succeeded or not. */
  paths(): WatchedPaths;
  /** The same, with its content. */
  snapshot(): ConfigSnapshot;
  /** Nobody is going to ask for snapshots: their memory is given back. */
  keepNoSnapshots(): void;
}

export function createConfigSource(path: string, deps: ConfigDeps): ConfigSource {
  const reads = recordReads(deps);
  let keeps = true;
  let recording: ReturnType<typeof recordSnapshot> | undefined;
  const load = (served?: Settings) => {
    const reading = { env: deps.env, ...reads.begin() };
    recording = keeps ? recordSnapshot(reading) : undefined;
    return loadConfig(path, { ...deps, servedTls: served?.tls, ...(recording?.reading ?? reading) });
  };
  return {
    path,
    load: () => load(),
    loadAgain: (served) =>
      load(served).catch((error: unknown) => {
        const message = `jwtgate failed to load it (${describeError(error).error})`;
        return { ok: false, problems: [{ severity: 'error', file: path, path: '', message }] };
      }),
    paths: reads.paths,
    snapshot: () => recording?.taken() ?? { files: new Map(), globs: new Map(), env: {} },
    keepNoSnapshots() {
      keeps = false;
      recording = undefined;
    },
  };
}
