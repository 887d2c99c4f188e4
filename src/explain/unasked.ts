import type { ReplayStore } from '../gate/replay.ts';
import type { ReplayStores } from '../state/replay-stores.ts';
import type { RevocationLease } from '../state/revocation-lists.ts';

/* What stands in for state that only those who serve have: nobody is asked, and nothing is remembered. */

const store: ReplayStore = { use: () => ({ kind: 'first' }), ask: () => ({ kind: 'first' }) };

export const unaskedReplays: ReplayStores = {
  holdMemory: () => ({ store, release: () => {} }),
  holdRedis: () => ({ store, release: () => {} }),
  status: () => ({ entries: 0, shared: [] }),
  close: () => {},
};

/** A list that nobody was asked for: with a reason no token is judged without it, without one it is empty. */
export function unaskedList(why: string | undefined): RevocationLease {
  return {
    list: {
      find: () =>
        why === undefined
          ? undefined
          : { kind: 'unavailable', detail: `the revocation list was not asked for (${why})`, retryAfterS: 1 },
    },
    status: () => ({
      url: '',
      readyOnce: false,
      entries: 0,
      skipped: 0,
      bytes: 0,
      lastSuccessMs: undefined,
      failures: 0,
    }),
    release: () => {},
  };
}
