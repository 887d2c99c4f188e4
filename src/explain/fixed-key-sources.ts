import type { VerificationKey } from '../keys/key-ring.ts';
import type { KeySourceStatus } from '../keys/key-source-status.ts';
import type { KeySources } from '../keys/key-sources.ts';
import { displayUrl } from '../keys/provider-url.ts';

/** In place of every remote source: these keys, which nobody fetches anew. `name` says where they are from. */
export function fixedKeySources(keys: readonly VerificationKey[], name: string): Pick<KeySources, 'acquire'> {
  return {
    acquire: ({ kind, url }) => ({
      id: `${kind} ${url}`,
      source: { current: () => keys },
      status: () => ({ ...statusOf(kind, name), keys: keys.map(nameKey), state: 'fresh', readyOnce: true }),
      release: () => {},
    }),
  };
}

/** In place of every remote source: none, so that whoever needs one learns that nobody was asked. */
export function absentKeySources(why: string): Pick<KeySources, 'acquire'> {
  return {
    acquire: ({ kind, url }) => ({
      id: `${kind} ${url}`,
      source: {
        current: () => undefined,
        provider: {
          arriving: () => undefined,
          seek: () => undefined,
          trouble: () => ({ detail: `${displayUrl(new URL(url))}: ${why}`, retryAfterS: 1 }),
        },
      },
      status: () => statusOf(kind, displayUrl(new URL(url))),
      release: () => {},
    }),
  };
}

function nameKey({ kid, algorithms }: VerificationKey): KeySourceStatus['keys'][number] {
  return { kid, algorithms: [...algorithms] };
}

function statusOf(kind: KeySourceStatus['kind'], url: string): KeySourceStatus {
  return {
    kind,
    url,
    state: 'absent',
    readyOnce: false,
    keys: [],
    skipped: [],
    lastSuccessMs: undefined,
    lastError: undefined,
    nextFetchMs: undefined,
    failures: 0,
    fetches: {},
  };
}
