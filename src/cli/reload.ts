import { setTimeout } from 'node:timers/promises';
import { formatProblems } from '../config/format-problems.ts';
import type { Problem } from '../config/problem.ts';
import { countOf } from '../ops/count-of.ts';
import { askAdmin, findAdmin } from './admin-client.ts';
import { exitCodes } from './exit-codes.ts';
import { whyNotJwtgate } from './find-process.ts';
import { noAnswer } from './no-answer.ts';
import { askOps, findOps } from './ops-client.ts';
import { parsePid, readPidFile } from './pid-file.ts';
import { wantsColor } from './wants-color.ts';

export interface ReloadOptions {
  readonly config?: string;
  readonly admin?: string;
  readonly pid?: string;
  readonly pidFile?: string;
  readonly ops?: string;
  /** Seconds, as text. */
  readonly timeout: string;
  readonly json?: true;
}

/** What a reload came to, however it was asked for. */
interface Outcome {
  readonly result: 'reloaded' | 'unchanged' | 'refused';
  /** For people: what is served now, what was changed, what is wrong. */
  readonly lines: readonly string[];
  readonly problems: readonly Problem[];
  /** As it came, for machines. */
  readonly json: object;
}

type Asked = Outcome | { readonly failure: string; readonly exitCode: number };

/**
 * Has a running jwtgate load its config anew, and waits for what becomes of it: 0, or 78 where the config was refused and
 * the one before it is still served, or 69 where nobody can tell.
 */
export async function reload(options: ReloadOptions): Promise<number> {
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    return fail('--timeout must be a number of seconds above 0', exitCodes.usage);
  }
  const pid = pidOf(options);
  if (typeof pid === 'object') return fail(pid.problem, exitCodes.usage);
  const asked =
    pid === undefined ? await reloadByAdmin(options, timeoutMs) : await reloadBySignal(pid, options, timeoutMs);
  if ('failure' in asked) return fail(asked.failure, asked.exitCode);
  tell(asked, options.json === true);
  return asked.result === 'refused' ? exitCodes.config : exitCodes.ok;
}

function fail(detail: string, exitCode: number): number {
  process.stderr.write(`jwtgate: ${detail}\n`);
  return exitCode;
}

function tell({ result, lines, problems, json }: Outcome, asJson: boolean): void {
  if (asJson) {
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return;
  }
  const out = result === 'refused' ? process.stderr : process.stdout;
  if (problems.length > 0) process.stderr.write(formatProblems(problems, { color: wantsColor(process.stderr) }));
  out.write(`${lines.join('\n')}\n`);
}

function pidOf({ pid, pidFile }: ReloadOptions): number | { readonly problem: string } | undefined {
  if (pid !== undefined && pidFile !== undefined) return { problem: '--pid or --pid-file, not both' };
  if (pid !== undefined) return parsePid(pid) ?? { problem: '--pid must be the number of a process' };
  return pidFile === undefined ? undefined : readPidFile(pidFile);
}

const refusedLine = 'refused: the config before it is still served';

interface AdminReload {
  readonly result: Outcome['result'];
  readonly served: { readonly generation: number; readonly hash: string; readonly tenants: number };
  readonly diff?: Readonly<Record<'added' | 'removed' | 'changed', readonly string[]>>;
  readonly needsRestart?: readonly string[];
  readonly problems?: readonly Problem[];
}

/** Asks the admin listener, which answers when all is done. */
async function reloadByAdmin({ admin, config }: ReloadOptions, timeoutMs: number): Promise<Asked> {
  const found = await findAdmin(admin, config, process.env);
  if (found.kind === 'problem') {
    return { failure: `${found.detail}; or name the process with --pid or --pid-file`, exitCode: exitCodes.usage };
  }
  const reply = await askAdmin(found.where, '/api/reload', timeoutMs, '{}');
  if (reply.kind === 'none') {
    return { failure: noAnswer('admin listener', found.where, reply.why), exitCode: exitCodes.unavailable };
  }
  if (reply.status !== 200 && reply.status !== 422) {
    return {
      failure: `the admin listener answers ${reply.status}: ${errorIn(reply.body)}`,
      exitCode: exitCodes.unavailable,
    };
  }
  const answer = JSON.parse(reply.body) as AdminReload;
  const { result, served, diff, needsRestart = [], problems = [] } = answer;
  const changes = Object.entries(diff ?? {}).flatMap(([what, ids]) =>
    ids.length === 0 ? [] : [`  ${what}: ${nameSome(ids)}`],
  );
  const restart = needsRestart.length === 0 ? [] : [`  waits for a restart: ${needsRestart.join(', ')}`];
  const now = `generation ${served.generation}, ${countOf(served.tenants, 'tenant')}, hash ${served.hash.slice(0, 12)}`;
  const lines = result === 'refused' ? [refusedLine] : [`${result}: ${now}`, ...changes, ...restart];
  return { result, lines, problems, json: answer };
}

