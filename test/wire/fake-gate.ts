import type { Allowed, Decision, DecisionFacts, Refused } from '../../src/gate/decision.ts';
import type { Gate, Outcome, RefuseContext, RequestBody } from '../../src/gate/gate.ts';
import type { Limits, Timeouts, Upstream } from '../../src/gate/policy.ts';
import { type Reason, reasons } from '../../src/gate/reasons.ts';
import type { RequestHead } from '../../src/gate/request-head.ts';
import { until } from '../support/until.ts';

const testLimits: Limits = { headerBytes: 16_384, headerCount: 100, tokenBytes: 8_192, bodyBytes: 65_536 };
/** Longer than any test waits: what ends in one of these tests ends for another reason, unless it names its time itself. */
const testTimeouts: Timeouts = {
  headerMs: 600_000,
  idleMs: 600_000,
  connectMs: 600_000,
  responseMs: 600_000,
  drainDelayMs: 0,
  drainMs: 600_000,
};

export interface FakeGate extends Gate {
  readonly outcomes: Outcome[];
  /** Heads in the order in which they were asked about. */
  readonly heads: RequestHead[];
  readonly refusals: { readonly reason: Reason; readonly detail: string; readonly context: RefuseContext }[];
  /** The outcomes, once there are that many. */
  gotOutcomes(count: number): Promise<Outcome[]>;
}

export interface FakeGateOptions {
  readonly upstream: Upstream;
  /** Default: allow everything, end-to-end fields as they came, plus X-User: verified. */
  readonly decide?: (head: RequestHead, body: RequestBody) => Decision | Promise<Decision>;
  readonly limits?: Partial<Limits>;
  readonly timeouts?: Partial<Timeouts>;
}

let count = 0;

/** A gate of fixed opinion that remembers everything. */
export function fakeGate({ upstream, decide, limits, timeouts }: FakeGateOptions): FakeGate {
  const outcomes: Outcome[] = [];
  const heads: RequestHead[] = [];
  const refusals: FakeGate['refusals'] = [];
  return {
    outcomes,
    heads,
    refusals,
    limits: { ...testLimits, ...limits },
    timeouts: { ...testTimeouts, ...timeouts },
    permitEnd: () => undefined,
    verdictNames: new Set(['x-user']),
    isTrustedProxy: () => false,
    requestId: () => `test-${++count}`,
    isBarredTrailer: (name) => /^x[-_.]user/i.test(name),
    decide(head, body) {
      heads.push(head);
      return decide === undefined ? allow(upstream, head) : decide(head, body);
    },
    refuse(reason, detail, context = {}) {
      refusals.push({ reason, detail, context });
      const { status = reasons[reason].status, close = context.head === undefined } = context;
      return { ...refusal(reason), status, close, detail };
    },
    finish: (outcome) => void outcomes.push(outcome),
    async gotOutcomes(wanted) {
      await until(`${wanted} outcomes`, () => outcomes.length >= wanted);
      return outcomes;
    },
  };
}

const facts: DecisionFacts = { tenant: 'test', path: '/' };

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-user',
]);

/** Passes what is end-to-end and adds an identity header, or exactly the given target and headers. */
export function allow(
  upstream: Upstream,
  head: RequestHead,
  more: Partial<Pick<Allowed, 'target' | 'headers' | 'body' | 'responseHeaders'>> = {},
): Allowed {
  const list: string[] = [];
  for (let i = 0; i < head.headers.length; i += 2) {
    const name = head.headers[i] as string;
    if (!hopByHop.has(name.toLowerCase())) list.push(name, head.headers[i + 1] as string);
  }
  list.push('X-User', 'verified');
  // Only decide.ts can make the permit; what the lane reads of it is all here.
  const allowed = {
    kind: 'allowed',
    upstream,
    target: head.target,
    headers: list,
    responseHeaders: [],
    facts,
    ...more,
  };
  return allowed as unknown as Allowed;
}

export function refusal(reason: Reason, more: Partial<Refused> = {}): Refused {
  const { status, text } = reasons[reason];
  return {
    kind: 'refused',
    reason,
    status,
    headers: ['Content-Type', 'application/problem+json'],
    body: JSON.stringify({ title: text }),
    close: false,
    detail: '',
    facts,
    ...more,
  };
}
