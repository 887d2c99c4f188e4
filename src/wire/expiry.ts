import type { Allowed } from '../gate/decision.ts';
import type { Gate } from '../gate/gate.ts';

/** Says whether an answer that is still under way may go on. */
export type Reconsider = (allowed: Allowed, ageMs: number) => 'goOn' | 'end';

/** Younger answers end by themselves soon enough: no reload and no rotation may cut an ordinary request. */
const youngestMs = 5_000;

const tickMs = 1_000;

export interface ExpiryWatch {
  close(): void;
}

/** Looks at every answer that is under way once a second: one timer, however many there are. */
export function watchExpiry(
  gate: () => Gate,
  lanes: readonly { reconsider(verdict: Reconsider): void }[],
): ExpiryWatch {
  const timer = setInterval(() => {
    const now = gate();
    const verdict: Reconsider = (allowed, ageMs) =>
      ageMs < youngestMs || now.permitEnd(allowed) === undefined ? 'goOn' : 'end';
    for (const lane of lanes) lane.reconsider(verdict);
  }, tickMs);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
