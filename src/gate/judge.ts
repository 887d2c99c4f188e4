import { basicMatches, readBasic } from './basic.ts';
import type { Case } from './case.ts';
import { checkRegisteredClaims, findClaim } from './claims.ts';
import type { DecisionFacts, LoggedClaims } from './decision.ts';
import { type Denial, deny } from './denial.ts';
import { emitIdentityHeaders } from './identity-headers.ts';
import { readJsonBody } from './json-body.ts';
import { type LocatedToken, locateToken, locationName, type TokenLocation } from './locate.ts';
import type { Policy } from './policy.ts';
import { alternativeHolds } from './recognise.ts';
import { judgeReplay } from './replay.ts';
import { judgeRevocation } from './revocation.ts';
import type { RuleInput } from './rule.ts';
import { type Json, type JsonObject, parseToken, type UnverifiedToken } from './token.ts';
import { filledLocations, unjudgedLocations } from './unjudged.ts';
import { type Verdict, type VerifiedToken, verifySignature } from './verify.ts';

/** What became of a case: who it is, that it may go on without saying so, or why it may not. */
export type Outcome = Identified | { readonly kind: 'anonymous'; readonly stripped: readonly TokenLocation[] } | Denial;

export interface Identified {
  readonly kind: 'identified';
  readonly by: 'token' | 'basic';
  /** Undefined for Basic. */
  readonly token: VerifiedToken | undefined;
  /** Empty for Basic. */
  readonly claims: JsonObject;
  /** Locations whose content does not travel on. */
  readonly stripped: readonly TokenLocation[];
  /** Identity headers, as a flat name, value … list. */
  readonly identity: readonly string[];
  /** The body, where a rule had to read it. */
  readonly body: Uint8Array | undefined;
}

export interface Judgement {
  readonly outcome: Outcome;
  readonly facts: DecisionFacts;
}

type Found = LocatedToken & { readonly kind: 'found' };

/** Of a case in which no token was read. */
function factsOf({ tenant, target }: Case, tokenSource?: string): DecisionFacts {
  return { tenant: tenant.id, path: target.rawPath, tokenSource };
}

/**
 * Judges a case, cheapest step first: path → token or Basic → signature → registered claims → claims → bindings →
 * rules → identity headers. A promise only where keys must be fetched, a signature is slow, or a rule reads the body.
 */
export function judge(this_: Case): Judgement | Promise<Judgement> {
  const { head, target, tenant, access } = this_;
  const { rehearsal } = this_.circumstances;
  rehearsal?.at('path', { case: this_ });
  if (target.oddity !== undefined && !this_.normalizePath) {
    const refused = deny('requestRefused', `${target.oddity}: normalizePath would accept it`);
    return { outcome: refused, facts: factsOf(this_) };
  }
  if (this_.routeInOtherCase !== undefined) {
    const { text } = this_.routeInOtherCase.path;
    const refused = deny('requestRefused', `the path fits the route ${text} in another letter case alone`);
    return { outcome: refused, facts: factsOf(this_) };
  }
  if (access === 'public') {
    return { outcome: { kind: 'anonymous', stripped: filledLocations(this_) }, facts: factsOf(this_) };
  }
  rehearsal?.at('token');
  const located = locateToken(head, target.query, tenant.locations);
  if (located.kind === 'ambiguous') {
    return { outcome: deny('tokenAmbiguous', located.detail), facts: factsOf(this_) };
  }
  if (this_.basic !== undefined) {
    const byBasic = judgeBasic(this_, located);
    if (byBasic !== undefined) return byBasic;
  }
  if (located.kind === 'found') return judgeToken(this_, located);
  if (access === 'optional') {
    return { outcome: { kind: 'anonymous', stripped: unjudgedLocations(this_, undefined) }, facts: factsOf(this_) };
  }
  const missing = deny('tokenMissing', `no token in ${tenant.locations.map(locationName).join(', ')}`);
  return { outcome: missing, facts: factsOf(this_) };
}

const basicLocation: TokenLocation = { kind: 'header', name: 'authorization', scheme: 'basic' };

