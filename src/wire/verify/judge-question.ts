import type { Answer, Decision, Refused } from '../../gate/decision.ts';
import { type FrontName, fronts } from '../../gate/fronts.ts';
import type { Gate, RequestBody } from '../../gate/gate.ts';
import { announcesBody, type RequestHead } from '../../gate/request-head.ts';
import { fieldValue, judgeFraming, type RawHead } from '../framing.ts';
import { refuseForGateFault } from '../gate-fault.ts';
import { readOriginalRequest } from './original-request.ts';
import { tellVerdict } from './verdict.ts';

/** What became of one question. */
export interface Judged {
  /** The original request; undefined where the question did not say clearly which it is. */
  readonly head: RequestHead | undefined;
  readonly decision: Decision;
  /** To the front: 200 where the request may pass. */
  readonly answer: Pick<Answer, 'status' | 'headers' | 'body'>;
}

/** Everything about a question but its bytes. */
export interface Question {
  readonly raw: RawHead;
  /** IP address of who asks; "" on a unix socket. */
  readonly peer: string;
  readonly front: FrontName;
}

/**
 * Judges the request that a front asks about. 200 only where `decide` allows it and the front can make of it what
 * `decide` says may go on; else a refusal, `requestRefused` for all that is wrong with the question itself. Never rejects.
 */
export function judgeQuestion(question: Question, gate: Gate): Judged | Promise<Judged> {
  const { raw, peer, front } = question;
  const fault = (status: number, detail: string) => {
    return refused(front, undefined, gate.refuse('requestRefused', detail, { status }));
  };
  if (!gate.isTrustedProxy(peer)) return fault(403, 'a question from a peer that is not in trustedProxies');
  if (announcesBody(raw)) {
    return fault(400, 'a question with a body: the front must send neither that nor its Content-Length');
  }
  const original = readOriginalRequest(fronts[front], raw);
  if (original.kind === 'fault') return fault(original.status, original.detail);
  const framing = judgeFraming(original.head, gate.limits);
  if (framing.kind === 'fault') return fault(framing.fault.status, framing.fault.detail);

  const { method, target, headers } = original.head;
  const id = gate.requestId(peer, raw.headers);
  const head: RequestHead = { id, method, target, httpVersion: '1.1', headers, scheme: original.scheme, peer };
  const answer = (decision: Decision) => answerFor(front, head, decision, gate);
  const onFault = (error: unknown) => answer(refuseForGateFault(gate, head, error));
  try {
    const decision = gate.decide(head, withheldBody);
    return decision instanceof Promise ? decision.then(answer).catch(onFault) : answer(decision);
  } catch (error) {
    return onFault(error);
  }
}

/** The front keeps it, and may not even say that there is one. */
const withheldBody: RequestBody = {
  withheld: 'a front does not hand it on: only the proxy itself can judge such a request',
  read: async () => ({ kind: 'broken' }),
};

function answerFor(front: FrontName, head: RequestHead, decision: Decision, gate: Gate): Judged {
  const refuse = (detail: string, status?: number) => {
    const allowed = decision.kind === 'allowed' ? decision : undefined;
    return refused(front, head, gate.refuse('requestRefused', detail, { head, allowed, status }));
  };
  switch (decision.kind) {
    case 'refused':
      return refused(front, head, decision);
    case 'answered':
      // 2xx would mean that it may pass.
      return refuse('a preflight that we should answer: set cors.preflight: pass, or answer it in the front', 403);
    case 'allowed': {
      const verdict = tellVerdict(fronts[front], head, decision, gate.verdictNames);
      if (verdict.kind === 'cannotPass') return refuse(verdict.detail);
      if (!verdict.headers.every((text) => fieldValue.test(text))) {
        return refuse('a header of the verdict cannot be sent', 500);
      }
      const headers = ['Cache-Control', 'no-store', 'X-Request-Id', head.id, ...verdict.headers];
      return { head, decision, answer: { status: 200, headers, body: '' } };
    }
  }
}

/** nginx passes on 401 and 403, and makes 500 of any other refusal. A refusal that said 2xx would let the request pass. */
function refused(front: FrontName, head: RequestHead | undefined, decision: Refused): Judged {
  const { status, headers, body } = decision;
  const fits = status === 401 || status >= 500 || (status >= 400 && fronts[front].statuses === 'any');
  return { head, decision, answer: { status: fits ? status : 403, headers, body } };
}
