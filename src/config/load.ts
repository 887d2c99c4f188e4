import type { Policy } from '../gate/policy.ts';
import type { KeySourceLease } from '../keys/key-sources.ts';
import type { SigningSlot } from '../sign/signing-keys.ts';
import { compileConfig } from './compile.ts';
import type { PlacedSigning } from './compile-sending.ts';
import type { AwaitedSource } from './compile-tenant.ts';
import { type ConfigPlaces, type ConfigTexts, createConfigPlaces, describeTexts } from './config-places.ts';
import type { ConfigDeps } from './deps.ts';
import { createExcerpts } from './excerpt.ts';
import { beginLoad, readModel } from './model.ts';
import type { Pause } from './pacer.ts';
import { describeFindings, type Problem } from './problem.ts';
import { type Settings, settingsOf } from './settings.ts';

/** A config that can be served. */
export interface LoadedConfig {
  readonly ok: true;
  readonly policy: Policy;
  /** What is not the gate's: listeners, logging, watching. */
  readonly settings: Settings;
  /** A short digest of each tenant's own settings: what a reload changed has another. */
  readonly tenantHashes: ReadonlyMap<string, string>;
  readonly warnings: readonly Problem[];
  /** Sources that readiness waits for. */
  readonly requiredSources: readonly AwaitedSource[];
  /** The remote sources of each tenant that has any. */
  readonly remoteKeys: ReadonlyMap<string, readonly Pick<KeySourceLease, 'status'>[]>;
  /** Of every upstream that a request may go to. */
  readonly upstreamKeys: ReadonlySet<string>;
  readonly texts: ConfigTexts;
  /** Only where it was asked for: it holds on to all texts. */
  readonly places: ConfigPlaces | undefined;
  /** Every place that signs, to be adopted when this config is swapped in. */
  readonly signingSlots: readonly SigningSlot[];
  /** The same, with what they issue: to try them. */
  readonly signings: readonly PlacedSigning[];
  /** Gives up the config's key sources; to be called once nothing is judged by its policy any more. */
  release(): void;
}

/** All that keeps a config from being served, and its warnings. */
export interface RefusedConfig {
  readonly ok: false;
  readonly problems: readonly Problem[];
}

/**
 * Reads a config with all it includes, checks it as a whole and compiles it: everything, or every problem. Never
 * rejects for what stands in a config. Key sources are acquired, and so begin to fetch, only if all is well.
 */
export async function loadConfig(
  path: string,
  deps: ConfigDeps,
  { keepsPlaces = false, pause }: { readonly keepsPlaces?: boolean; readonly pause?: Pause } = {},
): Promise<LoadedConfig | RefusedConfig> {
  const load = beginLoad(deps, pause);
  const { files, model } = await readModel(path, load);
  const held = model && (await deps.stateFor?.(model.globals.config.workers));
  const compiling = { ...load, deps: { ...deps, ...held } };
  const compiled = model && (await compileConfig(model, path, compiling, compiling.deps.keySources));
  const problems = describeFindings(load.report.findings(), createExcerpts(files, load.places));
  if (model === undefined || compiled === undefined) return { ok: false, problems };
  const texts = await describeTexts(files, load.pause);
  const { policy, tls, tenantHashes, leases, requiredSources, remoteKeys, upstreamKeys, signingSlots, signings } =
    compiled;
  return {
    ok: true,
    policy,
    settings: settingsOf(model.globals.config, tls),
    tenantHashes,
    warnings: problems,
    requiredSources,
    remoteKeys,
    upstreamKeys,
    texts,
    places: keepsPlaces ? createConfigPlaces(model, files, load.places) : undefined,
    signingSlots,
    signings,
    release: () => {
      for (const lease of leases) lease.release();
    },
  };
}
