import type { ConfigDeps } from './deps.ts';
import { createExcerpts } from './excerpt.ts';
import { createReport } from './finding.ts';
import { readModel } from './model.ts';
import { createPlaces } from './places.ts';
import { describeFindings, type Problem } from './problem.ts';
import { type Settings, settingsOf } from './settings.ts';

export type LoadedConfig =
  | {
      readonly ok: true;
      readonly settings: Settings;
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a config with all it includes, checks and compiles it; the answer is either all of it or all its problems. */
export async function loadConfig(path: string, deps: ConfigDeps): Promise<LoadedConfig> {
  const load = { deps, places: createPlaces(), report: createReport() };
  const { files, model } = await readModel(path, load);
  const problems = describeFindings(load.report.findings(), createExcerpts(files, load.places));
  if (model === undefined) return { ok: false, problems };
  const settings = settingsOf(
    model.globals.config,
    files.map(({ source }) => source.file),
  );
  return { ok: true, settings, warnings: problems };
}
