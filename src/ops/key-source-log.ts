import type { KeySourceEvent } from '../keys/key-source-status.ts';
import type { Log } from './log.ts';

/** One line for what happened to a remote key source. */
export function logKeySourceEvent(log: Log, event: KeySourceEvent): void {
  const { url } = event;
  switch (event.kind) {
    case 'keysChanged': {
      const skipped = event.skipped.length || undefined;
      log.info('keys changed', { url, added: kidTexts(event.added), removed: kidTexts(event.removed), skipped });
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

const maxKids = 20;
const maxKidLength = 128;

/** A set may name a thousand keys, by names as long as it likes. */
function kidTexts(kids: readonly (string | undefined)[]): readonly string[] {
  const texts = kids.slice(0, maxKids).map((kid = '(no kid)') => {
    return kid.length > maxKidLength ? `${kid.slice(0, maxKidLength)}...` : kid;
  });
  return kids.length > maxKids ? [...texts, `(and ${kids.length - maxKids} more)`] : texts;
}