function errorIn(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === 'string' ? error : 'it is no jwtgate, or an older one';
  } catch {
    return 'it is no jwtgate, or an older one';
  }
}

const namedIds = 10;

function nameSome(ids: readonly string[]): string {
  const more = ids.length - namedIds;
  return more > 0 ? `${ids.slice(0, namedIds).join(', ')} and ${more} more` : ids.join(', ');
}

const pollMs = 50;
const mostMetricsChars = 64 * 1024 * 1024;

/** Signals the process, and watches its ops listener until it has counted one reload more. */
async function reloadBySignal(pid: number, { ops, config }: ReloadOptions, timeoutMs: number): Promise<Asked> {
  const found = await findOps({ flag: '--ops', value: ops }, config, '/metrics');
  if (found.kind === 'problem') return { failure: found.detail, exitCode: found.exitCode };
  const why = whyNotJwtgate(pid);
  if (why !== undefined) return { failure: why, exitCode: exitCodes.unavailable };
  const endMs = performance.now() + timeoutMs;
  const counted = async () => {
    const answer = await askOps(found.where, Math.max(1, endMs - performance.now()), mostMetricsChars);
    return answer.kind === 'answer' ? countsIn(answer.body) : undefined;
  };
  const before = await counted();
  if (before === undefined) {
    return { failure: 'its ops listener does not answer, so nobody could tell', exitCode: exitCodes.unavailable };
  }
  process.kill(pid, 'SIGHUP');
  while (performance.now() < endMs) {
    const after = await counted();
    const result = results.find((one) => after !== undefined && after[one] > before[one]);
    if (result !== undefined) return outcomeOf(result, { ...found.where, path: '/readyz' }, endMs - performance.now());
    await setTimeout(pollMs);
  }
  const failure = `process ${pid} was signalled, and said nothing of it within the time`;
  return { failure, exitCode: exitCodes.unavailable };
}

const results = ['reloaded', 'refused', 'unchanged'] as const;
const labels = { reloaded: 'succeeded', refused: 'failed', unchanged: 'unchanged' } as const;

function countsIn(metrics: string): Readonly<Record<Outcome['result'], number>> | undefined {
  const count = (result: Outcome['result']): number => {
    const [, value] =
      new RegExp(`^jwtgate_config_reloads_total\\{result="${labels[result]}"\\} (\\d+)`, 'm').exec(metrics) ?? [];
    return Number(value ?? Number.NaN);
  };
  const [reloaded, refused, unchanged] = [count('reloaded'), count('refused'), count('unchanged')];
  return Number.isNaN(reloaded + refused + unchanged) ? undefined : { reloaded, refused, unchanged };
}

/** What /readyz says of the config: its lines begin with a mark. */
async function outcomeOf(
  result: Outcome['result'],
  where: Parameters<typeof askOps>[0],
  leftMs: number,
): Promise<Outcome> {
  const answer = await askOps(where, Math.max(1000, leftMs), 16_384);
  const said = answer.kind === 'answer' ? answer.body.split('\n') : [];
  const find = (pattern: RegExp) => said.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  const served = find(/^\[\+\] config: (.*)/);
  const restart = find(/^\[!\] waiting for a restart: (.*)/);
  const problem = find(/^\[!\] last reload failed, [^:]*: (.*)/);
  const lines =
    result === 'refused'
      ? [...problem, `${refusedLine}; jwtgate validate lists its problems`]
      : [`${result}: ${served.join('')}`, ...restart.map((settings) => `  waits for a restart: ${settings}`)];
  return {
    result,
    lines,
    problems: [],
    json: { result, served: served[0], needsRestart: restart, problem: problem[0] },
  };
}
