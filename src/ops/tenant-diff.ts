export interface TenantDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/**
 * Which tenants a reload added, removed or changed, by the digests of their settings; each list is sorted. Yields after
 * each tenant.
 */
export function* diffTenants(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Generator<void, TenantDiff> {
  const added: string[] = [];
  const removed: string[] = [];
  const changed: string[] = [];
  for (const [id, digest] of after) {
    const was = before.get(id);
    if (was === undefined) added.push(id);
    else if (was !== digest) changed.push(id);
    yield;
  }
  for (const id of before.keys()) {
    if (!after.has(id)) removed.push(id);
    yield;
  }
  return { added: added.sort(), removed: removed.sort(), changed: changed.sort() };
}

/** How many ids one log line names. */
const namedIds = 20;

/** The ids for a log line: the first 20, then how many more. */
export function nameSome(ids: readonly string[]): readonly string[] {
  return ids.length <= namedIds ? ids : [...ids.slice(0, namedIds), `and ${ids.length - namedIds} more`];
}
