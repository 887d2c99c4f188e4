import { setImmediate } from 'node:timers/promises';

/** No request waits longer for a reload than this, but for what one file takes to parse. */
const stretchMs = 10;

export type Pause = () => Promise<void> | undefined;

/**
 * Loading a large config shares its thread with traffic. A pacer is asked between two pieces of work; when it has been
 * at it for long enough it gives a promise to wait for, in which whatever is waiting gets its turn.
 */
export function createPacer(): Pause {
  let begunMs = performance.now();
  return () => {
    if (performance.now() - begunMs < stretchMs) return undefined;
    return setImmediate().then(() => {
      begunMs = performance.now();
    });
  };
}
