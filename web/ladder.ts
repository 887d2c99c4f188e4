import type { Explanation } from '../src/explain/explanation.ts';
import type { PlacedLadder, PlacedStep } from '../src/explain/placed.ts';
import { type Content, element } from './element.ts';

const marks: Readonly<Record<PlacedStep['outcome'], { readonly sign: string; readonly word: string }>> = {
  passed: { sign: '✓', word: 'passed' },
  failed: { sign: '✗', word: 'failed' },
  skipped: { sign: '–', word: 'not done' },
};

/** The steps of a decision, as `jwtgate explain` prints them. */
export function showLadder(ladder: PlacedLadder): HTMLElement {
  const good = ladder.verdict === 'allowed' || ladder.verdict === 'answered';
  return element(
    'div',
    {},
    element('p', { class: `verdict ${good ? 'good' : 'bad'}` }, verdictText(ladder)),
    element('ol', { class: 'ladder' }, ...ladder.steps.map((step) => showStep(step, ladder.hint))),
  );
}

/** The ladder, what the token says, and what goes on to the upstream or back to the client. */
export function showExplanation(
  explanation: Omit<Explanation, 'ladder'> & { readonly ladder: PlacedLadder },
): HTMLElement {
  const { ladder, token, upstream, answer } = explanation;
  const parts: Content[] = [showLadder(ladder)];
  if (token !== undefined) {
    const verified = token.signature === 'verified';
    parts.push(
      element('h3', {}, verified ? 'The token, its signature verified' : 'The token, NOT verified'),
      element('pre', {}, JSON.stringify({ header: token.header, claims: token.claims }, null, 2)),
    );
    const times = Object.entries(token.times).map(([name, text]) => `${name}: ${text}`);
    if (times.length > 0) parts.push(element('p', { class: 'mono' }, times.join('; ')));
  }
  const field = ([name, value]: readonly [string, string]) => `${name}: ${value}`;
  if (upstream !== undefined) {
    const lines = [`${upstream.method} ${upstream.target}`, ...upstream.headers.map(field)];
    parts.push(element('h3', {}, `To the upstream ${upstream.to}`), element('pre', {}, lines.join('\n')));
  }
  if (answer !== undefined) {
    const lines = [`${answer.status}`, ...answer.headers.map(field), '', answer.body];
    parts.push(element('h3', {}, 'To the client'), element('pre', {}, lines.join('\n').trimEnd()));
  }
  return element('div', { class: 'parts' }, ...parts);
}

function showStep({ step, outcome, detail, config }: PlacedStep, hint: string | undefined): HTMLElement {
  const { sign, word } = marks[outcome];
  const tone = outcome === 'passed' ? 'good' : outcome === 'failed' ? 'bad' : 'faint';
  const text: Content[] = [detail];
  if (config !== undefined) {
    const place = config.file === undefined ? config.path : `${config.file}:${config.line}:${config.column}`;
    text.push(' ', element('span', { class: 'faint' }, place));
  }
  if (outcome === 'failed') {
    if (config?.excerpt !== undefined) text.push(element('pre', {}, config.excerpt.text));
    if (hint !== undefined) text.push(element('p', {}, hint));
  }
  return element(
    'li',
    {},
    element('span', { class: `mark ${tone}`, role: 'img', 'aria-label': word }, sign),
    element('span', { class: 'faint' }, step),
    element('div', { class: 'detail' }, ...text),
  );
}

function verdictText({ verdict, reason, status, tenant }: PlacedLadder): string {
  const whose = tenant === undefined ? '' : ` (tenant ${tenant})`;
  switch (verdict) {
    case 'allowed':
      return `Allowed${whose}`;
    case 'answered':
      return `Answered here with ${status}${whose}`;
    case 'refused':
      return `Refused: ${reason}, status ${status}${whose}`;
    case 'reported':
      return `Would be refused: ${reason}; mode: report lets it through${whose}`;
  }
}
