import type { Outcome } from '../gate/gate.ts';
import { type DecisionWord, decisionWord } from './access-log.ts';

/** Share of the lines that are written, 0 to 1, by decision. */
export type SampleShares = Readonly<Record<DecisionWord, number>>;

/** Is this request's line written? Always, where something went wrong beside the decision. `random` is from 0 to 1. */
export function isSampled(outcome: Outcome, shares: SampleShares, random: () => number = Math.random): boolean {
  const share = shares[decisionWord(outcome)];
  if (share >= 1 || outcome.status >= 500 || outcome.end !== 'complete') return true;
  return random() < share;
}
