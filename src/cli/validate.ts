import { diskDeps } from '../config/deps.ts';
import { formatProblems, problemsToJson } from '../config/format-problems.ts';
import { loadConfig } from '../config/load.ts';
import { findConfigPath, noConfigText } from './config-path.ts';
import { exitCodes } from './exit-codes.ts';
import { wantsColor } from './wants-color.ts';

export interface ValidateOptions {
  readonly config?: string;
  readonly json?: true;
  readonly denyWarnings?: true;
}

/** Loads the config as `run` would, without serving it: 0, or 78 with every problem told. */
export async function validate(options: ValidateOptions): Promise<number> {
  const path = findConfigPath(options.config, process.env);
  if (path === undefined) {
    process.stderr.write(noConfigText);
    return exitCodes.config;
  }
  const loaded = await loadConfig(path, diskDeps(process.env));
  const problems = loaded.ok ? loaded.warnings : loaded.problems;
  const valid = loaded.ok && !(options.denyWarnings && problems.length > 0);
  if (loaded.ok) loaded.release();

  if (options.json) {
    process.stdout.write(`${JSON.stringify({ valid, problems: problemsToJson(problems) }, null, 2)}\n`);
  } else {
    process.stderr.write(formatProblems(problems, { color: wantsColor(process.stderr) }));
    if (valid && loaded.ok) process.stdout.write(`${path}: valid (${countOf(loaded.policy.tenants.size, 'tenant')})\n`);
    else process.stderr.write(`${path}: not valid\n`);
  }
  return valid ? exitCodes.ok : exitCodes.config;
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
