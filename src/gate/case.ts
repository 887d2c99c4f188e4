import type { VerdictCache } from '../state/verdict-cache.ts';
import { type BasicCredential, readBasic } from './basic.ts';
import type { BindableRequest, BindRule } from './bind.ts';
import type { ClaimCheck } from './claims.ts';
import type { Cors } from './cors.ts';
import { type Denial, deny } from './denial.ts';
import type { RequestBody } from './gate.ts';
import { requestHost } from './host.ts';
import { isSameInAnyCase } from './letter-case.ts';
import { type Captures, matchesInAnyCase, matchPath, type Target } from './path.ts';
import type { Access, Policy, Route, Tenant } from './policy.ts';
import type { MatchAlternative } from './recognise.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { Replay } from './replay.ts';
import { headerValues, type RequestHead } from './request-head.ts';
import type { Rule } from './rule.ts';
import { parseToken } from './token.ts';

/** What a decision may look at beside the request's head; `nowMs` is milliseconds since the epoch. */
export interface Circumstances {
  readonly policy: Policy;
  readonly verdicts: VerdictCache;
  readonly body: RequestBody;
  readonly nowMs: number;
  /** Fields (flat name, value list) that take the place of the request's trace context; undefined: it stays. */
  readonly traceContext?: readonly string[] | undefined;
  /** Undefined for requests, which are judged in earnest. */
  readonly rehearsal?: Rehearsal | undefined;
}

/** A request whose tenant and route are known: what all later steps judge. */
export interface Case {
  readonly kind: 'case';
  readonly circumstances: Circumstances;
  readonly head: RequestHead;
  readonly target: Target;
  readonly tenant: Tenant;
  /** The entry of `match` by which the tenant was recognised; undefined for a tenant that is alone. */
  readonly alternative: MatchAlternative | undefined;
  readonly access: Access;
  readonly claimChecks: readonly ClaimCheck[];
  readonly binds: readonly BindRule[];
  readonly rules: readonly Rule[];
  readonly request: BindableRequest;
  readonly normalizePath: boolean;
  /** A route that would have decided, were the path in other letters: to the upstream it may be in those. */
  readonly routeInOtherCase: Route | undefined;
  readonly cors: Cors | undefined;
  readonly basic: BasicCredential | undefined;
  readonly replay: Replay | undefined;
}

/** Recognises the request's tenant and finds the route that decides: tenantUnknown, tokenMissing or tokenMalformed. */
export function findCase(head: RequestHead, target: Target, circumstances: Circumstances): Case | Denial {
  const { policy, verdicts, rehearsal } = circumstances;
  const host = requestHost(head);
  const { segments, query } = target;
  rehearsal?.at('tenant', { target, host });
  const recognition = policy.recognise({ head, segments, query, host }, (raw) => {
    const read = verdicts.find(raw) ?? parseToken(raw, policy.limits.tokenBytes);
    if (read.kind === 'unverified') rehearsal?.at('tenant', { token: read });
    return read;
  });
  switch (recognition.kind) {
    case 'unknown':
      return deny('tenantUnknown', 'no tenant matches the request');
    case 'contested':
      return deny('tenantUnknown', `several tenants match the request: ${recognition.tenants.slice(0, 5).join(', ')}`);
    case 'tokenNeeded':
      return readBasic(head).kind === 'none'
        ? deny('tokenMissing', 'tenants are recognised by their tokens, and the request carries none')
        : deny('tenantUnknown', 'no tenant knows the user of these Basic credentials');
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
  rehearsal?.at('route', { tenant, alternative, route });
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
    claimChecks: joined(tenant.claims, route?.claims),
    binds: joined(tenant.binds, route?.binds),
    rules: joined(tenant.rules, route?.rules),
    request: { head, query, host, captures },
    normalizePath: route?.normalizePath ?? tenant.normalizePath,
    routeInOtherCase: findRouteInOtherCase(tenant.routes, route, head.method, segments),
    cors: own(route?.cors, tenant.cors),
    basic: own(route?.basic, tenant.basic),
    replay: own(route?.replay, tenant.replay),
  };
}

function own<T extends object>(ofRoute: T | 'off' | undefined, ofTenant: T | undefined): T | undefined {
  if (ofRoute === undefined) return ofTenant;
  return ofRoute === 'off' ? undefined : ofRoute;
}

/** What a preflight's answer goes by: the route that would decide the request it asks about. */
export function forPreflight({ tenant, target, head }: Case): Pick<Case, 'cors' | 'normalizePath'> & {
  readonly route: Route | undefined;
} {
  const [method = ''] = headerValues(head, 'access-control-request-method');
  const route = findRoute(tenant.routes, method, target.segments)?.route;
  return {
    route,
    cors: own(route?.cors, tenant.cors),
    normalizePath: route?.normalizePath ?? tenant.normalizePath,
  };
}

function joined<T>(ofTenant: readonly T[], ofRoute: readonly T[] | undefined): readonly T[] {
  if (ofRoute === undefined || ofRoute.length === 0) return ofTenant;
  return ofTenant.length === 0 ? ofRoute : [...ofTenant, ...ofRoute];
}

function findRoute(
  routes: readonly Route[],
  method: string,
  segments: readonly string[],
): { readonly route: Route; readonly captures: Captures } | undefined {
  for (const route of routes) {
    if (!takesMethod(route, method)) continue;
    const captures = matchPath(route.path, segments);
    if (captures !== undefined) return { route, captures };
  }
  return undefined;
}

/**
 * Of the routes before the one that decides; a public one asks nothing that would be missed. Who writes two routes that
 * differ in letter case alone has an upstream to which they do.
 */
function findRouteInOtherCase(
  routes: readonly Route[],
  deciding: Route | undefined,
  method: string,
  segments: readonly string[],
): Route | undefined {
  for (const route of routes) {
    if (route === deciding) return undefined;
    if (route.access === 'public' || !takesMethod(route, method)) continue;
    if (deciding !== undefined && isSameInAnyCase(route.path.text, deciding.path.text)) continue;
    if (matchesInAnyCase(route.path, segments)) return route;
  }
  return undefined;
}

/** HEAD asks for what GET gives (RFC 9110 section 9.3.2), so a route for GET decides for both. */
function takesMethod({ methods }: Route, method: string): boolean {
  return methods === undefined || methods.has(method) || (method === 'HEAD' && methods.has('GET'));
}

const noCaptures: Captures = new Map();

/** A route's variable wins over one of the same name in `match`. */
function mergeCaptures(ofTenant: Captures | undefined, ofRoute: Captures | undefined): Captures {
  if (ofTenant === undefined || ofTenant.size === 0) return ofRoute ?? noCaptures;
  if (ofRoute === undefined || ofRoute.size === 0) return ofTenant;
  return new Map([...ofTenant, ...ofRoute]);
}
