import type { ConfigDeps } from '../config/deps.ts';
import { type LoadedConfig, loadConfig, type RefusedConfig } from '../config/load.ts';
import type { WatchedPaths } from '../ops/content-hash.ts';
import { describeError } from '../ops/describe-error.ts';
import { recordReads } from '../ops/recorded-reads.ts';

/** Where a config comes from: a main file and whatever it names. */
export interface ConfigSource {
  /** Absolute path of the main file. */
  readonly path: string;
  /** Reads all of it anew. */
  load(): Promise<LoadedConfig | RefusedConfig>;
  /** As `load`; a fault of ours in reading a new config is a problem, no reason to lose the one that is served. */
  loadAgain(): Promise<LoadedConfig | RefusedConfig>;
  /** What the last load read, whether it succeeded or not. */
  paths(): WatchedPaths;
}

export function createConfigSource(path: string, deps: ConfigDeps): ConfigSource {
  const reads = recordReads(deps);
  const load = () => loadConfig(path, { ...deps, ...reads.begin() });
  return {
    path,
    load,
    loadAgain: () =>
      load().catch((error: unknown) => {
        const message = `jwtgate failed to load it (${describeError(error).error})`;
        return { ok: false, problems: [{ severity: 'error', file: path, path: '', message }] };
      }),
    paths: reads.paths,
  };
}
