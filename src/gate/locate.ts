import { foldCookieName, isRespelled, pairsWithin, readPair } from './cookies.ts';
import { findQueryParameter } from './query.ts';
import { headerValues, type RequestHead } from './request-head.ts';
import { holdsPayload } from './token-form.ts';

/** One place where a tenant accepts a token. Header and scheme names are lower case; a header without scheme is raw. */
export type TokenLocation =
  | { readonly kind: 'header'; readonly name: string; readonly scheme: string | undefined }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  /** The entry of a WebSocket handshake's Sec-WebSocket-Protocol that begins with `name`, the token behind it. */
  | { readonly kind: 'websocketProtocol'; readonly name: string };

/** RFC 6750 section 2.1: what a tenant accepts unless it says otherwise. */
export const defaultLocations: readonly TokenLocation[] = [{ kind: 'header', name: 'authorization', scheme: 'bearer' }];

/** "header:authorization", "query:jwt" or "cookie:session": for the log, and to tell locations apart. */
export function locationName(location: TokenLocation): string {
  let name = locationNames.get(location);
  if (name === undefined) {
    name =
      location.kind === 'header' && location.scheme !== undefined
        ? `header:${location.name}:${location.scheme}`
        : `${location.kind}:${location.name}`;
    locationNames.set(location, name);
  }
  return name;
}

/** The header in which a location lies; undefined: it is in the target. */
export function headerOf({ kind, name }: TokenLocation): string | undefined {
  switch (kind) {
    case 'header':
      return name;
    case 'cookie':
      return 'Cookie';
    case 'websocketProtocol':
      return 'Sec-WebSocket-Protocol';
    case 'query':
      return undefined;
  }
}

/** A config has few of them, and every request's log line names one. */
const locationNames = new WeakMap<TokenLocation, string>();

/** What one location holds. */
export type LocationContent =
  | { readonly kind: 'empty' }
  | { readonly kind: 'token'; readonly unverifiedToken: string }
  | { readonly kind: 'ambiguous'; readonly detail: string };

const empty: LocationContent = { kind: 'empty' };

type HeadToSearch = Pick<RequestHead, 'headers'>;

/**
 * Reads one location; a name that stands twice is ambiguous even where both values agree. `all`: those that are read
 * together, of which one may be spelled like another.
 */
export function readLocation(
  head: HeadToSearch,
  query: string | undefined,
  location: TokenLocation,
  all: readonly TokenLocation[] = [],
): LocationContent {
  switch (location.kind) {
    case 'header':
      return readHeader(head, location.name, location.scheme);
    case 'query':
      return readQuery(query, location.name);
    case 'cookie':
      return readCookie(head, location.name, all);
    case 'websocketProtocol':
      return readWebSocketProtocol(head, location.name);
  }
}

function readHeader(head: HeadToSearch, name: string, scheme: string | undefined): LocationContent {
  const values = headerValues(head, name);
  if (values.length === 0) return empty;
  if (values.length > 1) return { kind: 'ambiguous', detail: `the header ${name} stands more than once` };
  const value = values[0] as string;
  const credential = scheme === undefined ? value : credentialOf(value, scheme);
  if (credential === undefined) {
    // No-break spaces end a scheme for some (Python, and \s of JavaScript); none of them belongs into a credential.
    if (!ascii.test(value)) return { kind: 'ambiguous', detail: `characters beyond ASCII in ${name}` };
    // Another scheme's credential is no token, unless ours hides behind a comma where a lenient upstream finds it.
    return scheme !== undefined && holdsScheme(value, scheme)
      ? { kind: 'ambiguous', detail: `two credentials in one ${name} line` }
      : empty;
  }
  if (credential.includes(',')) return { kind: 'ambiguous', detail: `two credentials in one ${name} line` };
  return { kind: 'token', unverifiedToken: credential };
}

const ascii = /^[\t\x20-\x7e]*$/;

/**
 * Does a header hold a token which is not read as ours, by its scheme, but would be by who is less exact about that:
 * who takes the second word, whatever the first is, or cuts off seven characters?
 */
export function holdsOddToken(head: HeadToSearch, { kind, name }: TokenLocation): boolean {
  return kind === 'header' && headerValues(head, name).some(holdsPayload);
}

/** RFC 9110 section 11.4: scheme, letter case ignored, then spaces, then the credential. */
function credentialOf(value: string, scheme: string): string | undefined {
  if (value.length < scheme.length || value.slice(0, scheme.length).toLowerCase() !== scheme) return undefined;
  if (value.length === scheme.length) return '';
  const next = value.charCodeAt(scheme.length);
  if (next !== 0x20 && next !== 0x09) return undefined;
  return value.slice(scheme.length + 1).trim();
}

