import { countOf } from './count-of.ts';

/** What readiness depends on, at the moment of a probe. */
export interface Health {
  /** Undefined until a first config is being served. */
  readonly config: { readonly generation: number; readonly hash: string; readonly tenants: number } | undefined;
  readonly draining: boolean;
  /** Required key sources that were never fetched, by URL without credentials. */
  readonly keysAwaited: readonly string[];
  /** Why the last reload was refused, in one line; undefined when it was not. */
  readonly lastReloadProblem: string | undefined;
  readonly needsRestart: readonly string[];
  /** Undefined where one process is all there is. */
  readonly workers?: { readonly wanted: number; readonly serving: number } | undefined;
}

export interface Readiness {
  readonly ready: boolean;
  /** For a person who asks with curl; one line a check. */
  readonly text: string;
}

/**
 * Ready: a config is served, by one worker at least, every required key source was fetched once, and no drain has begun.
 * A reload that failed, an identity provider that went away later, or a worker that is being replaced, is said here but
 * leaves the pod ready: it still serves.
 */
export function readiness(health: Health): Readiness {
  const { config, draining, keysAwaited, lastReloadProblem, needsRestart, workers } = health;
  const ready = config !== undefined && keysAwaited.length === 0 && !draining && workers?.serving !== 0;

  const lines = [ready ? 'ready' : 'not ready'];
  lines.push(
    config === undefined
      ? '[-] config: not loaded yet'
      : `[+] config: generation ${config.generation}, ${countOf(config.tenants, 'tenant')}, hash ${config.hash.slice(0, 12)}`,
  );
  if (lastReloadProblem !== undefined) {
    lines.push(`[!] last reload failed, the config before it is served: ${lastReloadProblem}`);
  }
  if (needsRestart.length > 0) lines.push(`[!] waiting for a restart: ${needsRestart.join(', ')}`);
  if (workers !== undefined) {
    const { wanted, serving } = workers;
    const mark = serving === wanted ? '+' : serving > 0 ? '!' : '-';
    lines.push(`[${mark}] workers: ${serving} of ${wanted} serve`);
  }
  if (keysAwaited.length === 0) lines.push('[+] keys: every required source was fetched');
  for (const source of keysAwaited) lines.push(`[-] keys: ${source} was not fetched yet`);
  lines.push(draining ? '[-] drain: under way' : '[+] drain: no');
  return { ready, text: `${lines.join('\n')}\n` };
}
