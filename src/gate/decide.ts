import type { VerdictCache } from '../state/verdict-cache.ts';
import type { BindableRequest, BindRule } from './bind.ts';
import { type ClaimCheck, checkRegisteredClaims } from './claims.ts';
import type { Allowed, Decision, DecisionFacts, Refused } from './decision.ts';
import { upstreamHeaders } from './headers.ts';
import { requestHost } from './host.ts';
import { emitIdentityHeaders } from './identity-headers.ts';
import { type LocatedToken, locateToken, locationName, readLocation, type TokenLocation } from './locate.ts';
import { type Captures, matchPath, parseTarget, type Target } from './path.ts';
import type { Access, Policy, Route, Tenant } from './policy.ts';
import { withoutQueryParameters } from './query.ts';
import { type Reason, reasons } from './reasons.ts';
import { alternativeHolds, type MatchAlternative } from './recognise.ts';
import { refuse } from './refuse.ts';
import type { RequestHead } from './request-head.ts';
import { parseToken } from './token.ts';
import { type Verdict, type VerifiedToken, verifySignature } from './verify.ts';

/** What a decision may look at beside the request; `nowMs` is milliseconds since the epoch. */
export interface Circumstances {
  readonly policy: Policy;
  readonly verdicts: VerdictCache;
  readonly nowMs: number;
}

/** Why a request is refused, before it is known how the answer looks. */
interface Denial {
  readonly kind: 'denial';
  readonly reason: Reason;
  readonly detail: string;
  readonly retryAfterS?: number | undefined;
}

function deny(reason: Reason, detail: string, retryAfterS?: number): Denial {
  return { kind: 'denial', reason, detail, retryAfterS };
}

/** A request whose tenant and route are known: what all later steps judge. */
interface Case {
  readonly circumstances: Circumstances;
  readonly head: RequestHead;
  readonly target: Target;
  readonly tenant: Tenant;
  readonly alternative: MatchAlternative | undefined;
  readonly access: Access;
  readonly claimChecks: readonly (readonly ClaimCheck[])[];
  readonly binds: readonly (readonly BindRule[])[];
  readonly request: BindableRequest;
  readonly normalizePath: boolean;
}

/**
 * Judges one request: target → tenant → route → token → signature → claims, bindings → header list. Synchronous when
 * the signature's verdict is cached or quick to have, else a promise; it never throws and never rejects.
 */
export function decide(head: RequestHead, circumstances: Circumstances): Decision | Promise<Decision> {
  const { policy } = circumstances;
  const target = parseTarget(head.target);
  if (target.kind === 'problem') {
    return refuseUnrecognised(policy, head, deny('requestRefused', target.detail));
  }
  const recognised = recogniseTenant(head, target, circumstances);
  if (recognised.kind === 'denial') return refuseUnrecognised(policy, head, recognised);
  const decided = judge(recognised);
  return decided instanceof Promise
    ? decided.then((verdict) => conclude(recognised, verdict))
    : conclude(recognised, decided);
}

function recogniseTenant(
  head: RequestHead,
  target: Target,
  circumstances: Circumstances,
): (Case & { kind: 'case' }) | Denial {
  const { policy, verdicts } = circumstances;
  const host = requestHost(head);
  const { segments, query } = target;
  const recognition = policy.recognise({ head, segments, query, host }, (raw) => {
    return verdicts.find(raw)?.unverified ?? parseToken(raw, policy.limits.tokenBytes);
  });
  switch (recognition.kind) {
    case 'unknown':
      return deny('tenantUnknown', 'no tenant matches the request');
    case 'contested':
      return deny('tenantUnknown', `several tenants match the request: ${recognition.tenants.slice(0, 5).join(', ')}`);
    case 'tokenNeeded':
      return deny('tokenMissing', 'tenants are recognised by their tokens, and the request carries none');
    case 'tokenUnreadable':
      return deny('tokenMalformed', recognition.detail);
    case 'recognised':
      break;
  }
  const tenant = policy.tenants.get(recognition.tenant);
  if (tenant === undefined) return deny('tenantUnknown', 'the recognised tenant is gone');
  const { alternative } = recognition;
  const matched = findRoute(tenant.routes, head.method, segments);
  const route = matched?.route;
  const ofTenant = alternative?.path === undefined ? undefined : matchPath(alternative.path, segments);
  const captures = mergeCaptures(ofTenant, matched?.captures);
  return {
    kind: 'case',
    circumstances,
    head,
    target,
    tenant,
    alternative,
    access: route?.access ?? tenant.access,
    claimChecks: route === undefined ? [tenant.claims] : [tenant.claims, route.claims],
    binds: route === undefined ? [tenant.binds] : [tenant.binds, route.binds],
    request: { head, query, host, captures },
    normalizePath: route?.normalizePath ?? tenant.normalizePath,
  };
}

