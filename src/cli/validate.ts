import { diskDeps } from '../config/deps.ts';
import { formatProblems, problemsToJson } from '../config/format-problems.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { countOf } from '../ops/count-of.ts';
import { findConfigPath, noConfigText } from './config-path.ts';
import { exitCodes } from './exit-codes.ts';
import type { OnlineResult, OnlineTest } from './validate-online.ts';
import { wantsColor } from './wants-color.ts';

export interface ValidateOptions {
  readonly config?: string;
  readonly json?: true;
  readonly denyWarnings?: true;
  readonly online?: true;
  /** Seconds, as text. */
  readonly timeout: string;
}

/**
 * Loads the config as `run` would, without serving it: 0, or 78 with every problem told. With `online` a sound config's
 * connections are tried as well: 69 where one of them fails.
 */
export async function validate(options: ValidateOptions): Promise<number> {
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    process.stderr.write('jwtgate: --timeout must be a number of seconds above 0\n');
    return exitCodes.usage;
  }
  const path = findConfigPath(options.config, process.env);
  if (path === undefined) {
    process.stderr.write(noConfigText);
    return exitCodes.config;
  }
  const online = options.online && (await import('./validate-online.ts')).createOnlineTest(process.env);
  try {
    return await validateFile(path, options, online, timeoutMs);
  } finally {
    online?.close();
  }
}

async function validateFile(
  path: string,
  { json, denyWarnings }: ValidateOptions,
  online: OnlineTest | undefined,
  timeoutMs: number,
): Promise<number> {
  const loaded = await loadConfig(path, { ...diskDeps(process.env), ...online?.deps });
  const problems = loaded.ok ? loaded.warnings : loaded.problems;
  const valid = loaded.ok && !(denyWarnings && problems.length > 0);
  if (!json) {
    process.stderr.write(formatProblems(problems, { color: wantsColor(process.stderr) }));
    if (valid) process.stdout.write(`${path}: valid (${countOf(loaded.policy.tenants.size, 'tenant')})\n`);
    else process.stderr.write(`${path}: not valid\n`);
  }
  const tell = json ? () => {} : (result: OnlineResult) => process.stdout.write(lineOf(result));
  const results = valid && online !== undefined ? await tryAll(online, loaded, timeoutMs, tell) : undefined;
  if (loaded.ok) loaded.release();
  if (json) {
    const report = { valid, problems: problemsToJson(problems), ...(results === undefined ? {} : { online: results }) };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  }
  if (!valid) return exitCodes.config;
  return results?.some(({ outcome }) => outcome === 'failed') ? exitCodes.unavailable : exitCodes.ok;
}

async function tryAll(
  online: OnlineTest,
  loaded: LoadedConfig,
  timeoutMs: number,
  tell: (result: OnlineResult) => void,
): Promise<OnlineResult[]> {
  const results: OnlineResult[] = [];
  await online.run(loaded, timeoutMs, (result) => {
    results.push(result);
    tell(result);
  });
  return results;
}

const marks: Readonly<Record<OnlineResult['outcome'], string>> = { ok: '✓', failed: '✗', skipped: '–' };

function lineOf({ check, subject, outcome, detail }: OnlineResult): string {
  return `${marks[outcome]} ${check.padEnd('connect'.length)}  ${subject}: ${detail}\n`;
}
