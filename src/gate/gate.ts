import type { Allowed, Decision, Refused } from './decision.ts';
import type { Denial } from './denial.ts';
import type { Limits, Timeouts } from './policy.ts';
import type { Reason } from './reasons.ts';
import type { RequestHead } from './request-head.ts';

/** A request's body, for the few rules that must see it; bodies that no rule reads stream past the gate. */
export interface RequestBody {
  /** Why nobody can read it; a rule that has to is a refusal. Undefined: it can be read. */
  readonly withheld?: string | undefined;
  /** Reads it all, once. Never rejects. The lane forwards what it read only through `Allowed.body`. */
  read(maxBytes: number): Promise<BodyRead>;
}

export type BodyRead =
  | { readonly kind: 'read'; readonly bytes: Uint8Array }
  /** More than `maxBytes`, by its Content-Length or by what came; the rest was not read. */
  | { readonly kind: 'tooLarge' }
  /** The client left, or broke its own framing. */
  | { readonly kind: 'broken' };

/** What a lane found when a request was over; every request ends in exactly one of these. */
export interface Outcome {
  /** Undefined where the bytes never became a request, and so nothing was asked of `decide`. */
  readonly head: RequestHead | undefined;
  readonly decision: Decision;
  /** Which way it went through; `verify`: a front asked, and forwards by itself. */
  readonly lane: 'fast' | 'node' | 'http2' | 'verify';
  /** Status sent to the client; 0 when the client left before one was sent. */
  readonly status: number;
  /** Body bytes in each direction, as far as they got. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** To the end of the exchange from the first byte of the head, or from the whole head where Node does not tell when it began. */
  readonly durationMs: number;
  /** From the same point to forwarding the head; undefined: it was not forwarded. */
  readonly forwardedMs?: number | undefined;
  /** From forwarding the head to the upstream's response head; undefined when none came. */
  readonly upstreamMs: number | undefined;
  /** How it ended: complete; the client left; the upstream broke off after its head; we did, as its permit was over. */
  readonly end: 'complete' | 'clientGone' | 'upstreamGone' | 'permitEnded';
}

/**
 * What a lane asks of the house for one request: one Gate is one Policy, so a request that fetched its Gate at the
 * start keeps its Policy to the end, whatever is reloaded meanwhile.
 */
export interface Gate {
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  /** See `Policy.verdictNames`. */
  readonly verdictNames: ReadonlySet<string>;
  /** Is this peer, by its address, one whose word on the requests of others is taken? "" on a unix socket. */
  isTrustedProxy(peer: string): boolean;
  /** Id of a new request: the X-Request-Id of a trusted proxy where it is fit to be one, else a fresh one. */
  requestId(peer: string, headers: readonly string[]): string;
  /**
   * Is this a name that no trailer may have: one that only we send, or one that was judged among the headers, where an
   * upstream may merge the two? Every spelling that folds to one counts.
   */
  isBarredTrailer(name: string): boolean;
  /** Answers at once when no key must be fetched and no slow crypto run; never throws, never rejects. */
  decide(head: RequestHead, body: RequestBody): Decision | Promise<Decision>;
  /**
   * The answer for what only the wire can see: a malformed message (`head` undefined), an upstream that is away
   * (`allowed` given: its tenant's error format applies). `detail` goes to the log only.
   */
  refuse(reason: Reason, detail: string, context?: RefuseContext): Refused;
  /** Why a request that another Gate may have allowed would not be allowed now; undefined while it would. */
  permitEnd(allowed: Allowed): Denial | undefined;
  /** Exactly once a request. */
  finish(outcome: Outcome): void;
}

export interface RefuseContext {
  readonly head?: RequestHead | undefined;
  readonly allowed?: Allowed | undefined;
  /** Instead of the reason's own status, e.g. 413, 414, 431 for requestRefused. */
  readonly status?: number | undefined;
  /** Close the connection after the answer; default true when there is no head. */
  readonly close?: boolean | undefined;
}
