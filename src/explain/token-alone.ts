import type { TokenLocation } from '../gate/locate.ts';
import type { Policy, Tenant } from '../gate/policy.ts';
import { alternativeHolds, type MatchAlternative, type Recognise } from '../gate/recognise.ts';
import type { RequestHead } from '../gate/request-head.ts';
import { sendAsIs } from '../gate/send.ts';
import { parseToken } from '../gate/token.ts';
import { findPlace, putToken } from './place-token.ts';
import { type Rehearsed, rehearse } from './rehearse.ts';

/** What the gate says of a token by itself, or why it says nothing. */
export type TokenRehearsed =
  | { readonly kind: 'rehearsed'; readonly tenant: string; readonly rehearsed: Rehearsed }
  /** It is no token that any tenant could read. */
  | { readonly kind: 'malformed'; readonly detail: string }
  /** The tenant that was named has no `match` that the token could fit. */
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'noSuchTenant' }
  /** No tenant is recognised by this token alone. */
  | { readonly kind: 'tenantOpen' };

export interface TokenQuestion {
  readonly policy: Policy;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Undefined: the one that a request with this token, and nothing else to go by, would have. */
  readonly tenantId: string | undefined;
}

/** A request that is nothing but the token that it will carry. */
const bareHead: RequestHead = {
  id: 'inspected',
  method: 'GET',
  target: '/',
  httpVersion: '1.1',
  headers: [],
  scheme: 'http',
  peer: '',
};

/**
 * Has the gate judge a token without a request: key, times, registered and own claims, revocation, and those rules that
 * ask for nothing else. It is the same rehearsal, of a tenant without what only a request can meet.
 */
export async function rehearseToken(raw: string, { policy, nowMs, tenantId }: TokenQuestion): Promise<TokenRehearsed> {
  const found = tenantId === undefined ? recognised(raw, policy) : named(raw, tenantId, policy);
  if ('kind' in found) return found;
  const { tenant, alternative, location } = found;
  const { id } = tenant;
  const recognise: Recognise = () => ({ kind: 'recognised', tenant: id, alternative });
  const tenants = new Map([[id, { ...withoutRequest(tenant), locations: [location] }]]);
  const asked = { ...policy, recognise, tenants };
  const head = putToken(bareHead, raw, location);
  const rehearsed = await rehearse(head, { policy: asked, nowMs, body: undefined, replay: 'skip' });
  return { kind: 'rehearsed', tenant: id, rehearsed };
}

interface Found {
  readonly tenant: Tenant;
  readonly alternative: MatchAlternative | undefined;
  readonly location: TokenLocation;
}

function recognised(raw: string, policy: Policy): Found | TokenRehearsed {
  const place = findPlace(bareHead, raw, policy);
  if (place !== undefined) return { ...place, location: place.accepted };
  const token = parseToken(raw, policy.limits.tokenBytes);
  return token.kind === 'malformed' ? token : { kind: 'tenantOpen' };
}

/** What of its `match` looks at the request is taken to hold. */
function named(raw: string, id: string, policy: Policy): Found | TokenRehearsed {
  const tenant = policy.tenants.get(id);
  const [location] = tenant?.locations ?? [];
  if (tenant === undefined || location === undefined) return { kind: 'noSuchTenant' };
  const token = parseToken(raw, policy.limits.tokenBytes);
  if (token.kind === 'malformed') return token;
  const { kid, unverifiedHeader: header, unverifiedClaims: claims } = token;
  const { match = [] } = tenant;
  const alternative = match.find((one) => alternativeHolds(one, { header, claims, kid }));
  if (alternative === undefined && match.length > 0) return { kind: 'mismatch' };
  return { tenant, alternative, location };
}

function withoutRequest(tenant: Tenant): Tenant {
  return {
    ...tenant,
    mode: 'enforce',
    access: 'required',
    routes: [],
    binds: [],
    rules: tenant.rules.filter((rule) => !rule.readsRequest),
    basic: undefined,
    cors: undefined,
    elsewhere: undefined,
    sending: sendAsIs,
  };
}
