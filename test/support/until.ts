import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition that no event announces; fails, naming it, after `withinMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(2);
  }
}
