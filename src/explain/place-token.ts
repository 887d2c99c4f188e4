import { requestHost } from '../gate/host.ts';
import { locationName, type TokenLocation } from '../gate/locate.ts';
import { parseTarget } from '../gate/path.ts';
import type { Policy } from '../gate/policy.ts';
import type { RequestHead } from '../gate/request-head.ts';
import { parseToken } from '../gate/token.ts';

const usual: TokenLocation = { kind: 'header', name: 'Authorization', scheme: 'Bearer' };

/**
 * Puts a token that came by itself where its tenant looks for one: into the first location, of all that the config
 * names, in which the request has a tenant that accepts it there; else into Authorization.
 */
export function placeToken(head: RequestHead, token: string, policy: Policy): RequestHead {
  return putToken(head, token, findPlace(head, token, policy)?.location ?? usual);
}

/** The first location in which a request with this token has a tenant that accepts it there, and that tenant. */
export function findPlace(head: RequestHead, token: string, policy: Policy) {
  for (const location of [usual, ...distinctLocations(policy)]) {
    const found = recognised(putToken(head, token, location), policy);
    const name = locationName(lowerCase(location));
    const accepted = found?.tenant.locations.find((one) => locationName(one) === name);
    if (found !== undefined && accepted !== undefined) return { ...found, location, accepted };
  }
  return undefined;
}

function distinctLocations({ tenants }: Policy): TokenLocation[] {
  const byName = new Map<string, TokenLocation>();
  for (const { locations } of tenants.values()) {
    for (const location of locations) byName.set(locationName(location), location);
  }
  return [...byName.values()];
}

function recognised(head: RequestHead, policy: Policy) {
  const target = parseTarget(head.target);
  if (target.kind === 'problem') return undefined;
  const { segments, query } = target;
  const recognition = policy.recognise({ head, segments, query, host: requestHost(head) }, (raw) =>
    parseToken(raw, policy.limits.tokenBytes),
  );
  if (recognition.kind !== 'recognised') return undefined;
  const tenant = policy.tenants.get(recognition.tenant);
  return tenant && { tenant, alternative: recognition.alternative };
}

function lowerCase(location: TokenLocation): TokenLocation {
  if (location.kind !== 'header') return location;
  return { ...location, name: location.name.toLowerCase(), scheme: location.scheme?.toLowerCase() };
}

/** Adds a token in one place. */
export function putToken(head: RequestHead, token: string, location: TokenLocation): RequestHead {
  const withHeader = (...pairs: string[]) => ({ ...head, headers: [...head.headers, ...pairs] });
  switch (location.kind) {
    case 'header':
      return withHeader(location.name, location.scheme === undefined ? token : `${location.scheme} ${token}`);
    case 'cookie':
      return withHeader('Cookie', `${location.name}=${token}`);
    case 'websocketProtocol':
      return withHeader(
        'Upgrade',
        'websocket',
        'Connection',
        'Upgrade',
        'Sec-WebSocket-Protocol',
        `${location.name}${token}`,
      );
    case 'query': {
      const mark = head.target.includes('?') ? '&' : '?';
      return { ...head, target: `${head.target}${mark}${encodeURIComponent(location.name)}=${token}` };
    }
  }
}
