import { countOf } from './count-of.ts';
import type { Log } from './log.ts';
import { nameSome, type TenantDiff } from './tenant-diff.ts';

/** One problem of a config, as far as a log line tells it. */
export interface ReportedProblem {
  readonly file: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly path: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** The story of the reloads so far: what the metrics and /readyz show, and what the log was told. */
export interface ReloadReport {
  readonly succeeded: number;
  readonly failed: number;
  readonly unchanged: number;
  readonly lastSucceeded: boolean;
  readonly lastSuccessMs: number;
  /** One line; undefined when the last attempt succeeded. */
  readonly lastProblem: string | undefined;
  /** A line each, the first of many; empty when the last attempt succeeded. */
  readonly lastProblems: readonly string[];
  /** Settings that the config asks for and only a restart can bring. */
  readonly needsRestart: readonly string[];
  tellSuccess(cause: string, diff: TenantDiff, served: { generation: number; hash: string; tenants: number }): void;
  tellUnchanged(cause: string): void;
  tellFailure(cause: string, problems: readonly ReportedProblem[]): void;
  tellNeedsRestart(settings: readonly string[]): void;
}

/** A log line each for this many problems of a refused config. */
const mostProblemLines = 20;

/** Begins with the first load, which succeeded `nowMs` ago. */
export function createReloadReport(log: Log, now: () => number): ReloadReport {
  let succeeded = 0;
  let failed = 0;
  let unchanged = 0;
  let lastSuccessMs = now();
  let lastProblem: string | undefined;
  let lastProblems: readonly string[] = [];
  let needsRestart: readonly string[] = [];

  return {
    get succeeded() {
      return succeeded;
    },
    get failed() {
      return failed;
    },
    get unchanged() {
      return unchanged;
    },
    get lastSucceeded() {
      return lastProblem === undefined;
    },
    get lastSuccessMs() {
      return lastSuccessMs;
    },
    get lastProblem() {
      return lastProblem;
    },
    get lastProblems() {
      return lastProblems;
    },
    get needsRestart() {
      return needsRestart;
    },
    tellSuccess(cause, diff, served) {
      succeeded++;
      lastSuccessMs = now();
      lastProblem = undefined;
      lastProblems = [];
      log.info('config reloaded', {
        cause,
        ...served,
        tenants_added: countAndNames(diff.added),
        tenants_removed: countAndNames(diff.removed),
        tenants_changed: countAndNames(diff.changed),
      });
    },
    tellUnchanged(cause) {
      unchanged++;
      lastSuccessMs = now();
      lastProblem = undefined;
      lastProblems = [];
      log.info('config unchanged', { cause });
    },
    tellFailure(cause, problems) {
      failed++;
      const [first] = problems;
      lastProblem = countOf(problems.length, 'problem');
      if (first !== undefined) lastProblem += `, first at ${place(first)}: ${first.message}`;
      lastProblems = problems.slice(0, mostProblemLines).map(describe);
      log.error('reload refused: the config before it is still served', { cause, problems: problems.length });
      for (const problem of problems.slice(0, mostProblemLines)) {
        const { path, message, hint } = problem;
        log.error('config problem', { at: place(problem), path: path || undefined, problem: message, hint });
      }
    },
    tellNeedsRestart(settings) {
      needsRestart = settings;
      if (settings.length > 0) {
        log.warn('these settings were changed and need a restart; all others are live', { settings });
      }
    },
  };
}

function describe(problem: ReportedProblem): string {
  const { path, message, hint } = problem;
  return `${place(problem)}: ${path === '' ? '' : `${path}: `}${message}${hint === undefined ? '' : ` (${hint})`}`;
}

function place({ file, line, column }: ReportedProblem): string {
  return line === undefined ? file : `${file}:${line}:${column}`;
}

function countAndNames(ids: readonly string[]): readonly string[] | undefined {
  return ids.length === 0 ? undefined : nameSome(ids);
}
