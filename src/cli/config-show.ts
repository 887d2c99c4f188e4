import { stringify } from 'yaml';
import { diskDeps } from '../config/deps.ts';
import { formatProblems } from '../config/format-problems.ts';
import { showConfig } from '../config/load.ts';
import { findConfigPath, noConfigText } from './config-path.ts';
import { exitCodes } from './exit-codes.ts';
import { wantsColor } from './wants-color.ts';

export interface ConfigShowOptions {
  readonly config?: string;
  readonly json?: true;
}

/** Prints the effective config: includes gathered, templates merged, variables filled, secrets masked. 0 or 78. */
export async function showEffectiveConfig(options: ConfigShowOptions): Promise<number> {
  const path = findConfigPath(options.config, process.env);
  if (path === undefined) {
    process.stderr.write(noConfigText);
    return exitCodes.config;
  }
  const shown = await showConfig(path, diskDeps(process.env));
  if (!shown.ok) {
    process.stderr.write(formatProblems(shown.problems, { color: wantsColor(process.stderr) }));
    return exitCodes.config;
  }
  process.stdout.write(options.json ? `${JSON.stringify(shown.config, null, 2)}\n` : stringify(shown.config));
  return exitCodes.ok;
}
