/** What readiness depends on, read anew for every probe. */
export interface HealthSources {
  /** Undefined until a first config is being served. */
  config(): { readonly generation: number; readonly hash: string; readonly tenants: number } | undefined;
  draining(): boolean;
  /** Required key sources that were never fetched, by URL without credentials. */
  keysAwaited(): readonly string[];
  /** Why the last reload was refused, in one line; undefined when it was not. */
  lastReloadProblem(): string | undefined;
  needsRestart(): readonly string[];
}

export interface Health {
  readonly ready: boolean;
  /** For a person who asks with curl; one line a check. */
  readonly text: string;
}

/**
 * Ready: a config is served, every required key source was fetched once, and no drain has begun. A reload that
 * failed, or an identity provider that went away later, is said here but leaves the pod ready: it still serves.
 */
export function readiness(sources: HealthSources): Health {
  const config = sources.config();
  const awaited = sources.keysAwaited();
  const draining = sources.draining();
  const reloadProblem = sources.lastReloadProblem();
  const needsRestart = sources.needsRestart();
  const ready = config !== undefined && awaited.length === 0 && !draining;

  const lines = [ready ? 'ready' : 'not ready'];
  lines.push(
    config === undefined
      ? '[-] config: not loaded yet'
      : `[+] config: generation ${config.generation}, ${config.tenants} tenants, hash ${config.hash.slice(0, 12)}`,
  );
  if (reloadProblem !== undefined) {
    lines.push(`[!] last reload failed, the config before it is served: ${reloadProblem}`);
  }
  if (needsRestart.length > 0) lines.push(`[!] waiting for a restart: ${needsRestart.join(', ')}`);
  if (awaited.length === 0) lines.push('[+] keys: every required source was fetched');
  for (const source of awaited) lines.push(`[-] keys: ${source} was not fetched yet`);
  lines.push(draining ? '[-] drain: under way' : '[+] drain: no');
  return { ready, text: `${lines.join('\n')}\n` };
}