function findRoute(
  routes: readonly Route[],
  method: string,
  segments: readonly string[],
): { readonly route: Route; readonly captures: Captures } | undefined {
  for (const route of routes) {
    if (route.methods !== undefined && !route.methods.has(method)) continue;
    const captures = matchPath(route.path, segments);
    if (captures !== undefined) return { route, captures };
  }
  return undefined;
}

const noCaptures: Captures = new Map();

/** A route's variable wins over one of the same name in `match`. */
function mergeCaptures(ofTenant: Captures | undefined, ofRoute: Captures | undefined): Captures {
  if (ofTenant === undefined || ofTenant.size === 0) return ofRoute ?? noCaptures;
  if (ofRoute === undefined || ofRoute.size === 0) return ofTenant;
  return new Map([...ofTenant, ...ofRoute]);
}

/** What the token said, as far as it was read: facts for the log. */
interface TokenFacts {
  readonly algorithm?: string | undefined;
  readonly kid?: string | undefined;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly tokenSource?: string | undefined;
  readonly cached?: boolean | undefined;
}

interface Judgement {
  readonly outcome:
    | Denial
    | { readonly kind: 'anonymous'; readonly stripped: readonly TokenLocation[] }
    | {
        readonly kind: 'verified';
        readonly located: LocatedToken & { readonly kind: 'found' };
        readonly identity: readonly string[];
      };
  readonly facts: TokenFacts;
}

const noFacts: TokenFacts = {};
const withoutToken: Judgement = { outcome: { kind: 'anonymous', stripped: [] }, facts: noFacts };

function judge(this_: Case): Judgement | Promise<Judgement> {
  const { circumstances, head, target, tenant, access } = this_;
  if (target.oddity !== undefined && !this_.normalizePath) {
    return { outcome: deny('requestRefused', `${target.oddity}: normalizePath would accept it`), facts: noFacts };
  }
  if (access === 'public') return { outcome: { kind: 'anonymous', stripped: filledLocations(this_) }, facts: noFacts };
  const located = locateToken(head, target.query, tenant.locations);
  if (located.kind === 'ambiguous') return { outcome: deny('tokenAmbiguous', located.detail), facts: noFacts };
  if (located.kind === 'none') {
    if (access === 'optional') return withoutToken;
    const places = tenant.locations.map(locationName).join(', ');
    return { outcome: deny('tokenMissing', `no token in ${places}`), facts: noFacts };
  }
  const { policy, verdicts, nowMs } = circumstances;
  const token =
    verdicts.find(located.unverifiedToken)?.unverified ?? parseToken(located.unverifiedToken, policy.limits.tokenBytes);
  const tokenSource = locationName(located.location);
  if (token.kind === 'malformed') return { outcome: deny('tokenMalformed', token.detail), facts: { tokenSource } };
  const unverifiedFacts: TokenFacts = { algorithm: token.algorithm, kid: token.kid, tokenSource };
  const conclude = (verdict: Verdict): Judgement => {
    if (verdict.kind === 'rejected') {
      return { outcome: deny(verdict.reason, verdict.detail, verdict.retryAfterS), facts: unverifiedFacts };
    }
    return {
      outcome: judgeVerified(this_, verdict.token, located),
      facts: { ...unverifiedFacts, ...claimFacts(verdict.token), cached: verdict.cached },
    };
  };
  const verdict = verifySignature(token, tenant, verdicts, nowMs);
  return verdict instanceof Promise ? verdict.then(conclude) : conclude(verdict);
}

/** On a public route no token is judged, so none travels on; another scheme's credential in the same header does. */
function filledLocations({ head, target, tenant }: Case): readonly TokenLocation[] {
  return tenant.locations.filter((location) => readLocation(head, target.query, location).kind !== 'empty');
}

function claimFacts({ claims }: VerifiedToken): TokenFacts {
  const { iss, sub } = claims;
  return { issuer: typeof iss === 'string' ? iss : undefined, subject: typeof sub === 'string' ? sub : undefined };
}

