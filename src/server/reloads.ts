import { isDeepStrictEqual } from 'node:util';
import type { ConfigTexts } from '../config/config-places.ts';
import type { LoadedConfig } from '../config/load.ts';
import { createPacer, inTurns } from '../config/pacer.ts';
import type { Problem } from '../config/problem.ts';
import type { Settings } from '../config/settings.ts';
import type { Timeouts } from '../gate/policy.ts';
import type { Log } from '../ops/log.ts';
import type { ReloadReport } from '../ops/reload-report.ts';
import { diffTenants, type TenantDiff } from '../ops/tenant-diff.ts';
import { type Watch, watchFiles } from '../ops/watch.ts';
import type { ConfigSource } from './config-source.ts';

export type ReloadCause = 'SIGHUP' | 'watch' | 'admin';

export interface ServedConfig {
  readonly generation: number;
  readonly hash: string;
  readonly tenants: number;
}

/** What else is known of a config while it is served. */
export interface LiveConfig {
  readonly served: ServedConfig;
  readonly tenantHashes: ReadonlyMap<string, string>;
  readonly settings: Settings;
  readonly timeouts: Timeouts;
  readonly texts: ConfigTexts;
}

/** What became of a reload. */
export type ReloadOutcome =
  | {
      readonly kind: 'reloaded';
      readonly served: ServedConfig;
      readonly diff: TenantDiff;
      /** Settings that were changed and wait for a restart. */
      readonly needsRestart: readonly string[];
    }
  | { readonly kind: 'unchanged'; readonly served: ServedConfig }
  | { readonly kind: 'refused'; readonly served: ServedConfig; readonly problems: readonly Problem[] }
  /** The end has begun: nothing is loaded any more. */
  | { readonly kind: 'stopping' };

export interface ReloadsOptions {
  readonly source: ConfigSource;
  /** What is served already. */
  readonly first: LoadedConfig;
  readonly loadedAtMs: number;
  /** Makes a new config the one that is served; the problems, if it can't be. */
  readonly apply: (next: LoadedConfig) => readonly Problem[] | Promise<readonly Problem[]>;
  /** Instead of what the config says, also after a reload. */
  readonly watch: boolean | undefined;
  readonly report: ReloadReport;
  readonly log: Log;
}

/** Which config is served, and how it becomes another. */
export interface Reloads {
  served(): ServedConfig;
  readonly live: LiveConfig;
  /** Loads the config anew: all of it goes live, or nothing does. Never rejects. */
  reload(cause: ReloadCause): Promise<ReloadOutcome>;
  /** From now on nothing is reloaded or watched. */
  stop(): void;
}

/** Settings that only a restart can bring. */
const restartOnly = ['listen', 'ops', 'admin', 'verify', 'lane', 'workers', 'tracing'] as const;

function findRestartOnly(begun: Settings, wanted: Settings): string[] {
  const changed: string[] = restartOnly.filter((name) => !isDeepStrictEqual(begun[name], wanted[name]));
  // Another certificate is for the next handshake; TLS where there was none is another listener.
  if ((begun.tls === undefined) !== (wanted.tls === undefined)) changed.push('listen.tls');
  return changed;
}

function liveConfigOf({ policy, tenantHashes, settings, texts }: LoadedConfig): LiveConfig {
  const { generation, hash, tenants, timeouts } = policy;
  return { served: { generation, hash, tenants: tenants.size }, tenantHashes, settings, timeouts, texts };
}

/** Follows the files too, where the config asks for it. */
export function createReloads({ source, first, loadedAtMs, apply, watch, report, log }: ReloadsOptions): Reloads {
  const begun = first.settings;
  let live = liveConfigOf(first);
  let stopped = false;
  let reloading: Promise<ReloadOutcome> | undefined;
  let nextReload: Promise<ReloadOutcome> | undefined;
  let watching: Watch | undefined;

  const served = () => live.served;

  async function reloadOnce(cause: ReloadCause): Promise<ReloadOutcome> {
    if (stopped) return { kind: 'stopping' };
    const next = await source.loadAgain(live.settings);
    if (!next.ok) return refuse(cause, next.problems);
    if (next.policy.hash === served().hash) {
      next.release();
      report.tellUnchanged(cause);
      return { kind: 'unchanged', served: served() };
    }
    const diff = await inTurns(diffTenants(live.tenantHashes, next.tenantHashes), createPacer());
    const problems = await apply(next);
    if (problems.length > 0) {
      next.release();
      return refuse(cause, problems);
    }
    live = liveConfigOf(next);
    report.tellSuccess(cause, diff, served());
    const needsRestart = findRestartOnly(begun, next.settings);
    report.tellNeedsRestart(needsRestart);
    followFiles();
    return { kind: 'reloaded', served: served(), diff, needsRestart };
  }

  function refuse(cause: ReloadCause, problems: readonly Problem[]): ReloadOutcome {
    // What is refused for is not a warning that comes first in the file.
    report.tellFailure(
      cause,
      problems.filter(({ severity }) => severity === 'error'),
    );
    return { kind: 'refused', served: served(), problems };
  }

  /** One at a time; asks that come while one runs share the next, which sees what they mean. */
  function reload(cause: ReloadCause): Promise<ReloadOutcome> {
    if (reloading === undefined) {
      reloading = reloadOnce(cause).finally(() => {
        reloading = undefined;
      });
      return reloading;
    }
    nextReload ??= reloading.then(() => {
      nextReload = undefined;
      return reload(cause);
    });
    return nextReload;
  }

  function followFiles(): void {
    const wanted = (watch ?? live.settings.watch) && !stopped;
    if (!wanted) {
      watching?.close();
      watching = undefined;
      return;
    }
    watching ??= watchFiles({
      paths: source.paths,
      onChange: async () => void (await reload('watch')),
      onProblem: (problem) => log.warn('cannot watch: only looked at every 15 s', { problem }),
      loadedAtMs,
    });
  }

  followFiles();
  return {
    served,
    get live() {
      return live;
    },
    reload,
    stop() {
      stopped = true;
      followFiles();
    },
  };
}
