import type { RevocationEvent } from '../state/revocation-lists.ts';
import type { Log } from './log.ts';

/** One line for what happened to a revocation list that is fetched. */
export function logRevocationEvent(log: Log, event: RevocationEvent): void {
  const { url } = event;
  switch (event.kind) {
    case 'listChanged':
      log.info('revocation list changed', { url, entries: event.entries });
      break;
    case 'entriesSkipped':
      log.error('revocation list holds what is no entry', { url, skipped: event.skipped, detail: event.detail });
      break;
    case 'listNotFetched':
      log.error('revocation list not taken', { url, detail: event.detail, entries_left: event.entriesLeft });
      break;
    case 'recovered':
      log.info('revocation list fetched again', { url, failures_before: event.failures });
      break;
  }
}
