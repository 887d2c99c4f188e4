import type { Overview } from '../src/status/overview.ts';
import { ask } from './ask.ts';
import { part } from './element.ts';
import { listenToExplainer } from './explainer.ts';
import { showOverview } from './overview.ts';
import { refreshRecent } from './recent.ts';
import { listenToTenants, refreshTenants } from './tenants.ts';

const refreshMs = 2_000;
let paused = false;

function say(text: string): void {
  if (part('said').textContent !== text) part('said').textContent = text;
}

let away = false;

async function refresh(): Promise<void> {
  const reply = await ask<Overview>('/api/status');
  if (reply?.status !== 200) {
    away = true;
    return say('jwtgate does not answer; what is shown is what it said last.');
  }
  if (away) say('');
  away = false;
  showOverview(reply.body);
  await Promise.all([refreshTenants(), refreshRecent()]);
}

/** One round after another, never two at once; none while nobody looks. */
async function keepFresh(): Promise<void> {
  for (;;) {
    if (!paused && !document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, refreshMs));
  }
}

interface Reloaded {
  readonly result?: 'reloaded' | 'unchanged' | 'refused';
  readonly error?: string;
}

const reloadWords = {
  reloaded: 'The config was reloaded.',
  unchanged: 'The config is unchanged.',
  refused: 'The config was refused; the one before it is still served.',
} as const;

async function reload(button: HTMLButtonElement): Promise<void> {
  button.disabled = true;
  say('Reloading …');
  const reply = await ask<Reloaded>('/api/reload', {});
  button.disabled = false;
  const result = reply?.body.result;
  say(result === undefined ? (reply?.body.error ?? 'No answer.') : reloadWords[result]);
  await refresh();
}

part<HTMLButtonElement>('reload').addEventListener('click', (event) => {
  void reload(event.currentTarget as HTMLButtonElement);
});
part('pause').addEventListener('click', () => {
  paused = !paused;
  part('pause').setAttribute('aria-pressed', `${paused}`);
});
listenToTenants();
listenToExplainer();
void keepFresh();
