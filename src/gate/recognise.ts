import type { ClientField } from '../template/client-field.ts';
import { type ClaimPath, findClaim, scalarText } from './claims.ts';
import type { TokenLocation } from './locate.ts';
import { locationName, readLocation } from './locate.ts';
import { type MatchShape, matchShapes } from './match-shape.ts';
import { findOverlaps, type Overlap } from './overlap.ts';
import type { PathPattern } from './path.ts';
import type { RequestHead } from './request-head.ts';
import type { Json, JsonObject, UnverifiedToken } from './token.ts';

/** A value that must be equal, or null for one that must not be there at all. */
type Wanted = string | null;

/** One object of a tenant's `match`; everything named in it must hold. */
export interface MatchAlternative {
  /** Exact host, or `*.suffix` for every host below it; lower case. */
  readonly host?: string | undefined;
  readonly path?: PathPattern | undefined;
  readonly header?: Readonly<Record<string, Wanted>> | undefined;
  readonly query?: Readonly<Record<string, Wanted>> | undefined;
  /** Fields of the client's certificate, which TLS has verified. */
  readonly client?: { readonly [field in ClientField]?: Wanted | undefined } | undefined;
  /** User of HTTP Basic credentials, which then must be the tenant's own. */
  readonly basicUser?: string | undefined;
  readonly kid?: string | undefined;
  readonly issuer?: string | undefined;
  /** JOSE header members, e.g. `iss`. */
  readonly tokenHeader?: Readonly<Record<string, Wanted>> | undefined;
  readonly claim?: readonly { readonly path: ClaimPath; readonly value: Wanted }[] | undefined;
}

export interface TenantMatch {
  readonly id: string;
  /** Alternatives; an empty list claims every request, which only a tenant that is alone may do. */
  readonly match: readonly MatchAlternative[];
  readonly locations: readonly TokenLocation[];
}

/** What tenants are recognised by. `segments` are decoded (see path.ts). */
export interface RecognisableRequest {
  readonly head: Pick<RequestHead, 'headers' | 'clientCertificate'>;
  readonly segments: readonly string[];
  readonly query: string | undefined;
  readonly host: string | undefined;
}

export type Recognition =
  | { readonly kind: 'recognised'; readonly tenant: string; readonly alternative: MatchAlternative | undefined }
  /** No tenant by the request alone, and no token to ask. */
  | { readonly kind: 'tokenNeeded' }
  /** There are tokens, and none could be read. */
  | { readonly kind: 'tokenUnreadable'; readonly detail: string }
  | { readonly kind: 'unknown' }
  /** Several tenants claim the request by different means: none gets it. */
  | { readonly kind: 'contested'; readonly tenants: readonly string[] };

/** Reads a token without verifying it: undefined with the reason where it is malformed. */
export type ReadToken = (raw: string) => UnverifiedToken | { readonly kind: 'malformed'; readonly detail: string };

/** Chooses the tenant of a request; what was chosen by a token must hold again on the verified one (`alternativeHolds`). */
export type Recognise = (request: RecognisableRequest, readToken: ReadToken) => Recognition;

export interface CompiledRecognition {
  readonly recognise: Recognise;
  /** Tenants that could both claim one request: errors at load. */
  readonly overlaps: readonly Overlap[];
  /** Tenants told apart by different means, so that a request could carry both: refused when one does. */
  readonly contests: readonly Overlap[];
}

interface Entry {
  readonly tenant: string;
  readonly alternative: MatchAlternative;
  readonly locations: readonly TokenLocation[];
}

/** A look-up for all alternatives of one shape: one key is computed from the request, whatever their number. */
interface ShapeIndex {
  readonly shape: MatchShape;
  readonly entries: ReadonlyMap<string, Entry>;
}

/**
 * Compiles the choice of a tenant. Cost a request grows with the number of different *shapes* of match (host and path;
 * kid; …), not with the number of tenants. Yields after each of them, many times in all: whoever compiles 100,000 may
 * let others have their turn.
 */
