import { compileConfig } from './compile.ts';
import type { ConfigDeps } from './deps.ts';
import { type EffectiveNode, effectiveTree } from './effective-tree.ts';
import { createExcerpts } from './excerpt.ts';
import type { RefusedConfig } from './load.ts';
import { beginLoad, readModel } from './model.ts';
import { originsOf } from './origin.ts';
import { describeFindings } from './problem.ts';

/** A config as it is in effect, for people to look at and to compare. */
export interface EffectiveConfig {
  readonly ok: true;
  /** The main file's own keys. */
  readonly globals: EffectiveNode;
  readonly tenants: ReadonlyMap<string, EffectiveNode>;
  /**
   * Digests of what values name and do not hold (files, `{env}`), by tenant; the main file's own under undefined.
   * Undefined where not all of it could be read, or was not asked for.
   */
  readonly contents: ReadonlyMap<string | undefined, string> | undefined;
}

/** Reads what fits its shape; problems where not all does. Files that its values name are read `withContents` alone. */
export async function readEffectiveConfig(
  path: string,
  deps: ConfigDeps,
  { withContents = false }: { readonly withContents?: boolean } = {},
): Promise<EffectiveConfig | RefusedConfig> {
  const load = beginLoad(deps);
  const { files, model } = await readModel(path, load);
  if (model === undefined || load.report.hasErrors()) {
    return { ok: false, problems: describeFindings(load.report.findings(), createExcerpts(files, load.places)) };
  }
  const origins = originsOf(files, load.places);
  const compiled = withContents ? await compileConfig(model, path, load, undefined) : undefined;
  for (const lease of compiled?.leases ?? []) lease.release();
  return {
    ok: true,
    globals: effectiveTree(model.globals.raw, [], origins),
    tenants: new Map(model.tenants.map(({ id, raw, path }) => [id, effectiveTree(raw, path, origins)])),
    contents: compiled?.contents,
  };
}
