import { excerptLines } from '../config/format-problems.ts';
import { printableText } from '../ops/printable.ts';
import type { Explanation } from './explanation.ts';
import type { PlacedLadder, PlacedStep, StepPlace } from './placed.ts';

export interface FormatExplanationOptions {
  /** ANSI colours, for a terminal. */
  readonly color: boolean;
  /** How a config file is named to the reader. */
  readonly nameOf: (file: string) => string;
}

const styles = { passed: 32, failed: 31, skipped: 2, faint: 2, hint: 36, strong: 1 } as const;
type Paint = (style: keyof typeof styles, text: string) => string;

const marks: Readonly<Record<PlacedStep['outcome'], string>> = { passed: '✓', failed: '✗', skipped: '–' };

/** Room for the longest step's name. */
const nameWidth = 10;

/** A ladder for people: one step a line, the failed one with the config's line and a hint. Ends with a line break. */
export function formatLadder(ladder: PlacedLadder, { color, nameOf }: FormatExplanationOptions): string {
  const paint: Paint = (style, text) => (color ? `\x1b[${styles[style]}m${text}\x1b[0m` : text);
  const lines = ladder.steps.flatMap((step) => formatStep(step, ladder.hint, paint, nameOf));
  return `${[...lines, '', `  ${paint('strong', verdictText(ladder))}`].join('\n')}\n`;
}

/** The whole explanation: the ladder, then what goes to the upstream, or back to the client. */
export function formatExplanation(
  ladder: PlacedLadder,
  { upstream, answer }: Pick<Explanation, 'upstream' | 'answer'>,
  options: FormatExplanationOptions,
): string {
  const text = formatLadder(ladder, options);
  if (upstream !== undefined) {
    const head = [`${upstream.method} ${upstream.target}`, ...upstream.headers.map(fieldLine)];
    return `${text}\n  to the upstream ${upstream.to}\n${indented(head)}`;
  }
  if (answer === undefined) return text;
  const head = [`HTTP/1.1 ${answer.status}`, ...answer.headers.map(fieldLine)];
  return `${text}\n  to the client\n${indented(answer.body === '' ? head : [...head, '', answer.body])}`;
}

function formatStep(
  { step, outcome, detail, config }: PlacedStep,
  hint: string | undefined,
  paint: Paint,
  nameOf: (file: string) => string,
): string[] {
  const mark = paint(outcome, marks[outcome]);
  const place = config === undefined ? '' : paint('faint', `  ${placeText(config, nameOf)}`);
  const line = `  ${mark} ${step.padEnd(nameWidth)}  ${printableText(detail)}`;
  if (outcome !== 'failed') return [`${line}${place}`];
  const below: string[] = [];
  if (config !== undefined) {
    const path = config.file === undefined ? '' : `: ${config.path}`;
    below.push(paint('faint', `${placeText(config, nameOf)}${path}`));
  }
  if (config?.excerpt !== undefined) {
    const faint = (text: string) => paint('faint', text);
    below.push(...excerptLines(config.excerpt, config.line, faint, (text) => paint('failed', text)));
  }
  if (hint !== undefined) below.push(`= ${paint('hint', printableText(hint))}`);
  const margin = ' '.repeat(nameWidth + 6);
  return [line, ...below.map((text) => `${margin}${text}`)];
}

function placeText({ file, line, column, path }: StepPlace, nameOf: (file: string) => string): string {
  return file === undefined ? path : `${nameOf(file)}:${line}:${column}`;
}

function verdictText({ verdict, reason, status, tenant }: PlacedLadder): string {
  const whose = tenant === undefined ? '' : ` (tenant ${tenant})`;
  switch (verdict) {
    case 'allowed':
      return `allowed${whose}`;
    case 'answered':
      return `answered here with ${status}${whose}`;
    case 'refused':
      return `refused: ${reason}, status ${status}${whose}`;
    case 'reported':
      return `would be refused: ${reason}; mode: report lets it through${whose}`;
  }
}

function fieldLine([name, value]: readonly [name: string, value: string]): string {
  return `${name}: ${value}`;
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `    ${printableText(line)}\n`).join('');
}
