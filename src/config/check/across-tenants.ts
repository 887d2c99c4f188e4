import { foldName } from '../../gate/field-name.ts';
import { wayHeader } from '../../gate/judge.ts';
import { headerOf } from '../../gate/locate.ts';
import type { CompiledRecognition } from '../../gate/recognise.ts';
import { complainInRule } from '../compile-expressions.ts';
import type { ConfigPath } from '../config-path.ts';
import type { FindingText } from '../finding.ts';
import { complainIn, type Load, spanIn, type TenantSection } from '../model.ts';
import type { Pause } from '../pacer.ts';
import { hasAllParts, rulesOf, type TenantFacts } from './tenant-facts.ts';

/* What can only be seen with all tenants side by side. */

/** One tenant alone takes every request; of two, each must say which are its own. */
export async function checkTellApart(all: readonly TenantFacts[], declaredTenants: number, load: Load): Promise<void> {
  if (declaredTenants < 2) return;
  for (const { tenant } of all) {
    await load.pause();
    if (tenant.config.match !== undefined) continue;
    const hint = 'e.g. match: {host: …}, {path: …}, {issuer: …} or {kid: …}';
    complainIn(load, tenant, [], { message: 'needs match, as it is not the only tenant', hint }, 'error', 'key');
  }
}

/** Every header that a tenant can emit is removed from all requests: nothing can be read from one. */
export async function checkReservedNames(
  all: readonly TenantFacts[],
  reserved: ReadonlyMap<string, string | undefined>,
  load: Load,
): Promise<void> {
  for (const facts of all) {
    await load.pause();
    if (!hasAllParts(facts)) continue;
    const { tenant, alternatives, locations, binds, routes } = facts;
    const faultOf = (header: string, what: string): FindingText | undefined => {
      if (!reserved.has(foldName(header))) return undefined;
      const emitter = reserved.get(foldName(header));
      const who = emitter === undefined ? 'jwtgate' : emitter === tenant.id ? 'this tenant' : `the tenant ${emitter}`;
      const message = `${what} ${header}, which ${who} sends to upstreams: it is removed from every request`;
      return { message, hint: 'use another header' };
    };
    const say = (path: ConfigPath, header: string, what: string) => {
      const fault = faultOf(header, what);
      if (fault !== undefined) complainIn(load, tenant, path, fault);
    };
    for (const [index, { header }] of alternatives.entries()) {
      const at = matchPath(tenant, index);
      for (const name of Object.keys(header ?? {})) say([...at, 'header', name], name, 'matches on');
    }
    for (const [index, location] of locations.entries()) {
      const at = Array.isArray(tenant.raw.token) ? ['token', index] : ['token'];
      if (location.kind === 'header') say([...at, 'header'], location.name, 'reads the token from');
    }
    const bindNames = Object.keys(tenant.config.bind ?? {});
    for (const [index, { headerNames }] of binds.entries()) {
      for (const name of headerNames) say(['bind', bindNames[index] as string], name, 'binds to');
    }
    for (const [routeIndex, route] of routes.entries()) {
      const names = Object.keys(tenant.config.routes?.[routeIndex]?.bind ?? {});
      for (const [index, { headerNames }] of route.binds.entries()) {
        for (const name of headerNames) say(['routes', routeIndex, 'bind', names[index] as string], name, 'binds to');
      }
    }
    for (const { rule, path } of rulesOf(facts)) {
      for (const asked of rule.headerNames) {
        const fault = faultOf(asked.name, 'asks for');
        if (fault !== undefined) complainInRule(load, tenant, path, asked, fault);
      }
    }
  }
}

/** Ours by default: an upstream may trust them though no tenant of this config sends them. */
const alwaysEmitted = ['X-Jwt-Tenant', 'X-Jwt-Subject', wayHeader];

/** Folded names that are sent to upstreams, each with a tenant that does; undefined: whatever the tenants say. */
export async function emittedNames(
  all: readonly TenantFacts[],
  signedInto: ReadonlySet<string>,
  pause: Pause,
): Promise<Map<string, string | undefined>> {
  const names = new Map<string, string | undefined>(alwaysEmitted.map((name) => [foldName(name), undefined]));
  for (const name of signedInto) {
    // Clients' own tokens come in Authorization: there a tenant that signs replaces what came, and no other loses it.
    if (foldName(name) !== 'authorization') names.set(foldName(name), undefined);
  }
  const seen = new Set<object>();
  for (const { tenant, headers } of all) {
    await pause();
    const { payloadHeader } = tenant.config;
    if (payloadHeader !== undefined) names.set(foldName(payloadHeader), tenant.id);
    if (seen.has(headers)) continue;
    seen.add(headers);
    for (const { name } of headers) names.set(foldName(name), tenant.id);
  }
  return names;
}

/** Lower-case names of what tenants send to upstreams, or find tokens in: as a front's config has to list them. */
export async function verdictNames(
  all: readonly TenantFacts[],
  signedInto: ReadonlySet<string>,
  pause: Pause,
): Promise<Set<string>> {
  const names = new Set<string>([...alwaysEmitted, ...signedInto].map((name) => name.toLowerCase()));
  const seen = new Set<object>();
  for (const { tenant, headers, locations } of all) {
    await pause();
    const { payloadHeader, basic } = tenant.config;
    if (payloadHeader !== undefined) names.add(payloadHeader.toLowerCase());
    if (basic !== undefined) names.add('authorization');
    if (!seen.has(headers)) for (const { name } of headers) names.add(name.toLowerCase());
    if (!seen.has(locations)) {
      for (const location of locations) {
        const name = headerOf(location);
        if (name !== undefined) names.add(name.toLowerCase());
      }
    }
    seen.add(headers).add(locations);
  }
  return names;
}

/** Two tenants that could claim one request: nobody could say whose keys judge it. */
export function checkOverlaps(all: readonly TenantFacts[], { overlaps }: CompiledRecognition, load: Load): void {
  if (overlaps.length === 0) return;
  const byId = new Map(all.map((facts) => [facts.tenant.id, facts.tenant]));
  for (const { tenants, alternatives } of overlaps) {
    const [first, second] = tenants.map((id) => byId.get(id));
    if (first === undefined || second === undefined) continue;
    const firstPath = matchPath(first, alternatives[0]);
    const secondPath = matchPath(second, alternatives[1]);
    complainIn(load, second, secondPath, {
      message: `takes requests that ${first.id} takes as well`,
      hint: 'make one of them narrower, or tell both apart by one thing: their hosts, paths, issuers or kids',
      related: [{ span: spanIn(load, first, firstPath), path: [...first.path, ...firstPath] }],
    });
  }
}

function matchPath({ raw }: TenantSection, alternative: number): ConfigPath {
  return Array.isArray(raw.match) ? ['match', alternative] : ['match'];
}
