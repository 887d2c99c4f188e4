import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';

/**
 * How long a test waits for what should come at once. Only a guard, for a machine at its worst: below the tests' own
 * limit, so that a failure says what did not come.
 */
export const patienceMs = 60_000;

/** Waits for a condition that no event announces; fails, naming it, after `withinMs`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = patienceMs,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(2);
  }
}

/** Lets this process read what has been sent to it, and act on it: a few turns of its event loop. */
export async function fewTurns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

/** Waits until a count that has begun to grow no longer does: who takes has not begun, and every buffer on the way is full. */
export async function untilStill(count: () => number, withinMs = patienceMs): Promise<void> {
  let before = -1;
  await until(
    'nothing moves any more',
    async () => {
      const isSame = before === count() && before > 0;
      before = count();
      if (!isSame) await delay(200);
      return isSame;
    },
    withinMs,
  );
}
