import { beginsWith, cookieName, readLocation, type TokenLocation } from './locate.ts';
import { foldQueryName, queryNames } from './query.ts';
import { headerValues, type RequestHead } from './request-head.ts';

/**
 * Where the tenants of one upstream take tokens from, all together. That upstream knows these places, too: what one of
 * them holds on a request of a tenant that does not look there, nobody has judged.
 */
export interface TokenPlaces {
  /** How many different ones there are. */
  readonly count: number;
  /** Those in which this request carries what an upstream could read as a token, but for the one that was judged. */
  holdingTokens(
    head: Pick<RequestHead, 'headers'>,
    query: string | undefined,
    judged: TokenLocation | undefined,
  ): TokenLocation[];
}

/** Two parts and the beginning of a third, as JWS and JWE have them; `%2e` is a dot to who decodes a cookie. */
const tokenForm = /[\w+/=%-]{2}\.[\w+/=%-]*[\w+/=%-]\./;

/** `distinct`: no two alike. What a request costs grows with the request, not with their number. */
export function createTokenPlaces(distinct: Iterable<TokenLocation>): TokenPlaces {
  const headers = new Map<string, TokenLocation[]>();
  const cookies = new Map<string, TokenLocation[]>();
  const queries = new Map<string, TokenLocation[]>();
  const protocols: TokenLocation[] = [];
  let count = 0;
  for (const location of distinct) {
    count++;
    if (location.kind === 'header') add(headers, location.name, location);
    else if (location.kind === 'cookie') add(cookies, location.name, location);
    else if (location.kind === 'query') add(queries, foldQueryName(location.name), location);
    else protocols.push(location);
  }

  const candidates = (head: Pick<RequestHead, 'headers'>, query: string | undefined): Set<TokenLocation> => {
    const found = new Set<TokenLocation>();
    const take = (locations: readonly TokenLocation[] | undefined) => {
      for (const location of locations ?? []) found.add(location);
    };
    for (let i = 0; i < head.headers.length; i += 2) {
      const lower = (head.headers[i] as string).toLowerCase();
      take(headers.get(lower));
      if (lower === 'sec-websocket-protocol') take(protocols);
      if (lower !== 'cookie' || cookies.size === 0) continue;
      for (const pair of (head.headers[i + 1] as string).split(';')) {
        const name = cookieName(pair);
        if (name !== undefined) take(cookies.get(name));
      }
    }
    if (queries.size > 0) for (const name of queryNames(query)) take(queries.get(name));
    return found;
  };

  return {
    count,
    holdingTokens(head, query, judged) {
      const holding: TokenLocation[] = [];
      for (const location of candidates(head, query)) {
        if (judged !== undefined && isSamePlace(location, judged)) continue;
        if (holdsToken(head, query, location)) holding.push(location);
      }
      return holding;
    },
  };
}

function add(byName: Map<string, TokenLocation[]>, name: string, location: TokenLocation): void {
  byName.set(name, [...(byName.get(name) ?? []), location]);
}

/** Is what the one names, whatever scheme or spelling, what was judged at the other? */
function isSamePlace(one: TokenLocation, judged: TokenLocation): boolean {
  if (one.kind !== judged.kind) return false;
  switch (one.kind) {
    case 'query':
      return foldQueryName(one.name) === foldQueryName(judged.name);
    case 'websocketProtocol':
      return beginsWith(one.name, judged.name);
    default:
      return one.name === judged.name;
  }
}

/** What can be read in more than one way counts: one of them may be a token. */
function holdsToken(head: Pick<RequestHead, 'headers'>, query: string | undefined, location: TokenLocation): boolean {
  if (location.kind === 'websocketProtocol') {
    const entries = headerValues(head, 'sec-websocket-protocol').flatMap((line) => line.split(','));
    return entries.some((entry) => beginsWith(entry.trim(), location.name) && looksLikeToken(entry));
  }
  const content = readLocation(head, query, location);
  if (content.kind === 'token') return looksLikeToken(content.unverifiedToken);
  return content.kind === 'ambiguous';
}

function looksLikeToken(text: string): boolean {
  return tokenForm.test(text.replaceAll(/%2e/gi, '.'));
}
