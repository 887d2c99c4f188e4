import { formatPath } from './config-path.ts';
import type { Excerpt, ExcerptOf } from './excerpt.ts';
import type { Finding, Severity } from './finding.ts';
import { lineColumn } from './source.ts';

/** What a load has to say about one place of a config: plain data, without secrets, fit for a terminal or a log. */
export interface Problem {
  readonly severity: Severity;
  readonly file: string;
  /** One-based; undefined where the fault is the file as a whole. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** `tenants.acme.routes[0].path`; "" for the whole file. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly related?: readonly ProblemPlace[] | undefined;
  /** The source line, with whatever might be secret masked. */
  readonly excerpt?: Excerpt | undefined;
}

export type ProblemPlace = Pick<Problem, 'file' | 'line' | 'column' | 'path'>;

/** Source lines are for people, who stop reading before this many. */
const mostExcerpts = 200;

export function describeFindings(findings: readonly Finding[], excerptOf: ExcerptOf): Problem[] {
  return findings.map(({ severity, span, file, path, message, hint, related }, index) => ({
    severity,
    ...placeOf({ span, path }, file),
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(related === undefined ? {} : { related: related.map((place) => placeOf(place, file)) }),
    ...(span === undefined || index >= mostExcerpts ? {} : { excerpt: excerptOf(span) }),
  }));
}

function placeOf({ span, path }: Pick<Finding, 'span' | 'path'>, file: string): ProblemPlace {
  if (span === undefined) return { file, path: formatPath(path) };
  return { file: span.source.file, ...lineColumn(span), path: formatPath(path) };
}
