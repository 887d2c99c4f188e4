import { decide } from '../gate/decide.ts';
import type { Decision } from '../gate/decision.ts';
import type { RequestBody } from '../gate/gate.ts';
import type { Policy } from '../gate/policy.ts';
import type { Rehearsal, Seen, Step } from '../gate/rehearsal.ts';
import type { RequestHead } from '../gate/request-head.ts';
import { createVerdictCache } from '../state/verdict-cache.ts';

/** A decision with all that it said on its way. Holds the request and its token: not to be kept. */
export interface Rehearsed {
  readonly head: RequestHead;
  readonly policy: Policy;
  readonly nowMs: number;
  readonly replay: Rehearsal['replay'];
  readonly rate: Rehearsal['rate'];
  readonly body: Rehearsal['body'];
  readonly said: readonly Said[];
  readonly decision: Decision;
}

export interface Said {
  readonly step: Step;
  readonly seen: Seen;
}

export interface RehearseOptions {
  readonly policy: Policy;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Undefined: it was not kept, so that nothing is bound to it. */
  readonly body: RequestBody | undefined;
  readonly replay: Rehearsal['replay'];
  /** Default: skip. */
  readonly rate?: Rehearsal['rate'];
}

/** Nothing a rehearsal finds out is remembered, and nothing that was found out before spares it a step. */
const noVerdicts = createVerdictCache({ entries: 0, bytes: 0 });

const noBody: RequestBody = { read: async () => ({ kind: 'broken' }) };

/** Has the gate judge a request without taking effect on anybody else: no use of a token, no share of a rate, no call, no cache. */
export async function rehearse(
  head: RequestHead,
  { policy, nowMs, body, replay, rate = 'skip' }: RehearseOptions,
): Promise<Rehearsed> {
  const said: Said[] = [];
  const rehearsal: Rehearsal = {
    at: (step, seen = {}) => void said.push({ step, seen }),
    replay,
    rate,
    body: body === undefined ? 'gone' : 'read',
  };
  const decision = await decide(head, { policy, verdicts: noVerdicts, body: body ?? noBody, nowMs, rehearsal });
  return { head, policy, nowMs, replay, rate, body: rehearsal.body, said, decision };
}