function holdsScheme(value: string, scheme: string): boolean {
  return value.split(',').some((part, index) => index > 0 && credentialOf(part.trim(), scheme) !== undefined);
}

function readQuery(query: string | undefined, name: string): LocationContent {
  const found = findQueryParameter(query, name);
  if (found.kind === 'value') return { kind: 'token', unverifiedToken: found.value };
  if (found.kind === 'absent') return empty;
  return { kind: 'ambiguous', detail: `the query parameter ${name} can be read in more than one way` };
}

function readCookie(head: HeadToSearch, name: string, all: readonly TokenLocation[]): LocationContent {
  const folded = foldCookieName(name);
  let value: string | undefined;
  for (const line of headerValues(head, 'cookie')) {
    for (const pair of line.split(';')) {
      const cookie = readPair(pair);
      if (cookie?.name === name) {
        if (value !== undefined) return { kind: 'ambiguous', detail: `the cookie ${name} stands more than once` };
        value = cookie.value;
      } else if (cookie !== undefined && isRespelled(cookie, folded) && !isCookieOf(all, cookie.name)) {
        return { kind: 'ambiguous', detail: `a token in another spelling of the cookie ${name}` };
      }
      if (pairsWithin(pair).some((within) => isRespelled(within, folded))) {
        return { kind: 'ambiguous', detail: `a token as the cookie ${name} within another one` };
      }
    }
  }
  return value === undefined ? empty : { kind: 'token', unverifiedToken: value };
}

function isCookieOf(locations: readonly TokenLocation[], name: string): boolean {
  return locations.some((location) => location.kind === 'cookie' && location.name === name);
}

/** Pages can't set headers of a WebSocket handshake, but offer subprotocols (RFC 6455 section 4.1). */
function readWebSocketProtocol(head: HeadToSearch, prefix: string): LocationContent {
  if (!headerValues(head, 'upgrade').some((value) => value.trim().toLowerCase() === 'websocket')) return empty;
  const entries = headerValues(head, 'sec-websocket-protocol').flatMap((line) => line.split(','));
  const offers = entries.map((entry) => entry.trim()).filter((offered) => beginsWith(offered, prefix));
  if (offers.length > 1) return { kind: 'ambiguous', detail: `several WebSocket protocols begin with ${prefix}` };
  const [offered] = offers;
  if (offered === undefined || !offered.startsWith(prefix)) return empty;
  return { kind: 'token', unverifiedToken: offered.slice(prefix.length) };
}

/** Letter case ignored: to us the prefix is as it is spelled, but an upstream may be less exact. */
export function beginsWith(offered: string, prefix: string): boolean {
  return offered.length >= prefix.length && offered.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase();
}

/** A Sec-WebSocket-Protocol line without the entries that begin so; undefined when none is left. */
export function withoutProtocols(line: string, prefixes: readonly string[]): string | undefined {
  const entries = line.split(',').map((entry) => entry.trim());
  const kept = entries.filter((entry) => entry !== '' && !prefixes.some((prefix) => beginsWith(entry, prefix)));
  return kept.length === 0 ? undefined : kept.join(', ');
}

export type LocatedToken =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'found';
      readonly unverifiedToken: string;
      readonly location: TokenLocation;
      /** Accepted locations that hold the same token again: they do not travel on. */
      readonly copies: readonly TokenLocation[];
    }
  | { readonly kind: 'ambiguous'; readonly detail: string };

const noToken: LocatedToken = { kind: 'none' };
const noCopies: readonly TokenLocation[] = [];

/** Finds the one token of a request in the tenant's accepted locations, in their order; two different ones are refused. */
export function locateToken(
  head: HeadToSearch,
  query: string | undefined,
  locations: readonly TokenLocation[],
): LocatedToken {
  let found: string | undefined;
  let place: TokenLocation | undefined;
  let copies: TokenLocation[] | undefined;
  for (const location of locations) {
    const content = readLocation(head, query, location, locations);
    if (content.kind === 'ambiguous') return content;
    if (content.kind === 'empty') continue;
    if (place === undefined) {
      found = content.unverifiedToken;
      place = location;
    } else if (found !== content.unverifiedToken) {
      const detail = `two different tokens: in ${locationName(place)} and in ${locationName(location)}`;
      return { kind: 'ambiguous', detail };
    } else {
      copies ??= [];
      copies.push(location);
    }
  }
  if (place === undefined) return noToken;
  return { kind: 'found', unverifiedToken: found as string, location: place, copies: copies ?? noCopies };
}
