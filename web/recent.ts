import type { PlacedLadder } from '../src/explain/placed.ts';
import type { RefusalList, RefusalSummary } from '../src/explain/refusals.ts';
import { ask } from './ask.ts';
import { element, part } from './element.ts';
import { count } from './figures.ts';
import { showLadder } from './ladder.ts';

/** The list must not bury what stands below it. */
const shownRefusals = 20;

/** By request id: what is opened stays open and keeps the focus, however often the list is asked for. */
const shown = new Map<string, HTMLLIElement>();

/** Asks for the last refusals, and puts new ones in front. */
export async function refreshRecent(): Promise<void> {
  const reply = await ask<RefusalList>('/api/refusals');
  if (reply?.status !== 200) return;
  const { refusals, recordedPerSecond, notRecorded } = reply.body;
  const beyond = notRecorded === 0 ? '' : ` ${count(notRecorded)} beyond that were only counted.`;
  const text =
    refusals.length === 0
      ? 'None yet.'
      : `At most ${recordedPerSecond} a second are remembered for each reason.${beyond} No token is kept.`;
  if (part('recorded').textContent !== text) part('recorded').textContent = text;
  const wanted = refusals.slice(0, shownRefusals);
  for (const id of shown.keys()) if (!wanted.some((one) => one.id === id)) forget(id);
  const list = part('recent');
  for (const refusal of wanted.toReversed()) {
    if (shown.has(refusal.id)) continue;
    const item = showRefusal(refusal);
    shown.set(refusal.id, item);
    list.prepend(item);
  }
}

/** One that is being read stays. */
function forget(id: string): void {
  const item = shown.get(id);
  if (item === undefined || item.querySelector('details')?.open) return;
  item.remove();
  shown.delete(id);
}

function showRefusal(refusal: RefusalSummary): HTMLLIElement {
  const { id, at, decision, reason, tenant, method, path, clientIp, status } = refusal;
  const opened = element('div', { class: 'opened' });
  const details = element(
    'details',
    {},
    element(
      'summary',
      {},
      element('span', { class: 'faint mono' }, `${at.slice(11, 19)} `),
      element('span', { class: 'reason bad' }, reason),
      decision === 'report' ? ' (reported, let through)' : ` ${status}`,
      ` ${tenant ?? 'no tenant'}: ${method} ${path}`,
      element('span', { class: 'faint' }, ` from ${clientIp || 'an unknown address'}`),
    ),
    opened,
  );
  details.addEventListener('toggle', () => {
    if (details.open && opened.childElementCount === 0) void open(id, opened);
  });
  return element('li', {}, details);
}

async function open(id: string, into: HTMLElement): Promise<void> {
  const reply = await ask<{ readonly ladder: PlacedLadder }>(`/api/refusals/${encodeURIComponent(id)}`);
  into.replaceChildren(
    reply?.status === 200 ? showLadder(reply.body.ladder) : element('p', {}, 'It is not remembered any more.'),
    element('p', { class: 'faint mono' }, `request ${id}`),
  );
}
