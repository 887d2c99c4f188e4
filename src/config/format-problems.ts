import type { Excerpt } from './excerpt.ts';
import type { Problem, ProblemPlace } from './problem.ts';

export interface FormatOptions {
  /** ANSI colours, for a terminal. */
  readonly color: boolean;
}

/** A mistake in a template can be one in each of 100,000 tenants: the first of them tell all. */
const mostShown = 50;

const styles = { error: 31, warning: 33, place: 1, faint: 2, hint: 36 } as const;

/** All problems as text for people: place, path, message, source line with a caret, hint. Ends with a line break. */
export function formatProblems(problems: readonly Problem[], { color }: FormatOptions): string {
  const paint = (style: keyof typeof styles, text: string) => (color ? `\x1b[${styles[style]}m${text}\x1b[0m` : text);
  // Errors first: they are what keeps the config from being used.
  const ordered = [...problems.filter(isError), ...problems.filter((problem) => !isError(problem))];
  const blocks = ordered.slice(0, mostShown).map((problem) => formatOne(problem, paint));
  const hidden = ordered.length - blocks.length;
  if (hidden > 0) blocks.push(paint('faint', `… and ${hidden} more\n`));
  return blocks.join('\n');
}

function isError({ severity }: Problem): boolean {
  return severity === 'error';
}

function formatOne(problem: Problem, paint: (style: keyof typeof styles, text: string) => string): string {
  const { severity, path, message, excerpt, hint, related } = problem;
  const label = severity === 'warning' ? `${paint('warning', 'warning')}: ` : '';
  const subject = path === '' ? '' : `${path}: `;
  const lines = [`${paint('place', formatPlace(problem))}: ${label}${subject}${message}`];
  const gutter = String(problem.line ?? '').length;
  const margin = `  ${' '.repeat(gutter)} `;
  if (excerpt !== undefined) {
    lines.push(
      ...excerptLines(
        excerpt,
        problem.line,
        (text) => paint('faint', text),
        (text) => paint(severity, text),
      ),
    );
  }
  for (const place of related ?? []) lines.push(`${margin}= see ${formatPlace(place)}: ${place.path}`);
  if (hint !== undefined) lines.push(`${margin}= ${paint('hint', hint)}`);
  return `${lines.join('\n')}\n`;
}

/** The source line, and under it a caret; without line breaks. */
export function excerptLines(
  { text, column, length }: Excerpt,
  line: number | undefined,
  faint: (text: string) => string,
  strong: (text: string) => string,
): string[] {
  const margin = ' '.repeat(String(line ?? '').length + 3);
  const caret = '^'.repeat(Math.max(1, Math.min(length, text.length - column)));
  return [`  ${faint(`${line} |`)} ${text}`, `${margin}${faint('|')} ${' '.repeat(column)}${strong(caret)}`];
}

function formatPlace({ file, line, column }: ProblemPlace): string {
  return line === undefined ? file : `${file}:${line}:${column}`;
}

/** The same for machines: one JSON object a problem, without source lines. */
export function problemsToJson(problems: readonly Problem[]): Omit<Problem, 'excerpt'>[] {
  return problems.map(({ excerpt: _, ...rest }) => rest);
}
