/**
 * Every reason for which jwtgate refuses a request. The same word stands in the log, the metrics, the config's
 * `errors`, `explain` and the docs; a test holds them together.
 */

/** Whose doing the refusal is: it decides log level and which error-rate alert counts it. */
export type Fault = 'client' | 'keys' | 'state' | 'upstream';

/** RFC 6750 section 3.1 error code for the challenge; `none`: a bare challenge; `no`: no challenge at all. */
export type Challenge = 'none' | 'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'no';

export interface ReasonEntry {
  readonly status: number;
  readonly fault: Fault;
  readonly challenge: Challenge;
  /** What the client is told: never more than the reason itself. */
  readonly text: string;
}

export const reasons = {
  tokenMissing: { status: 401, fault: 'client', challenge: 'none', text: 'A token is required' },
  tokenAmbiguous: {
    status: 400,
    fault: 'client',
    challenge: 'invalid_request',
    text: 'The request carries more than one token',
  },
  tokenMalformed: { status: 401, fault: 'client', challenge: 'invalid_token', text: 'The token is malformed' },
  tenantUnknown: { status: 401, fault: 'client', challenge: 'none', text: 'No tenant is known for this request' },
  algorithmRefused: {
    status: 401,
    fault: 'client',
    challenge: 'invalid_token',
    text: "The token's algorithm is not accepted",
  },
  keyUnknown: { status: 401, fault: 'client', challenge: 'invalid_token', text: "The token's key is not known" },
  signatureInvalid: {
    status: 401,
    fault: 'client',
    challenge: 'invalid_token',
    text: "The token's signature is not valid",
  },
  tokenExpired: { status: 401, fault: 'client', challenge: 'invalid_token', text: 'The token has expired' },
  tokenNotYetValid: { status: 401, fault: 'client', challenge: 'invalid_token', text: 'The token is not valid yet' },
  claimRefused: {
    status: 403,
    fault: 'client',
    challenge: 'insufficient_scope',
    text: "The token's claims do not permit this request",
  },
  bindMismatch: {
    status: 403,
    fault: 'client',
    challenge: 'insufficient_scope',
    text: 'The token is not for the subject of this request',
  },
  ruleRefused: {
    status: 403,
    fault: 'client',
    challenge: 'insufficient_scope',
    text: 'A rule does not permit this request',
  },
  tokenRevoked: { status: 401, fault: 'client', challenge: 'invalid_token', text: 'The token has been revoked' },
  tokenReplayed: { status: 401, fault: 'client', challenge: 'invalid_token', text: 'The token has been used before' },
  requestRefused: { status: 400, fault: 'client', challenge: 'no', text: 'The request is not acceptable' },
  provisionFailed: { status: 503, fault: 'upstream', challenge: 'no', text: 'The user could not be provisioned' },
  keysUnavailable: {
    status: 503,
    fault: 'keys',
    challenge: 'no',
    text: 'The keys to verify the token are not available',
  },
  stateUnavailable: {
    status: 503,
    fault: 'state',
    challenge: 'no',
    text: 'What is needed to judge the token is not available',
  },
  upstreamUnreachable: { status: 502, fault: 'upstream', challenge: 'no', text: 'The upstream cannot be reached' },
  upstreamTimeout: { status: 504, fault: 'upstream', challenge: 'no', text: 'The upstream did not answer in time' },
} as const satisfies Record<string, ReasonEntry>;

export type Reason = keyof typeof reasons;

export const reasonNames = Object.keys(reasons) as readonly Reason[];
