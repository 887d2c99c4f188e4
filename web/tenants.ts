import type { SourceFacts } from '../src/status/tenant-facts.ts';
import type { TenantRow, TenantRows } from '../src/status/tenant-rows.ts';
import { ask } from './ask.ts';
import { type Content, element, part } from './element.ts';
import { count, duration, rate } from './figures.ts';
import { drawSparkline } from './sparkline.ts';

const rowsAPage = 50;
let from = 0;
let newest = 0;

/** Asks for the page of the table that is shown, and draws it. */
export async function refreshTenants(): Promise<void> {
  const turn = ++newest;
  const search = part<HTMLInputElement>('search').value;
  const query = new URLSearchParams({ search, from: `${from}`, count: `${rowsAPage}` });
  const reply = await ask<TenantRows>(`/api/tenants?${query}`);
  // An answer to a question that was asked again meanwhile is of no use.
  if (reply?.status !== 200 || turn !== newest) return;
  if (from > 0 && from >= reply.body.found) {
    from = 0;
    return refreshTenants();
  }
  show(reply.body, search);
}

/** Searching and turning pages. */
export function listenToTenants(): void {
  part('search').addEventListener('input', () => {
    from = 0;
    void refreshTenants();
  });
  part('back').addEventListener('click', () => turnTo(from - rowsAPage));
  part('on').addEventListener('click', () => turnTo(from + rowsAPage));
}

function turnTo(row: number): void {
  from = Math.max(0, row);
  void refreshTenants();
}

function show({ total, found, rows, countedTogether }: TenantRows, search: string): void {
  const body = part('tenants').querySelector('tbody') as HTMLElement;
  body.replaceChildren(...rows.map(showRow));
  const together =
    countedTogether === 0 ? '' : `; ${count(countedTogether)} requests of others are counted together only`;
  setText('found', `${search === '' ? count(total) : `${count(found)} of ${count(total)}`}${together}`);
  setText('page', found === 0 ? 'none' : `${count(from + 1)} to ${count(from + rows.length)}`);
  part<HTMLButtonElement>('back').disabled = from === 0;
  part<HTMLButtonElement>('on').disabled = from + rows.length >= found;
}

/** Only where it changes: `found` is read aloud. */
function setText(id: string, text: string): void {
  if (part(id).textContent !== text) part(id).textContent = text;
}

function showRow(row: TenantRow): HTMLElement {
  const idle = row.accepted === undefined;
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, row.id),
    element('td', row.mode === 'report' ? { class: 'bad' } : {}, row.mode),
    element('td', {}, row.algorithms.join(' ')),
    element('td', {}, showKids(row)),
    element('td', {}, ...showSources(row.sources)),
    element('td', { class: 'number' }, idle ? '–' : rate(row.acceptedRate)),
    element('td', { class: `number${row.refusedRate > 0 ? ' bad' : ''}` }, idle ? '–' : rate(row.refusedRate)),
    element('td', {}, ...(row.series === undefined ? [] : [drawSparkline(row.series)])),
  );
}

function showKids({ kids, keyCount }: TenantRow): HTMLElement {
  const named = kids.map((kid) => kid ?? '(no kid)');
  const more = keyCount - kids.length;
  return element('span', { class: 'kids' }, [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(' '));
}

function showSources(sources: readonly SourceFacts[]): Content[] {
  if (sources.length === 0) return ['the config'];
  return sources.map((source) => {
    const { url, state, lastSuccessMs, nextFetchMs, lastError, skipped } = source;
    const now = Date.now();
    const told = [
      lastSuccessMs === undefined ? 'never fetched' : `${duration(now - lastSuccessMs)} old`,
      nextFetchMs === undefined ? 'being fetched' : `next in ${duration(nextFetchMs - now)}`,
      ...(skipped > 0 ? [`${skipped} keys skipped`] : []),
    ].join(', ');
    const problem = lastError && source.failures > 0 ? [element('span', { class: 'bad' }, ` ${lastError.detail}`)] : [];
    return element(
      'span',
      { class: 'source' },
      url,
      ' ',
      element('span', { class: state === 'fresh' ? 'good' : 'bad' }, state),
      element('span', { class: 'faint' }, ` ${told}`),
      ...problem,
    );
  });
}
