import type { VerdictCache } from '../state/verdict-cache.ts';
import { decide } from './decide.ts';
import type { Decision, DecisionFacts } from './decision.ts';
import { foldName } from './field-name.ts';
import type { Gate, Outcome, RequestBody } from './gate.ts';
import { isEndToEnd } from './headers.ts';
import { findPermitEnd } from './permit-end.ts';
import type { Policy } from './policy.ts';
import { refuse } from './refuse.ts';
import { headerValues, type RequestHead } from './request-head.ts';
import type { Tracer } from './tracer.ts';

export interface GateParts {
  readonly policy: Policy;
  readonly verdicts: VerdictCache;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newRequestId: () => string;
  /** Undefined: nothing is traced. */
  readonly tracer?: Tracer | undefined;
  readonly onFinish: (outcome: Outcome) => void;
}

/** Fit for a log line and a header: what a trusted proxy may name a request. */
const requestIdForm = /^[\w.:=@/+-]{1,128}$/;

/** Binds one Policy to the world it is asked in. */
export function createGate({ policy, verdicts, now, newRequestId, tracer, onFinish }: GateParts): Gate {
  const judge = (head: RequestHead, body: RequestBody, traceContext?: readonly string[]) =>
    decide(head, { policy, verdicts, body, nowMs: now(), traceContext });
  return {
    limits: policy.limits,
    timeouts: policy.timeouts,
    verdictNames: policy.verdictNames,
    isTrustedProxy: policy.isTrustedProxy,
    requestId: (peer, headers) => {
      if (!policy.isTrustedProxy(peer)) return newRequestId();
      const given = headerValues({ headers }, 'x-request-id');
      const id = given.length === 1 ? (given[0] as string) : '';
      return requestIdForm.test(id) ? id : newRequestId();
    },
    isBarredTrailer: (name) => {
      const folded = foldName(name);
      return policy.reservedNames.has(folded) || policy.judgedNames.folded.has(folded) || !isEndToEnd(name);
    },
    decide: tracer === undefined ? judge : traced(tracer, judge),
    refuse: (reason, detail, { head, allowed, status, close } = {}) => {
      const facts: DecisionFacts = allowed?.facts ?? { tenant: undefined, path: pathOf(head?.target) };
      return refuse(allowed?.tenant.errors ?? policy.errors, reason, {
        requestId: head?.id ?? '',
        facts,
        detail,
        status,
        close: close ?? head === undefined,
      });
    },
    permitEnd: (allowed) => findPermitEnd(policy, allowed, now()),
    finish: (outcome) => {
      if (outcome.status === 401 && outcome.decision.kind === 'allowed') outcome.decision.tokenRejected?.();
      onFinish(outcome);
      tracer?.end(outcome);
    },
  };
}

function traced(
  tracer: Tracer,
  judge: (head: RequestHead, body: RequestBody, traceContext?: readonly string[]) => Decision | Promise<Decision>,
): Gate['decide'] {
  return (head, body) => {
    const decision = judge(head, body, tracer.begin(head));
    if (!(decision instanceof Promise)) {
      tracer.decided(head, decision);
      return decision;
    }
    return decision.then((late) => {
      tracer.decided(head, late);
      return late;
    });
  };
}

function pathOf(target: string | undefined): string {
  return target?.split('?', 1)[0] ?? '';
}
