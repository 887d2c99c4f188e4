import type { ReplayRedisEvent } from '../state/replay-redis.ts';
import type { Log } from './log.ts';

/** One line for what happened to a store of used tokens that replicas share. */
export function logReplayEvent(log: Log, event: ReplayRedisEvent): void {
  if (event.kind === 'connected') log.info('replay store connected', { store: event.store });
  else log.error('replay store lost', { store: event.store, detail: event.detail });
}
