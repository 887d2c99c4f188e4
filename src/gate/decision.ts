import type { Tenant, Upstream } from './policy.ts';
import type { Reason } from './reasons.ts';
import type { Json } from './token.ts';
import type { VerifiedToken } from './verify.ts';

export type LoggedClaims = Readonly<Record<string, Json>>;

/** What the access log and the metrics may know of a decision. No token, no secret; claims only by configuration. */
export interface DecisionFacts {
  /** Id of the recognised tenant; undefined when none was. */
  readonly tenant: string | undefined;
  /** Path of the target, without its query: what a log may show. */
  readonly path: string;
  readonly algorithm?: string | undefined;
  readonly kid?: string | undefined;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  /** What `log.access.claims` asks for, by its names there, of a verified token. */
  readonly claims?: LoggedClaims | undefined;
  /** Where the judged token was found, e.g. "header:authorization". */
  readonly tokenSource?: string | undefined;
  /** Whether the signature verdict came from the cache; undefined when no signature was needed. */
  readonly cached?: boolean | undefined;
  /** In `mode: report`: the reason for which the request would have been refused. */
  readonly wouldRefuse?: Reason | undefined;
  readonly wouldRefuseDetail?: string | undefined;
}

declare const allowedByDecide: unique symbol;

/** The permit a lane needs to forward. Only decide.ts makes one. */
export interface Allowed {
  readonly [allowedByDecide]: true;
  readonly kind: 'allowed';
  readonly tenant: Tenant;
  readonly upstream: Upstream;
  /** By which it is allowed; undefined for anonymous and Basic. */
  readonly token: VerifiedToken | undefined;
  /** Origin-form target to send upstream: what was judged, without query tokens, with the upstream's base path. */
  readonly target: string;
  /**
   * Final header list for the upstream (flat name, value …): everything end-to-end, identity headers included.
   * The lane adds only what frames the message on its connection (Transfer-Encoding, Connection, Upgrade, Expect).
   */
  readonly headers: readonly string[];
  /** Goes upstream in place of the stream that `RequestBody.read` used up; undefined: the body streams. */
  readonly body?: Uint8Array | undefined;
  /** Flat list set on the upstream's response; it replaces headers of the same names (but adds to Vary). */
  readonly responseHeaders: readonly string[];
  /** To be called when the upstream answers 401: the token that we sent it is not good any more. */
  readonly tokenRejected?: (() => void) | undefined;
  readonly facts: DecisionFacts;
}

/** What a lane writes to the client when nothing is forwarded. */
export interface Answer {
  readonly status: number;
  /** Flat name, value … list: Content-Type, WWW-Authenticate, Retry-After, X-Request-Id; no framing. */
  readonly headers: readonly string[];
  readonly body: string;
  /** True where the connection can't be trusted any further: answer, then close. */
  readonly close: boolean;
  readonly facts: DecisionFacts;
}

/** A complete answer to a request that was refused. */
export interface Refused extends Answer {
  readonly kind: 'refused';
  readonly reason: Reason;
  /** For the log only; never sent to the client. */
  readonly detail: string;
}

/** A complete answer to a request that was ours to answer: a CORS preflight. */
export interface Answered extends Answer {
  readonly kind: 'answered';
}

export type Decision = Allowed | Refused | Answered;
