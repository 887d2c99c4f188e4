import type { Measured } from '../ops/measured.ts';
import { createHistory, type History, stepMs } from '../status/history.ts';

/** Looks at the counters once a step, for as long as somebody may ask what they did. */
export function keepHistory(measure: () => Measured | Promise<Measured>): {
  readonly history: History;
  stop(): void;
} {
  const history = createHistory();
  const timer = setInterval(async () => history.take((await measure()).traffic), stepMs).unref();
  return { history, stop: () => clearInterval(timer) };
}
