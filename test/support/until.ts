import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition that no event announces; fails, naming it, after `withinMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(2);
  }
}

/** Waits until a count that has begun to grow no longer does: who takes has not begun, and every buffer on the way is full. */
export async function untilStill(count: () => number, withinMs = 20_000): Promise<void> {
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