/** HTTP Basic (RFC 7617), for a tenant's own servers; undefined where the request does not try it. */
function judgeBasic(this_: Case, located: LocatedToken): Judgement | undefined {
  const { head, tenant, alternative, basic } = this_;
  const content = readBasic(head);
  if (content.kind === 'none' || basic === undefined) return undefined;
  this_.circumstances.rehearsal?.at('basic');
  const facts = factsOf(this_, locationName(basicLocation));
  if (content.kind === 'unreadable') return { outcome: deny('tokenMalformed', content.detail), facts };
  if (located.kind === 'found') {
    const detail = `Basic credentials, and a token in ${locationName(located.location)}`;
    return { outcome: deny('tokenAmbiguous', detail), facts };
  }
  const { unverifiedUser, unverifiedPassword } = content;
  const expectedUser = alternative?.basicUser ?? unverifiedUser;
  if (!basicMatches(basic, unverifiedUser, unverifiedPassword) || expectedUser !== unverifiedUser) {
    return { outcome: deny('tokenMissing', 'the Basic credentials are not those that are accepted here'), facts };
  }
  this_.circumstances.rehearsal?.at('headers');
  const identity = identityHeaders(this_, {}, 'basic');
  if ('kind' in identity) return { outcome: identity, facts };
  const judged = tenant.forwardToken === 'keep' ? [] : [basicLocation];
  const stripped = [...judged, ...unjudgedLocations(this_, basicLocation)];
  return {
    outcome: { kind: 'identified', by: 'basic', token: undefined, claims: {}, stripped, identity, body: undefined },
    facts,
  };
}

function judgeToken(this_: Case, located: Found): Judgement | Promise<Judgement> {
  const { policy, verdicts, nowMs, rehearsal } = this_.circumstances;
  const raw = located.unverifiedToken;
  rehearsal?.at('shape', { located });
  const token = verdicts.find(raw) ?? parseToken(raw, policy.limits.tokenBytes);
  if (token.kind === 'malformed') {
    return { outcome: deny('tokenMalformed', token.detail), facts: factsOf(this_, locationName(located.location)) };
  }
  const verdict = verifySignature(token, this_.tenant, verdicts, nowMs, rehearsal);
  return verdict instanceof Promise
    ? verdict.then((late) => judgeVerdict(this_, located, token, late))
    : judgeVerdict(this_, located, token, verdict);
}

function judgeVerdict(
  this_: Case,
  located: Found,
  { algorithm, kid }: UnverifiedToken,
  verdict: Verdict,
): Judgement | Promise<Judgement> {
  const { tenant, target } = this_;
  const tokenSource = locationName(located.location);
  if (verdict.kind === 'rejected') {
    const { reason, detail, retryAfterS } = verdict;
    const facts = { tenant: tenant.id, path: target.rawPath, tokenSource, algorithm, kid };
    return { outcome: deny(reason, detail, { retryAfterS }), facts };
  }
  const { iss, sub } = verdict.token.claims;
  const facts: DecisionFacts = {
    tenant: tenant.id,
    path: target.rawPath,
    tokenSource,
    algorithm,
    kid,
    issuer: typeof iss === 'string' ? iss : undefined,
    subject: typeof sub === 'string' ? sub : undefined,
    claims: loggedClaims(this_.circumstances.policy, verdict.token),
    cached: verdict.cached,
  };
  const outcome = judgeVerified(this_, verdict.token, located);
  return outcome instanceof Promise ? outcome.then((late) => ({ outcome: late, facts })) : { outcome, facts };
}

function loggedClaims({ loggedClaims: wanted }: Policy, { claims }: VerifiedToken): LoggedClaims | undefined {
  if (wanted.length === 0) return undefined;
  const found: Record<string, Json> = {};
  for (const { name, path } of wanted) {
    const value = findClaim(claims, path);
    if (value !== undefined && value !== null) found[name] = value;
  }
  return found;
}

/** All that is judged on every request, however the signature's verdict was come by. */
function judgeVerified(this_: Case, token: VerifiedToken, located: Found): Outcome | Promise<Outcome> {
  const { circumstances, tenant, request } = this_;
  const { header, claims } = token;
  const { rehearsal } = circumstances;
  const failure = checkRegisteredClaims(header, claims, tenant.checks, circumstances.nowMs / 1000, rehearsal);
  if (failure !== undefined) return deny(failure.reason, failure.detail);
  rehearsal?.at('match');
  if (!alternativeHolds(this_.alternative, token)) {
    return deny('claimRefused', 'the verified token is not the one its tenant is recognised by');
  }
  for (const check of this_.claimChecks) {
    rehearsal?.at('claim', { check });
    if (!check.test(claims)) return deny('claimRefused', `the config wants ${check.text}`);
  }
  for (const bind of this_.binds) {
    if (bind.readsBody) continue;
    rehearsal?.at('bind', { bind, request });
    if (!bind.test(claims, request)) return deny('bindMismatch', `the config binds ${bind.text}`);
  }
  const refusedByRule = judgeRules(this_, token, request, readsNoBody);
  if (refusedByRule !== undefined) return refusedByRule;
  rehearsal?.at('revocation');
  const revoked = judgeRevocation(tenant.revocations, tenant.id, token);
  if (revoked !== undefined) return revoked;

  if (!this_.binds.some(readsBody) && !this_.rules.some(readsBody)) return identify(this_, token, located, undefined);
  rehearsal?.at('body');
  return rehearsal?.body === 'gone' ? identify(this_, token, located, undefined) : judgeBody(this_, token, located);
}

