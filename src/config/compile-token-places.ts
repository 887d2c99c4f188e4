import { locationName, type TokenLocation } from '../gate/locate.ts';
import type { Upstream } from '../gate/policy.ts';
import { createTokenPlaces, type TokenPlaces } from '../gate/token-places.ts';
import type { Pause } from './pacer.ts';

interface Tokened {
  readonly upstream: Upstream | undefined;
  readonly locations: readonly TokenLocation[];
}

/** For each tenant: see `Tenant.elsewhere`. Tenants whose upstreams have one address share one, whatever their paths. */
export async function compileTokenPlaces<T extends Tokened>(
  all: readonly T[],
  pause: Pause,
): Promise<(one: T) => TokenPlaces | undefined> {
  const distinct = new Map<string, Map<string, TokenLocation>>();
  const counted = new Map<string, Set<readonly TokenLocation[]>>();
  for (const { upstream, locations } of all) {
    await pause();
    const address = addressOf(upstream);
    const seen = entryOf(counted, address, () => new Set());
    if (seen.has(locations)) continue;
    seen.add(locations);
    const byName = entryOf(distinct, address, () => new Map());
    for (const location of locations) byName.set(locationName(location), location);
  }
  const places = new Map([...distinct].map(([address, byName]) => [address, createTokenPlaces(byName.values())]));
  return ({ upstream, locations }) => {
    const shared = places.get(addressOf(upstream));
    const isOwn = shared?.count === new Set(locations.map(locationName)).size;
    return isOwn ? undefined : shared;
  };
}

function addressOf(upstream: Upstream | undefined): string {
  return upstream === undefined ? '' : (upstream.socketPath ?? `${upstream.host}:${upstream.port}`);
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
