import type { Policy } from '../gate/policy.ts';

export interface PolicyDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** Which tenants a reload added, removed or changed, each list sorted. */
export function diffPolicies(before: Policy, after: Policy): PolicyDiff {
  const added: string[] = [];
  const changed: string[] = [];
  for (const [id, tenant] of after.tenants) {
    const was = before.tenants.get(id);
    if (was === undefined) added.push(id);
    else if (was.fingerprint !== tenant.fingerprint) changed.push(id);
  }
  const removed = [...before.tenants.keys()].filter((id) => !after.tenants.has(id));
  return { added: added.sort(), removed: removed.sort(), changed: changed.sort() };
}

/** How many ids one log line names. */
const namedIds = 20;

/** The ids for a log line: the first 20, then how many more. */
export function nameSome(ids: readonly string[]): readonly string[] {
  return ids.length <= namedIds ? ids : [...ids.slice(0, namedIds), `and ${ids.length - namedIds} more`];
}
