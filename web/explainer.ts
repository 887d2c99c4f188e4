import type { Explanation } from '../src/explain/explanation.ts';
import type { PlacedLadder } from '../src/explain/placed.ts';
import { ask } from './ask.ts';
import { element, part } from './element.ts';
import { showExplanation } from './ladder.ts';

type Explained = (Omit<Explanation, 'ladder'> & { readonly ladder: PlacedLadder }) | { readonly error: string };

/** The form for a token: this listener's own gate judges it. */
export function listenToExplainer(): void {
  part<HTMLFormElement>('explain').addEventListener('submit', (event) => {
    event.preventDefault();
    void explain();
  });
}

async function explain(): Promise<void> {
  const headers = readHeaders(textOf('headers'));
  if (typeof headers === 'string') return say(headers);
  const token = textOf('token')
    .replace(/^\s*(?:Authorization:\s*)?(?:Bearer\s+)?/i, '')
    .trim();
  const question = {
    method: textOf('method').trim(),
    url: textOf('url').trim(),
    headers,
    ...(token !== '' && { token }),
  };
  const reply = await ask<Explained>('/api/explain', question);
  if (reply === undefined) return say('No answer.');
  if ('error' in reply.body) return say(reply.body.error);
  part('explained').replaceChildren(showExplanation(reply.body));
}

function textOf(id: string): string {
  return part<HTMLInputElement | HTMLTextAreaElement>(id).value;
}

/** What is wrong, where a line is no header. */
function readHeaders(text: string): [string, string][] | string {
  const headers: [string, string][] = [];
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [, name, value] = /^\s*([^\s:]+)\s*:(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return `This is no header: ${line.trim()}`;
    headers.push([name, value.trim()]);
  }
  return headers;
}

function say(text: string): void {
  part('explained').replaceChildren(element('p', { class: 'bad' }, text));
}
