import type { Outcome } from '../gate/gate.ts';
import type { Policy } from '../gate/policy.ts';
import type { Reason } from '../gate/reasons.ts';
import { clientAddress } from '../ops/client-address.ts';
import { redactTokens } from '../ops/printable.ts';
import type { KeysAtHand } from './facts.ts';
import { type Ladder, makeLadder } from './ladder.ts';
import { rehearse } from './rehearse.ts';

/** A refusal, or what `mode: report` let through, as it is remembered: without its token, headers and claims. */
export interface RecordedRefusal {
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly decision: 'deny' | 'report';
  readonly reason: Reason;
  readonly detail: string;
  readonly status: number;
  readonly tenant: string | undefined;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly clientIp: string;
  /** Of the config that judged it. */
  readonly configHash: string;
  readonly ladder: Ladder;
}

export type RefusalSummary = Omit<RecordedRefusal, 'ladder' | 'configHash'>;

/** Plain data, so that another process can ask for it. */
export interface RefusalList {
  /** Newest first. */
  readonly refusals: readonly RefusalSummary[];
  /** Of each reason no more are recorded in a second; those beyond are only counted. */
  readonly recordedPerSecond: number;
  readonly notRecorded: number;
}

/** The config that judged a request. */
export interface JudgedBy {
  readonly policy: Policy;
  readonly keys: () => KeysAtHand;
}

export interface Refusals {
  /** Looks at a finished request, and remembers it where it was refused. Costs the others one comparison. */
  note(outcome: Outcome, judgedBy: JudgedBy): void;
  list(): RefusalList;
  /** Waits for what was noted before the question, if it must. */
  find(id: string): Promise<RecordedRefusal | undefined>;
}

/** Of each reason, so that a flood of one leaves the others where they are. */
const keptOfReason = 40;
const recordedPerSecond = 10;

/**
 * Remembers recent refusals with their ladders. A ladder is made by rehearsing the refused request at once, and only
 * for so many a second: a flood of refusals costs what it costs without this. What is kept is text of our own: no
 * string of it is cut out of a request head, which would keep the token in memory.
 */
export function createRefusals(now: () => number): Refusals {
  const byReason = new Map<
    Reason,
    { recent: { readonly id: string; readonly json: string }[]; secondMs: number; count: number }
  >();
  const pending = new Set<Promise<void>>();
  let notRecorded = 0;

  function admitted(reason: Reason, nowMs: number): boolean {
    const secondMs = Math.floor(nowMs / 1000);
    const ofReason = byReason.get(reason) ?? { recent: [], secondMs, count: 0 };
    byReason.set(reason, ofReason);
    if (ofReason.secondMs !== secondMs) {
      ofReason.secondMs = secondMs;
      ofReason.count = 0;
    }
    return ++ofReason.count <= recordedPerSecond;
  }

  function keep(refusal: RecordedRefusal): void {
    const recent = byReason.get(refusal.reason)?.recent;
    if (recent === undefined) return;
    recent.push({ id: Buffer.from(refusal.id).toString(), json: JSON.stringify(refusal) });
    if (recent.length > keptOfReason) recent.shift();
  }

  function findKept(id: string): RecordedRefusal | undefined {
    for (const { recent } of byReason.values()) {
      const found = recent.findLast((one) => one.id === id);
      if (found !== undefined) return JSON.parse(found.json) as RecordedRefusal;
    }
    return undefined;
  }

  const newestFirst = (): RecordedRefusal[] =>
    [...byReason.values()]
      .flatMap(({ recent }) => recent.map(({ json }) => JSON.parse(json) as RecordedRefusal))
      .toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));

  return {
    note(outcome, judgedBy) {
      const refused = refusalOf(outcome);
      if (refused === undefined || outcome.head === undefined) return;
      const nowMs = now();
      if (!admitted(refused.reason, nowMs)) {
        notRecorded++;
        return;
      }
      const recording = record(outcome, refused, judgedBy, nowMs).then(keep, () => {
        notRecorded++;
      });
      pending.add(recording);
      void recording.finally(() => pending.delete(recording));
    },
    list: () => ({
      refusals: newestFirst().map(({ ladder: _, configHash: __, ...summary }) => summary),
      recordedPerSecond,
      notRecorded,
    }),
    async find(id) {
      const found = findKept(id);
      if (found !== undefined) return found;
      await Promise.all(pending);
      return findKept(id);
    },
  };
}

type Refusal = Pick<RecordedRefusal, 'decision' | 'reason' | 'detail'>;

function refusalOf({ decision }: Outcome): Refusal | undefined {
  if (decision.kind === 'refused') return { decision: 'deny', reason: decision.reason, detail: decision.detail };
  const { wouldRefuse, wouldRefuseDetail = '' } = decision.facts;
  return wouldRefuse === undefined ? undefined : { decision: 'report', reason: wouldRefuse, detail: wouldRefuseDetail };
}

async function record(
  { head, decision, status }: Outcome,
  { decision: word, reason, detail }: Refusal,
  { policy, keys }: JudgedBy,
  nowMs: number,
): Promise<RecordedRefusal> {
  if (head === undefined) throw new Error('nothing to rehearse');
  // 0 where the client left before it was told.
  const answered = decision.kind === 'refused' ? decision.status : status;
  // A use that was taken is the request's own, but where that is why it was refused.
  const replay = reason === 'tokenReplayed' ? 'ask' : 'skip';
  const rehearsed = await rehearse(head, { policy, nowMs, body: undefined, replay });
  const verdict = word === 'deny' ? 'refused' : 'reported';
  return {
    id: head.id,
    at: new Date(nowMs).toISOString(),
    decision: word,
    reason,
    detail: redactTokens(detail),
    status: answered,
    tenant: decision.facts.tenant,
    method: head.method,
    path: redactTokens(decision.facts.path),
    clientIp: clientAddress(head, policy.isTrustedProxy),
    configHash: policy.hash,
    ladder: makeLadder(rehearsed, keys(), { verdict, reason, detail, status: answered }),
  };
}
