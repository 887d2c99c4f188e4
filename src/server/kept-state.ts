import { newSendingState, type SendingState } from '../config/compile-sending.ts';
import type { HeldState } from '../config/deps.ts';
import { createKeySources, type KeySources } from '../keys/key-sources.ts';
import { logKeySourceEvent } from '../ops/key-source-log.ts';
import type { Log } from '../ops/log.ts';
import { logReplayEvent } from '../ops/replay-log.ts';
import { logRevocationEvent } from '../ops/revocation-log.ts';
import { createReplayStores, type ReplayStores } from '../state/replay-stores.ts';
import { createRevocationLists, type RevocationLists } from '../state/revocation-lists.ts';

/** All that outlives a config: every load finds here what the one before it left. */
export interface KeptState {
  readonly keySources: KeySources;
  readonly sending: SendingState;
  readonly replays: ReplayStores;
  readonly revocations: RevocationLists;
  /** Ends fetches, timers and connections. */
  close(): void;
}

/** As at the start of a process. */
export function createKeptState(env: NodeJS.ProcessEnv, log: Log): KeptState {
  const keySources = createKeySources({ env, onEvent: (event) => logKeySourceEvent(log, event) });
  const replays = createReplayStores({ onEvent: (event) => logReplayEvent(log, event) });
  const revocations = createRevocationLists({ env, onEvent: (event) => logRevocationEvent(log, event) });
  return {
    keySources,
    sending: newSendingState(env),
    replays,
    revocations,
    close() {
      keySources.close();
      revocations.close();
      replays.close();
    },
  };
}

/** What a load needs of it. */
export function heldBy({ keySources, sending, replays, revocations }: KeptState): HeldState {
  return { keySources, sending, replays, revocations };
}
