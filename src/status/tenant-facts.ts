import type { Policy, Tenant } from '../gate/policy.ts';
import type { KeySourceStatus } from '../keys/key-source-status.ts';

/** What a tenant is, for people who look at many: plain data, and nothing secret. */
export interface TenantFacts {
  readonly id: string;
  readonly mode: Tenant['mode'];
  readonly access: Tenant['access'];
  readonly algorithms: readonly string[];
  /** Of the keys at hand; without a name: null. The first of many. */
  readonly kids: readonly (string | null)[];
  readonly keyCount: number;
  /** Whether any of its keys is fetched. */
  readonly sources: readonly SourceFacts[];
}

export interface SourceFacts {
  /** Without its query. */
  readonly url: string;
  readonly state: KeySourceStatus['state'];
  readonly keys: number;
  readonly skipped: number;
  /** Milliseconds since the epoch, as those below. */
  readonly lastSuccessMs: number | undefined;
  readonly nextFetchMs: number | undefined;
  readonly failures: number;
  readonly lastError: { readonly atMs: number; readonly detail: string } | undefined;
}

export interface TenantQuery {
  /** Part of an id, an algorithm, a kid or the URL of a key source; "": all. */
  readonly search: string;
  /** Ids to come first, in this order; the others follow by id. */
  readonly first: readonly string[];
  readonly from: number;
  readonly count: number;
}

export interface TenantPage {
  readonly total: number;
  /** Of these, how many the search found. */
  readonly found: number;
  readonly tenants: readonly TenantFacts[];
}

export type SourcesOf = (tenant: string) => readonly KeySourceStatus[];

const mostKids = 16;

/** One page of a policy's tenants. Looks through all of them only where something is searched for. */
export function listTenants(
  { tenants }: Pick<Policy, 'tenants'>,
  sourcesOf: SourcesOf,
  { search, first, from, count }: TenantQuery,
): TenantPage {
  const wanted = search.trim().toLowerCase();
  const found =
    wanted === '' ? tenants : new Map(tenants.entries().filter(([, one]) => isMeant(one, sourcesOf, wanted)));
  const head = first.filter((id) => found.has(id));
  const isHead = new Set(head);
  const rest = [...found.keys()].filter((id) => !isHead.has(id)).sort();
  return {
    total: tenants.size,
    found: found.size,
    tenants: [...head, ...rest]
      .slice(from, from + count)
      .map((id) => describeTenant(found.get(id) as Tenant, sourcesOf(id))),
  };
}

function isMeant({ id, algorithms, keys }: Tenant, sourcesOf: SourcesOf, wanted: string): boolean {
  const has = (text: string | undefined) => text?.toLowerCase().includes(wanted) === true;
  return (
    has(id) ||
    algorithms.values().some(has) ||
    keys.atHand().some(({ kid }) => has(kid)) ||
    sourcesOf(id).some(({ url }) => has(url))
  );
}

function describeTenant(
  { id, mode, access, algorithms, keys }: Tenant,
  sources: readonly KeySourceStatus[],
): TenantFacts {
  const atHand = keys.atHand();
  return {
    id,
    mode,
    access,
    algorithms: [...algorithms],
    kids: atHand.slice(0, mostKids).map(({ kid }) => kid ?? null),
    keyCount: atHand.length,
    sources: sources.map(({ url, state, keys: fetched, skipped, lastSuccessMs, nextFetchMs, failures, lastError }) => ({
      url,
      state,
      keys: fetched.length,
      skipped: skipped.length,
      lastSuccessMs,
      nextFetchMs,
      failures,
      lastError: lastError && { atMs: lastError.atMs, detail: lastError.detail },
    })),
  };
}