/** All that is judged on every request, however the signature's verdict was come by. */
function judgeVerified(
  this_: Case,
  token: VerifiedToken,
  located: LocatedToken & { readonly kind: 'found' },
): Judgement['outcome'] {
  const { circumstances, head, tenant, request } = this_;
  const { header, claims } = token;
  const failure = checkRegisteredClaims(header, claims, tenant.checks, circumstances.nowMs / 1000);
  if (failure !== undefined) return deny(failure.reason, failure.detail);
  if (!alternativeHolds(this_.alternative, token)) {
    return deny('claimRefused', 'the verified token is not the one its tenant is recognised by');
  }
  for (const checks of this_.claimChecks) {
    const failed = checks.find((check) => !check.test(claims));
    if (failed !== undefined) return deny('claimRefused', `the config wants ${failed.text}`);
  }
  for (const binds of this_.binds) {
    const failed = binds.find((bind) => !bind.test(claims, request));
    if (failed !== undefined) return deny('bindMismatch', `the config binds ${failed.text}`);
  }
  const emitted = emitIdentityHeaders(tenant.identityHeaders, {
    claims,
    captures: request.captures,
    requestId: head.id,
  });
  if (emitted.kind === 'refused') return deny('claimRefused', emitted.detail);
  const identity =
    tenant.payloadHeader === undefined
      ? emitted.headers
      : [...emitted.headers, tenant.payloadHeader, token.raw.split('.')[1] as string];
  return { kind: 'verified', located, identity };
}

function conclude(this_: Case, { outcome, facts }: Judgement): Decision {
  const { tenant, target, head } = this_;
  const allFacts: DecisionFacts = { tenant: tenant.id, path: target.rawPath, ...facts };
  switch (outcome.kind) {
    case 'verified':
      return allow(this_, allFacts, stripped(tenant, outcome.located), outcome.identity);
    case 'anonymous':
      return allow(this_, allFacts, outcome.stripped, []);
    case 'denial': {
      const { reason, detail, retryAfterS } = outcome;
      if (tenant.mode === 'report') {
        // As if the gate were not there, but for the names that only it may write.
        return allow(this_, { ...allFacts, wouldRefuse: reason, wouldRefuseDetail: detail }, [], []);
      }
      const close = distrusts(reason);
      return refuse(tenant.errors, reason, { requestId: head.id, facts: allFacts, detail, retryAfterS, close });
    }
  }
}

/** Locations whose content stays here: by default a query or cookie token, and always a copy that was not the judged one. */
function stripped(
  tenant: Tenant,
  { location, copies }: LocatedToken & { readonly kind: 'found' },
): readonly TokenLocation[] {
  const strip = tenant.forwardToken === undefined ? location.kind !== 'header' : tenant.forwardToken === 'strip';
  return strip ? [location, ...copies] : copies;
}

function allow(
  { circumstances, head, target, tenant, normalizePath }: Case,
  facts: DecisionFacts,
  strippedLocations: readonly TokenLocation[],
  identity: readonly string[],
): Allowed {
  const { policy } = circumstances;
  const { upstream } = tenant;
  const path = normalizePath ? target.normalizedPath : target.rawPath;
  const query = withoutQueryParameters(
    target.query,
    strippedLocations.flatMap(({ kind, name }) => (kind === 'query' ? [name] : [])),
  );
  const headers = upstreamHeaders(head, {
    reservedNames: policy.reservedNames,
    judgedNames: policy.judgedNames,
    fromTrustedProxy: policy.isTrustedProxy(head.peer),
    upstream,
    stripped: strippedLocations,
    identity,
  });
  return {
    kind: 'allowed',
    tenant,
    upstream,
    target: `${upstream.basePath}${path}${query === undefined ? '' : `?${query}`}`,
    headers,
    facts,
  } as unknown as Allowed; // the brand exists in the type alone
}

/** A request that could be read in two ways leaves a connection on which nothing more is believed. */
function distrusts(reason: Reason): boolean {
  return reasons[reason].status === 400;
}

function refuseUnrecognised(policy: Policy, head: RequestHead, denial: Denial): Refused {
  const question = head.target.indexOf('?');
  const path = question === -1 ? head.target : head.target.slice(0, question);
  return refuse(policy.errors, denial.reason, {
    requestId: head.id,
    facts: { tenant: undefined, path },
    detail: denial.detail,
    close: distrusts(denial.reason),
  });
}
