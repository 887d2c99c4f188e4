import type { BindRule } from '../../gate/bind.ts';
import type { IdentityHeader } from '../../gate/identity-headers.ts';
import type { TokenLocation } from '../../gate/locate.ts';
import type { Route, Upstream } from '../../gate/policy.ts';
import type { MatchAlternative } from '../../gate/recognise.ts';
import type { Rule } from '../../gate/rule.ts';
import type { ConfigPath } from '../config-path.ts';
import type { FindingText } from '../finding.ts';
import { complainIn, type Load, type TenantSection } from '../model.ts';
import type { PreparedKeys } from '../prepare-keys.ts';

/** A tenant with its parts compiled: what the cross-checks look at. */
export interface TenantFacts {
  readonly tenant: TenantSection;
  readonly keys: PreparedKeys;
  /** Its own or the top-level one. */
  readonly upstream: Upstream | undefined;
  readonly alternatives: readonly MatchAlternative[];
  readonly locations: readonly TokenLocation[];
  readonly routes: readonly Route[];
  readonly binds: readonly BindRule[];
  readonly rules: readonly Rule[];
  readonly headers: readonly IdentityHeader[];
  /** What tokens of ours and provisioning calls read of the path. */
  readonly sent: readonly { readonly at: ConfigPath; readonly variables: readonly string[] }[];
}

export interface CheckContext {
  readonly load: Load;
  /** Is there a top-level upstream, or might there be one but for an error? */
  readonly globalUpstream: boolean;
  /** Does the listener ask clients for certificates, or might it but for an error? */
  readonly clientsVerified: boolean;
  /** Top-level `mode: report`. */
  readonly reportsAll: boolean;
  /** True the first time it is asked about an object: what many tenants share is checked once. */
  readonly isNew: (part: object) => boolean;
}

export function createCheckContext(
  load: Load,
  known: Pick<CheckContext, 'globalUpstream' | 'clientsVerified' | 'reportsAll'>,
): CheckContext {
  const seen = new Set<object>();
  return {
    load,
    ...known,
    isNew(part) {
      if (seen.has(part)) return false;
      seen.add(part);
      return true;
    },
  };
}

/** One thing that may be wrong with a tenant taken by itself. */
export type TenantCheck = (facts: TenantFacts, context: CheckContext) => void;

export function refuse({ tenant }: TenantFacts, { load }: CheckContext, path: ConfigPath, text: FindingText): void {
  complainIn(load, tenant, path, text, 'error', onKey(path));
}

export function warn({ tenant }: TenantFacts, { load }: CheckContext, path: ConfigPath, text: FindingText): void {
  complainIn(load, tenant, path, text, 'warning', onKey(path));
}

/** A whole section is pointed at by its key, what stands in it by its value. */
function onKey(path: ConfigPath): 'key' | 'value' {
  return path.length <= 1 ? 'key' : 'value';
}

/** The rules of a tenant and its routes, and where they stand. */
export function rulesOf({ rules, routes }: TenantFacts): { readonly rule: Rule; readonly path: ConfigPath }[] {
  return [
    ...rules.map((rule) => ({ rule, path: ['rule'] })),
    ...routes.flatMap((route, index) => route.rules.map((rule) => ({ rule, path: ['routes', index, 'rule'] }))),
  ];
}

/** Did every part compile, so that it stands at its own index? What was refused has been told already. */
export function hasAllParts({ tenant: { config }, alternatives, routes, binds }: TenantFacts): boolean {
  const count = (record: object | undefined) => Object.keys(record ?? {}).length;
  return (
    alternatives.length === (config.match?.length ?? 0) &&
    binds.length === count(config.bind) &&
    routes.length === (config.routes?.length ?? 0) &&
    routes.every((route, index) => route.binds.length === count(config.routes?.[index]?.bind))
  );
}
