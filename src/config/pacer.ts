import { setImmediate } from 'node:timers/promises';

/** Steps of a load let others have their turn after this long; docs/decisions/config.md has what they come to. */
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

/** Does a work piece by piece, with pauses in between, and returns what comes of it. */
export async function inTurns<T>(pieces: Generator<void, T>, pause: Pause): Promise<T> {
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
    await pause();
  }
}
