import { foldCookieName, pairsWithin, readPair } from './cookies.ts';
import { beginsWith, holdsOddToken, readLocation, type TokenLocation } from './locate.ts';
import { foldedParameters, foldQueryName } from './query.ts';
import type { RequestHead } from './request-head.ts';
import { hasTokenForm } from './token-form.ts';

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

/** `distinct`: no two alike. What a request costs grows with the request, not with their number. */
export function createTokenPlaces(distinct: Iterable<TokenLocation>): TokenPlaces {
  const headers = new Map<string, TokenLocation[]>();
  const cookies = new Map<string, TokenLocation[]>();
  const queries = new Map<string, TokenLocation[]>();
  const protocols = new Map<string, TokenLocation[]>();
  let count = 0;
  for (const location of distinct) {
    count++;
    if (location.kind === 'header') add(headers, location.name, location);
    else if (location.kind === 'cookie') add(cookies, foldCookieName(location.name), location);
    else if (location.kind === 'query') add(queries, foldQueryName(location.name), location);
    else add(protocols, location.name.toLowerCase(), location);
  }
  const prefixLengths = new Set([...protocols.keys()].map((prefix) => prefix.length));

  /** Of one header line. Each of its parts is looked at once, however many of them name a place. */
  const inHeader = (head: Pick<RequestHead, 'headers'>, lower: string, value: string): TokenLocation[] => {
    const found = (headers.get(lower) ?? []).filter((location) => headerHoldsToken(head, location));
    if (lower === 'cookie' && cookies.size > 0) {
      for (const pair of value.split(';')) {
        for (const cookie of [readPair(pair), ...pairsWithin(pair)]) {
          const named = cookie && cookies.get(foldCookieName(cookie.name));
          if (named !== undefined && hasTokenForm(cookie?.value ?? '')) found.push(...named);
        }
      }
    } else if (lower === 'sec-websocket-protocol' && protocols.size > 0) {
      for (const entry of value.split(',')) {
        if (!hasTokenForm(entry)) continue;
        const offered = entry.trim().toLowerCase();
        for (const length of prefixLengths) found.push(...(protocols.get(offered.slice(0, length)) ?? []));
      }
    }
    return found;
  };

  const inQuery = (query: string | undefined): TokenLocation[] => {
    const found: TokenLocation[] = [];
    if (queries.size === 0) return found;
    for (const { name, value } of foldedParameters(query)) {
      const named = queries.get(name);
      if (named !== undefined && hasTokenForm(value)) found.push(...named);
    }
    return found;
  };

  return {
    count,
    holdingTokens(head, query, judged) {
      const holding = new Set<TokenLocation>();
      for (let i = 0; i < head.headers.length; i += 2) {
        const lower = (head.headers[i] as string).toLowerCase();
        for (const location of inHeader(head, lower, head.headers[i + 1] as string)) holding.add(location);
      }
      for (const location of inQuery(query)) holding.add(location);
      return [...holding].filter((location) => judged === undefined || !isSamePlace(location, judged));
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
    case 'cookie':
      return foldCookieName(one.name) === foldCookieName(judged.name);
    case 'header':
      return one.name === judged.name;
  }
}

/** What can be read in more than one way counts: one of them may be a token. */
function headerHoldsToken(head: Pick<RequestHead, 'headers'>, location: TokenLocation): boolean {
  const content = readLocation(head, undefined, location);
  if (content.kind === 'empty') return holdsOddToken(head, location);
  return content.kind === 'ambiguous' || hasTokenForm(content.unverifiedToken);
}
