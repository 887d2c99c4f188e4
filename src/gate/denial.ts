import { type Reason, reasons } from './reasons.ts';

/** Why a request is refused, before it is known how the answer looks. */
export interface Denial {
  readonly kind: 'denial';
  readonly reason: Reason;
  /** For the log only. */
  readonly detail: string;
  /** Instead of the reason's own status: 413 or 415 for requestRefused. */
  readonly status?: number | undefined;
  readonly retryAfterS?: number | undefined;
}

export function deny(reason: Reason, detail: string, more: Pick<Denial, 'status' | 'retryAfterS'> = {}): Denial {
  return { kind: 'denial', reason, detail, ...more };
}

/** A request that could be read in two ways leaves a connection on which nothing more is believed. */
export function distrusts(reason: Reason): boolean {
  return reasons[reason].status === 400;
}