function readsBody(one: { readonly readsBody: boolean }): boolean {
  return one.readsBody;
}

function readsNoBody(one: { readonly readsBody: boolean }): boolean {
  return !one.readsBody;
}

/** Both what is false and what has no value refuse. */
function judgeRules(
  { circumstances, tenant, target, head, rules }: Case,
  token: VerifiedToken,
  request: Case['request'],
  isDue: (rule: Case['rules'][number]) => boolean,
): Denial | undefined {
  if (rules.length === 0) return undefined;
  const { rehearsal, nowMs } = circumstances;
  const input: RuleInput = { token, tenant: tenant.id, head, request, segments: target.segments, nowMs };
  for (const rule of rules) {
    if (!isDue(rule)) continue;
    rehearsal?.at('rule', { rule, request });
    const refusal = rule.refusal(input);
    if (refusal !== undefined) return deny('ruleRefused', refusal);
  }
  return undefined;
}

function identify(
  this_: Case,
  token: VerifiedToken,
  located: Found,
  body: Uint8Array | undefined,
): Outcome | Promise<Outcome> {
  const { tenant, circumstances } = this_;
  const { rehearsal } = circumstances;
  rehearsal?.at('headers');
  const { claims } = token;
  const identity = identityHeaders(this_, claims, 'token', token);
  if ('kind' in identity) return identity;
  const identified: Outcome = {
    kind: 'identified',
    by: 'token',
    token,
    claims,
    stripped: stripped(this_, located),
    identity,
    body,
  };
  if (this_.replay === undefined) return identified;
  rehearsal?.at('replay');
  if (rehearsal?.replay === 'skip') return identified;
  // Last of all: a request that is refused for something else has not used its token.
  const { clockSkewS } = tenant.checks;
  const denied = judgeReplay(this_.replay, { id: tenant.id, clockSkewS }, token, circumstances.nowMs, rehearsal);
  return denied instanceof Promise ? denied.then((late) => late ?? identified) : (denied ?? identified);
}

/** Only a request that passed all else is worth reading a body for. */
async function judgeBody(this_: Case, token: VerifiedToken, located: Found): Promise<Outcome> {
  const { circumstances, head, binds, request } = this_;
  const { policy, body, rehearsal } = circumstances;
  const read = await readJsonBody(head, body, policy.limits.bodyBytes);
  if (read.kind === 'denial') return read;
  const withBody = read.kind === 'json' ? { ...request, body: read.value } : request;
  for (const bind of binds) {
    if (!bind.readsBody) continue;
    rehearsal?.at('bind', { bind, request: withBody });
    if (!bind.test(token.claims, withBody)) return deny('bindMismatch', `the config binds ${bind.text}`);
  }
  const refusedByRule = judgeRules(this_, token, withBody, readsBody);
  if (refusedByRule !== undefined) return refusedByRule;
  return identify(this_, token, located, read.kind === 'json' ? read.bytes : undefined);
}

function identityHeaders(
  { head, tenant, request }: Case,
  claims: JsonObject,
  way: 'token' | 'basic',
  token?: VerifiedToken,
): readonly string[] | Denial {
  const values = { claims, captures: request.captures, requestId: head.id, client: head.clientCertificate };
  const emitted = emitIdentityHeaders(tenant.identityHeaders, values);
  if (emitted.kind === 'refused') return deny('claimRefused', emitted.detail);
  const { headers } = emitted;
  if (tenant.tellsWay) headers.push(wayHeader, way);
  if (tenant.payloadHeader !== undefined && token !== undefined) {
    headers.push(tenant.payloadHeader, token.raw.split('.')[1] as string);
  }
  return headers;
}

/** Tells the upstream of a tenant with two ways in which one was used: `token` or `basic`. Always reserved. */
export const wayHeader = 'X-Jwt-Auth';

/** By default a query or cookie token stays here, and always what was not the judged one. */
function stripped(this_: Case, { location, copies }: Found): readonly TokenLocation[] {
  const { forwardToken } = this_.tenant;
  const strip = forwardToken === undefined ? location.kind !== 'header' : forwardToken === 'strip';
  const unjudged = unjudgedLocations(this_, location);
  const others = unjudged.length === 0 ? copies : [...copies, ...unjudged];
  return strip ? [location, ...others] : others;
}
