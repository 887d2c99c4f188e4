import type { KeyRing, KidMode } from '../keys/key-ring.ts';
import type { TenantSection } from './model.ts';
import type { MatchConfig } from './shape/match.ts';

/** A tenant whose keys somebody stands in for: what its tokens have to look like. */
export interface StandInTenant {
  readonly id: string;
  readonly algorithms: ReadonlySet<string>;
  readonly kidMode: KidMode;
  /** Key IDs that the config gives its keys; empty where it gives none. */
  readonly kids: readonly string[];
  /** Its keys come from a provider, which names them. */
  readonly isRemote: boolean;
  /** How it is recognised. */
  readonly match: readonly MatchConfig[];
}

/** Keys in place of all that a config names, which are then not even read: for tests of a config, never for serving. */
export type StandInKeys = (tenant: StandInTenant) => KeyRing;

/** A ring for a tenant that has any keys. */
export function standInRing(
  { id, config }: TenantSection,
  algorithms: ReadonlySet<string>,
  standInKeys: StandInKeys,
): KeyRing | undefined {
  const { secret, keys, jwks, discovery, kid, match = [] } = config;
  if ([secret, keys, jwks, discovery].every((part) => part === undefined)) return undefined;
  const named = [...(secret ?? []), ...(keys ?? [])].flatMap((one) => ('kid' in one ? (one.kid ?? []) : []));
  const matched = match.flatMap((one) => one.kid ?? []);
  return standInKeys({
    id,
    algorithms,
    kidMode: kid ?? 'auto',
    kids: named.length > 0 ? named : matched,
    isRemote: jwks !== undefined || discovery !== undefined,
    match,
  });
}
