import type { Allowed } from '../gate/decision.ts';
import { wayHeader } from '../gate/judge.ts';
import { locationName } from '../gate/locate.ts';
import type { JsonObject } from '../gate/token.ts';
import { upstreamAddress } from '../gate/upstream-address.ts';
import { type Facts, gatherFacts, type KeysAtHand } from './facts.ts';
import { type Ladder, makeLadder } from './ladder.ts';
import { type MaskContext, maskHeaders, maskTarget } from './mask-headers.ts';
import type { Rehearsed } from './rehearse.ts';
import { describeTimes } from './times.ts';

/** A ladder with all that may be told to who brought the request: claims yes, the token and credentials no. */
export interface Explanation {
  /** When it was judged as if; ISO 8601. */
  readonly at: string;
  readonly ladder: Ladder;
  /** The token that was judged, as far as it could be read. */
  readonly token: ExplainedToken | undefined;
  /** What the upstream would get; undefined where it would get nothing. */
  readonly upstream: ExplainedForward | undefined;
  /** What the client would get from the gate itself; undefined where the upstream answers. */
  readonly answer: ExplainedAnswer | undefined;
}

export interface ExplainedToken {
  readonly location: string | undefined;
  readonly signature: 'verified' | 'notVerified';
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly times: Readonly<Record<string, string>>;
}

export interface ExplainedForward {
  readonly to: string;
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface ExplainedAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export function explain(rehearsed: Rehearsed, keys: KeysAtHand): Explanation {
  const facts = gatherFacts(rehearsed, keys);
  const { decision, nowMs } = rehearsed;
  const mask: MaskContext = {
    locations: facts.tenant?.locations ?? [],
    ours: oursOf(facts),
    token: facts.located?.unverifiedToken ?? facts.token?.raw,
  };
  return {
    at: new Date(nowMs).toISOString(),
    ladder: makeLadder(rehearsed, keys),
    token: tokenOf(facts),
    upstream: decision.kind === 'allowed' ? forwardOf(decision, rehearsed.head.method, mask) : undefined,
    answer:
      decision.kind === 'allowed'
        ? undefined
        : {
            status: decision.status,
            headers: maskHeaders(decision.headers, { ...mask, ours: answerNames }),
            body: decision.body,
          },
  };
}

/** The challenge is for all to see. */
const answerNames = ['WWW-Authenticate'];

function oursOf({ tenant }: Facts): string[] {
  const names = tenant?.identityHeaders.map(({ name }) => name) ?? [];
  if (tenant?.tellsWay) names.push(wayHeader);
  if (tenant?.payloadHeader !== undefined) names.push(tenant.payloadHeader);
  return names;
}

function tokenOf({ token, located, isVerified, nowMs }: Facts): ExplainedToken | undefined {
  if (token === undefined) return undefined;
  const { unverifiedHeader: header, unverifiedClaims: claims } = token;
  return {
    location: located && locationName(located.location),
    signature: isVerified ? 'verified' : 'notVerified',
    header,
    claims,
    times: describeTimes(claims, nowMs),
  };
}

function forwardOf({ upstream, target, headers }: Allowed, method: string, mask: MaskContext): ExplainedForward {
  return {
    to: upstreamAddress(upstream),
    method,
    target: maskTarget(target, mask),
    headers: maskHeaders(headers, mask),
  };
}
