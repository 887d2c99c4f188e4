import { newSendingState } from '../../config/compile-sending.ts';
import { createKeySources } from '../../keys/key-sources.ts';
import { logKeySourceEvent } from '../../ops/key-source-log.ts';
import type { Log } from '../../ops/log.ts';
import { logReplayEvent } from '../../ops/replay-log.ts';
import { logRevocationEvent } from '../../ops/revocation-log.ts';
import { createReplayStores } from '../../state/replay-stores.ts';
import { createRevocationLists } from '../../state/revocation-lists.ts';
import type { KeptState } from '../kept-state.ts';
import {
  askedFetches,
  askedGrants,
  askedProvisions,
  askedRateLimits,
  askedReplays,
  toldSigningKeys,
} from './asked-state.ts';
import type { ChannelToPrimary } from './messages.ts';

/** What outlives a config in a worker; what must hold over all workers is asked of the primary. */
export function createWorkerState(channel: ChannelToPrimary, env: NodeJS.ProcessEnv, log: Log): KeptState {
  const fetchDocument = askedFetches(channel);
  const keySources = createKeySources({ env, fetchDocument, onEvent: (event) => logKeySourceEvent(log, event) });
  const revocations = createRevocationLists({
    env,
    fetchDocument,
    onEvent: (event) => logRevocationEvent(log, event),
  });
  const replays = askedReplays(channel, createReplayStores({ onEvent: (event) => logReplayEvent(log, event) }));
  const own = newSendingState(env);
  return {
    keySources,
    revocations,
    replays,
    sending: {
      ...own,
      signingKeys: toldSigningKeys(channel, own.signingKeys),
      rateLimits: askedRateLimits(channel),
      provisions: askedProvisions(channel),
      grants: askedGrants(channel),
    },
    close() {
      keySources.close();
      revocations.close();
      replays.close();
    },
  };
}
