import { shown } from '../gate/claims.ts';
import type { TokenLocation } from '../gate/locate.ts';
import type { MatchAlternative } from '../gate/recognise.ts';
import type { Seen, Step } from '../gate/rehearsal.ts';
import { quoteForLog } from '../keys/quote-for-log.ts';
import type { Facts } from './facts.ts';
import { describeSpan, describeTimes } from './times.ts';

/** What a step that passed is worth saying. */
export interface StepText {
  readonly detail: string;
  /** It was not taken at all. */
  readonly skipped?: boolean;
}

/** Of a step that passed; undefined where there was nothing to see. */
export function describePassed(step: Step, facts: Facts, seen: Seen): StepText | undefined {
  const text = passed[step](facts, seen);
  return typeof text === 'string' ? { detail: text } : text;
}

type Describe = (facts: Facts, seen: Seen) => string | StepText | undefined;

const passed: Readonly<Record<Step, Describe>> = {
  request: ({ head }) => `${head.method} ${head.target.split('?', 1)[0]}`,
  tenant: ({ tenant, alternative }) => `${tenant?.id}, ${describeAlternative(alternative)}`,
  route: describeRoute,
  preflight: () => 'a CORS preflight, which carries no token',
  path: ({ target }) =>
    target?.oddity === undefined ? undefined : `${target.oddity}: goes on as ${target.normalizedPath}`,
  token: describeToken,
  basic: ({ decision }) => (decision.kind === 'allowed' ? "the tenant's own user and password" : undefined),
  shape: ({ token }) => {
    const kid = token?.kid === undefined ? 'no kid' : `kid ${quoteForLog(token.kid)}`;
    return `a signed token: alg ${quoteForLog(token?.algorithm ?? '')}, ${kid}`;
  },
  algorithm: ({ token, tenant }) => `${token?.algorithm} is one of ${[...(tenant?.algorithms ?? [])].join(', ')}`,
  expiry: () => undefined,
  key: describeKey,
  signature: () => 'made with that key',
  time: ({ unverifiedClaims, nowMs }) => {
    const times = Object.entries(describeTimes(unverifiedClaims, nowMs)).filter(([name]) => name !== 'auth_time');
    return times.length === 0 ? 'no exp, nbf or iat' : times.map(([name, text]) => `${name} ${text}`).join('; ');
  },
  type: ({ token }) => `typ is ${shown(token?.unverifiedHeader.typ)}`,
  issuer: ({ unverifiedClaims }) => `iss is ${shown(unverifiedClaims.iss)}`,
  subject: ({ unverifiedClaims }) => `sub is ${shown(unverifiedClaims.sub)}`,
  audience: ({ unverifiedClaims }) => `aud is ${shown(unverifiedClaims.aud)}`,
  match: ({ alternative }) =>
    readsToken(alternative) ? 'the verified token has what its tenant is recognised by' : undefined,
  claim: (_, { check }) => check?.text,
  bind: (_, { bind }) => bind?.text,
  rule: (_, { rule }) => rule?.text,
  revocation: ({ tenant }) => (tenant?.revocations.length === 0 ? undefined : 'not revoked'),
  body: ({ body }) =>
    body === 'gone'
      ? { detail: 'was not kept, so nothing was bound to it, and no rule asked for it', skipped: true }
      : undefined,
  headers: ({ tenant }) => {
    const names = tenant?.identityHeaders.map(({ name }) => name) ?? [];
    if (tenant?.payloadHeader !== undefined) names.push(tenant.payloadHeader);
    return names.length === 0 ? 'none are configured' : names.join(', ');
  },
  replay: ({ replay }) =>
    replay === 'skip'
      ? { detail: 'not asked: what was used before is known where it was used', skipped: true }
      : `not used before${replay === 'ask' ? ', and not used up by asking' : ''}`,
  rate: ({ rate }) => (rate === 'take' ? 'a share was free' : { detail: 'no share taken', skipped: true }),
  provision: () => ({ detail: 'nobody called', skipped: true }),
  sign: () => ({ detail: 'no token issued', skipped: true }),
};

function describeRoute({ case: this_, routeIndex, tenant }: Facts): string {
  const access = `access ${this_?.access ?? tenant?.access}`;
  if (routeIndex === undefined) return `${tenant?.routes.length === 0 ? 'no routes' : 'none fits'}: ${access}`;
  const captures = [...(this_?.request.captures ?? [])].map(([name, value]) => `${name} = ${quoteForLog(value)}`);
  const { text } = tenant?.routes[routeIndex]?.path ?? { text: '' };
  return [`${text}: ${access}`, ...captures].join(', ');
}

function describeToken({ located, case: this_, decision }: Facts): string | undefined {
  if (located !== undefined) {
    const copies = located.copies.map((location) => `, and again in ${describeLocation(location)}`);
    return `in ${describeLocation(located.location)}${copies.join('')}`;
  }
  if (decision.kind === 'allowed' && this_?.access === 'optional') return 'none, and access is optional';
  return undefined;
}

/** A location as people write it: "the header Authorization, scheme Bearer". */
export function describeLocation(location: TokenLocation): string {
  switch (location.kind) {
    case 'header': {
      const scheme = location.scheme === undefined ? '' : `, scheme ${location.scheme}`;
      return `the header ${location.name}${scheme}`;
    }
    case 'query':
      return `the query parameter ${location.name}`;
    case 'cookie':
      return `the cookie ${location.name}`;
    case 'websocketProtocol':
      return `the WebSocket protocol ${location.name}…`;
  }
}

function describeKey({ token, keySources, keysNowMs }: Facts): string {
  const name = token?.kid === undefined ? `the one that fits ${token?.algorithm}` : quoteForLog(token.kid);
  const source = keySources().find(({ keys }) => keys.some(({ kid }) => kid === token?.kid));
  if (source?.lastSuccessMs === undefined) return name;
  return `${name}, of the set fetched ${describeSpan(Math.max(0, keysNowMs - source.lastSuccessMs) / 1000)} ago from ${source.url}`;
}

function describeAlternative(alternative: MatchAlternative | undefined): string {
  if (alternative === undefined) return 'the only one';
  const { host, path, header, query, basicUser, kid, issuer, tokenHeader, claim } = alternative;
  const named = (of: string, values: Readonly<Record<string, string | null>> | undefined) =>
    Object.entries(values ?? {}).map(
      ([name, value]) => `${of} ${name}${value === null ? ' absent' : ` ${quoteForLog(value)}`}`,
    );
  const parts = [
    ...(host === undefined ? [] : [`host ${host}`]),
    ...(path === undefined ? [] : [`path ${path.text}`]),
    ...named('header', header),
    ...named('query', query),
    ...(basicUser === undefined ? [] : [`Basic user ${quoteForLog(basicUser)}`]),
    ...(kid === undefined ? [] : [`kid ${quoteForLog(kid)}`]),
    ...(issuer === undefined ? [] : [`issuer ${quoteForLog(issuer)}`]),
    ...named('token header', tokenHeader),
    ...named('claim', Object.fromEntries((claim ?? []).map((one) => [one.path.join('.'), one.value]))),
  ];
  return parts.length === 0 ? 'the only one' : `by ${parts.join(', ')}`;
}

function readsToken(alternative: MatchAlternative | undefined): boolean {
  const { kid, issuer, tokenHeader, claim } = alternative ?? {};
  return [kid, issuer, tokenHeader, claim].some((part) => part !== undefined);
}
