import { readFile } from 'node:fs/promises';
import { diskDeps } from '../../config/deps.ts';
import { type LoadedConfig, loadConfig, type RefusedConfig } from '../../config/load.ts';
import { absentKeySources, fixedKeySources } from '../../explain/fixed-key-sources.ts';
import { createLazyKeySources } from '../../explain/lazy-key-sources.ts';
import { unaskedList, unaskedReplays } from '../../explain/unasked.ts';
import { createKeySources, type KeySources } from '../../keys/key-sources.ts';
import { parseKeySet } from '../../keys/set-fetcher.ts';
import { createRevocationLists, type RevocationLists } from '../../state/revocation-lists.ts';

export interface WorldOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Nobody is asked for keys or lists. */
  readonly offline: boolean;
  /** A file with a JWK set that stands in for every one that would be fetched. */
  readonly jwks: string | undefined;
}

/** A config as `run` would have it, for one question: providers are asked only where the answer needs them. */
export type World =
  | { readonly kind: 'world'; readonly loaded: LoadedConfig | RefusedConfig; readonly close: () => void }
  | { readonly kind: 'problem'; readonly detail: string };

export async function openWorld(path: string, { env, offline, jwks }: WorldOptions): Promise<World> {
  const remote = createKeySources({ env });
  const keySources = jwks === undefined ? chooseSources(remote, offline) : await sourcesFrom(jwks);
  if ('problem' in keySources) return { kind: 'problem', detail: `--jwks: ${keySources.problem}` };
  const lists = createSettlingLists(env, offline);
  const deps = { ...diskDeps(env), keySources, revocations: lists.all, replays: unaskedReplays };
  const loaded = await loadConfig(path, deps, { keepsPlaces: true });
  await lists.settled();
  return {
    kind: 'world',
    loaded,
    close: () => {
      if (loaded.ok) loaded.release();
      remote.close();
      lists.all.close();
    },
  };
}

function chooseSources(remote: KeySources, offline: boolean): Pick<KeySources, 'acquire'> {
  return offline ? absentKeySources('not asked (--offline)') : createLazyKeySources(remote);
}

async function sourcesFrom(file: string): Promise<Pick<KeySources, 'acquire'> | { readonly problem: string }> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    return { problem: `${file} can't be read: ${(error as NodeJS.ErrnoException).code ?? 'failed'}` };
  }
  const set = await parseKeySet(text);
  return set.kind === 'failed' ? { problem: `${file}: ${set.detail}` } : fixedKeySources(set.keys, file);
}

/** Revocation lists that can be waited for until each was had, or could not be had, once. */
function createSettlingLists(env: NodeJS.ProcessEnv, offline: boolean) {
  const { promise, resolve } = Promise.withResolvers<void>();
  let waiting = false;
  const isSettled = () => lists.statuses().every(({ readyOnce, failures }) => readyOnce || failures > 0);
  const lists = createRevocationLists({
    env,
    onEvent: () => {
      if (waiting && isSettled()) resolve();
    },
  });
  const all: RevocationLists = offline ? { ...lists, holdUrl: () => unaskedList('--offline') } : lists;
  return {
    all,
    settled() {
      if (isSettled()) return;
      waiting = true;
      return promise;
    },
  };
}