export function* compileRecognition(tenants: readonly TenantMatch[]): Generator<void, CompiledRecognition> {
  const only = tenants.length === 1 ? tenants[0] : undefined;
  if (only !== undefined && only.match.length === 0) {
    const recognition: Recognition = { kind: 'recognised', tenant: only.id, alternative: undefined };
    return { recognise: () => recognition, overlaps: [], contests: [] };
  }
  const shapes = yield* matchShapes(tenants);
  const { overlaps, contests } = yield* findOverlaps(shapes);
  const requestShapes: ShapeIndex[] = [];
  const tokenShapes: ShapeIndex[] = [];
  /** Where tokens are looked for that a tenant may be recognised by. */
  const byName = new Map<string, TokenLocation>();
  for (const { shape, members } of shapes) {
    const entries = new Map<string, Entry>();
    for (const { key, tenant, alternative } of members) {
      entries.set(key, { tenant: tenant.id, alternative, locations: tenant.locations });
      if (shape.needsToken) for (const location of tenant.locations) byName.set(locationName(location), location);
      yield;
    }
    (shape.needsToken ? tokenShapes : requestShapes).push({ shape, entries });
  }
  const tokenLocations = [...byName.values()];

  const recognise: Recognise = (request, readToken) => {
    let claimant: Entry | undefined;
    let contested: readonly string[] | undefined;
    for (const { shape, entries } of requestShapes) {
      const key = shape.keyOf(request, undefined);
      const entry = key === undefined ? undefined : entries.get(key);
      if (entry === undefined) continue;
      contested = contest(contested, claimant, entry);
      claimant = entry;
    }
    if (tokenShapes.length === 0) return conclude(claimant, contested) ?? unknown;
    const { readable, unreadable } = readTokens(request, tokenLocations, readToken);
    for (const { token, location } of readable) {
      for (const { shape, entries } of tokenShapes) {
        const key = shape.keyOf(request, token);
        const entry = key === undefined ? undefined : entries.get(key);
        // A token in a place that the tenant does not accept says nothing about it.
        if (!entry?.locations.some((accepted) => locationName(accepted) === location)) continue;
        contested = contest(contested, claimant, entry);
        claimant = entry;
      }
    }
    const concluded = conclude(claimant, contested);
    if (concluded !== undefined) return concluded;
    if (readable.length > 0) return unknown;
    return unreadable === undefined ? { kind: 'tokenNeeded' } : { kind: 'tokenUnreadable', detail: unreadable };
  };
  return { recognise, overlaps, contests };
}

const unknown: Recognition = { kind: 'unknown' };

function conclude(claimant: Entry | undefined, contested: readonly string[] | undefined): Recognition | undefined {
  if (contested !== undefined) return { kind: 'contested', tenants: contested };
  if (claimant === undefined) return undefined;
  return { kind: 'recognised', tenant: claimant.tenant, alternative: claimant.alternative };
}

/** The tenants that claim a request, once they are several. */
function contest(
  contested: readonly string[] | undefined,
  claimant: Entry | undefined,
  { tenant }: Entry,
): readonly string[] | undefined {
  if (claimant === undefined) return undefined;
  if (contested === undefined) return claimant.tenant === tenant ? undefined : [claimant.tenant, tenant];
  return contested.includes(tenant) ? contested : [...contested, tenant];
}

interface TokensRead {
  readonly readable: readonly { readonly token: UnverifiedToken; readonly location: string }[];
  readonly unreadable: string | undefined;
}

/** At most one token a location; the same token in two locations counts for both. */
function readTokens(
  request: RecognisableRequest,
  locations: readonly TokenLocation[],
  readToken: ReadToken,
): TokensRead {
  const readable: { token: UnverifiedToken; location: string }[] = [];
  let unreadable: string | undefined;
  for (const location of locations) {
    const content = readLocation(request.head, request.query, location);
    if (content.kind === 'empty') continue;
    const token = content.kind === 'token' ? readToken(content.unverifiedToken) : content;
    if ('raw' in token) readable.push({ token, location: locationName(location) });
    else unreadable ??= token.detail;
  }
  return { readable, unreadable };
}

/** Does everything that `match` reads from a token hold on the verified one? */
export function alternativeHolds(
  alternative: MatchAlternative | undefined,
  verified: { readonly header: JsonObject; readonly claims: JsonObject; readonly kid: string | undefined },
): boolean {
  if (alternative === undefined) return true;
  const { basicUser, kid, issuer, tokenHeader, claim } = alternative;
  return (
    // Recognised by credentials that were then not the ones that were judged.
    basicUser === undefined &&
    (kid === undefined || verified.kid === kid) &&
    (issuer === undefined || verified.claims.iss === issuer) &&
    (tokenHeader === undefined ||
      Object.entries(tokenHeader).every(([name, value]) => isWanted(findClaim(verified.header, [name]), value))) &&
    (claim === undefined || claim.every(({ path, value }) => isWanted(findClaim(verified.claims, path), value)))
  );
}

function isWanted(found: Json | undefined, wanted: Wanted): boolean {
  return wanted === null ? found === undefined : scalarText(found) === wanted;
}
