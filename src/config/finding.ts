import type { ConfigPath } from './config-path.ts';
import type { Span } from './source.ts';

export type Severity = 'error' | 'warning';

/** One thing that is wrong with a config, or that its writer should think about. */
export interface Finding {
  readonly severity: Severity;
  /** Undefined where the fault has no place in a text, e.g. a file that cannot be read. */
  readonly span: Span | undefined;
  /** The file to name where there is no span. */
  readonly file: string;
  readonly path: ConfigPath;
  /** Never holds a secret, nor a value that might be one. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** Other places that have a part in it, e.g. the tenant it overlaps with. */
  readonly related?: readonly RelatedPlace[] | undefined;
}

export interface RelatedPlace {
  readonly span: Span | undefined;
  readonly path: ConfigPath;
}

export type FindingText = Pick<Finding, 'message' | 'hint' | 'related'>;

/** Collects findings; the same words at the same place count once, however many tenants share them by a template. */
export interface Report {
  add(finding: Finding): void;
  hasErrors(): boolean;
  hasErrorAt(span: Span): boolean;
  /** In order of file and place. */
  findings(): Finding[];
}

/** A mistake in a generator can be one in each of 100,000 tenants: more of a kind than this are only counted. */
const mostOfAKind = 100;

export function createReport(): Report {
  const found: Finding[] = [];
  const faulty = new Set<string>();
  const kinds = new Map<string, { readonly places: Set<string>; readonly first: Finding; uncounted: number }>();
  return {
    add(finding) {
      const { severity, span, file, message, path } = finding;
      const place = span === undefined ? `${file} ${path.join('\0')}` : placeKey(span);
      const kind = `${severity} ${message}`;
      let ofKind = kinds.get(kind);
      if (ofKind === undefined) {
        ofKind = { places: new Set(), first: finding, uncounted: 0 };
        kinds.set(kind, ofKind);
      }
      if (ofKind.places.has(place)) return;
      if (ofKind.places.size >= mostOfAKind) {
        ofKind.uncounted++;
        return;
      }
      ofKind.places.add(place);
      if (severity === 'error') faulty.add(place);
      found.push(finding);
    },
    hasErrors: () => faulty.size > 0,
    hasErrorAt: (span) => faulty.has(placeKey(span)),
    findings: () => [...inOrder(found), ...Array.from(kinds.values()).flatMap(summary)],
  };
}

function summary({ first, uncounted }: { readonly first: Finding; readonly uncounted: number }): Finding[] {
  if (uncounted === 0) return [];
  const message = `${first.message} (the same in ${uncounted} more places)`;
  return [{ severity: first.severity, span: undefined, file: first.file, path: [], message }];
}

function placeKey({ source, start }: Span): string {
  return `${source.file} ${start}`;
}

/** Files in the order in which they were first complained about; within a file from top to bottom. */
function inOrder(findings: readonly Finding[]): Finding[] {
  const rank = new Map<string, number>();
  for (const { file } of findings) if (!rank.has(file)) rank.set(file, rank.size);
  return findings.toSorted(
    (a, b) =>
      (rank.get(a.file) as number) - (rank.get(b.file) as number) || (a.span?.start ?? -1) - (b.span?.start ?? -1),
  );
}

export function findingAt(span: Span, path: ConfigPath, text: FindingText, severity: Severity = 'error'): Finding {
  return { severity, span, file: span.source.file, path, ...text };
}

export function findingInFile(file: string, text: FindingText, severity: Severity = 'error'): Finding {
  return { severity, span: undefined, file, path: [], ...text };
}
