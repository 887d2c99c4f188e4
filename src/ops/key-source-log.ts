import type { KeySourceEvent } from '../keys/key-source-status.ts';
import type { Log } from './log.ts';

/** One line for what happened to a remote key source. */
export function logKeySourceEvent(log: Log, event: KeySourceEvent): void {
  const { url } = event;
  switch (event.kind) {
    case 'keysChanged': {
      const skipped = event.skipped.length || undefined;
      log.info('keys changed', { url, added: event.added.map(kidText), removed: event.removed.map(kidText), skipped });
      break;
    }
    case 'fetchFailed': {
      const { code, detail } = event.error;
      // With keys left nobody is refused yet; without any, every request that needs them is.
      log[event.keysLeft > 0 ? 'warn' : 'error']('keys not fetched', { url, code, detail, keys_left: event.keysLeft });
      break;
    }
    case 'recovered':
      log.info('keys fetched again', { url, failures_before: event.failures });
      break;
    case 'keysDropped':
      log.error('keys dropped', { url, detail: event.detail });
      break;
  }
}

function kidText(kid: string | undefined): string {
  return kid ?? '(no kid)';
}
