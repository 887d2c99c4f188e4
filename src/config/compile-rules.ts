import { type BindRule, compileBind } from '../gate/bind.ts';
import { type ClaimCheck, type ClaimPath, compileClaimCheck, parseClaimPath } from '../gate/claims.ts';
import { compileIdentityHeader, type IdentityHeader } from '../gate/identity-headers.ts';
import { defaultLocations, type TokenLocation } from '../gate/locate.ts';
import { compilePathPattern, type PathPattern } from '../gate/path.ts';
import type { Route } from '../gate/policy.ts';
import type { MatchAlternative } from '../gate/recognise.ts';
import { compileCorsAt } from './compile-cors.ts';
import type { RuleCompiler } from './compile-expressions.ts';
import type { ConfigPath } from './config-path.ts';
import { complainIn, type Load, type TenantSection } from './model.ts';
import { prepareBasicAt } from './prepare-basic.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import type { MatchConfig } from './shape/match.ts';
import type { RouteConfig } from './shape/routes.ts';
import type { TenantConfig } from './shape/tenant.ts';
import type { TokenLocationConfig } from './shape/token.ts';

/* Each of these compiles one part of a tenant with the gate's own functions, and says at its place what they refuse. */

/** Takes a value or a problem; the problem is said at `path`. */
function accept<T extends object>(
  result: T | { readonly problem: string },
  tenant: TenantSection,
  path: ConfigPath,
  load: Load,
  on: 'key' | 'value' = 'value',
): T | undefined {
  if (!('problem' in result)) return result;
  complainIn(load, tenant, path, { message: result.problem }, 'error', on);
  return undefined;
}

export function compileClaims(
  claims: TenantConfig['claims'],
  tenant: TenantSection,
  path: ConfigPath,
  load: Load,
): ClaimCheck[] {
  return Object.entries(claims ?? {}).flatMap(([name, condition]) => {
    const at = [...path, name];
    const claimPath = accept(parseClaimPath(name), tenant, at, load, 'key');
    if (claimPath === undefined) return [];
    return accept(compileClaimCheck(claimPath as ClaimPath, condition as never), tenant, at, load) ?? [];
  });
}

export function compileBinds(
  bind: TenantConfig['bind'],
  tenant: TenantSection,
  path: ConfigPath,
  load: Load,
): BindRule[] {
  return Object.entries(bind ?? {}).flatMap(([names, source]) => {
    const at = [...path, names];
    const claimPaths: ClaimPath[] = [];
    for (const one of alternatives(names)) {
      const claimPath = typeof one === 'string' ? accept(parseClaimPath(one), tenant, at, load, 'key') : one;
      if (claimPath === undefined) return [];
      claimPaths.push(claimPath as ClaimPath);
    }
    return accept(compileBind(claimPaths, source), tenant, at, load) ?? [];
  });
}

/**
 * The left side of a `bind`: one claim path, or a list of them of which any will do. A list of one, and a list within
 * the list, is the path of a claim whose name holds dots.
 */
function alternatives(names: string): readonly (string | readonly string[])[] {
  const list = parseList(names);
  if (list === undefined) return [names];
  return list.length === 1 && typeof list[0] === 'string' ? [[list[0]]] : list;
}

function parseList(text: string): (string | string[])[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    const isName = (one: unknown): boolean =>
      typeof one === 'string' || (Array.isArray(one) && one.every((name) => typeof name === 'string'));
    return Array.isArray(list) && list.length > 0 && list.every(isName) ? list : undefined;
  } catch {
    // "[a, b]" in quotes is a list all the same; `["a.b"].c` is a path in the gate's own notation.
    const names = /^\[([^[\]]*)\]$/.exec(text)?.[1]?.match(/"[^"]*"|'[^']*'|[^,]+/g);
    return names?.map((name) => name.trim().replace(/^(["'])(.*)\1$/, '$2')).filter((name) => name !== '');
  }
}

/** What a tenant's upstream gets unless its config says otherwise. */
const defaultHeaders = (tenant: string): NonNullable<TenantConfig['headers']> => ({
  'X-Jwt-Tenant': { value: tenant, list: 'comma', encode: 'reject' },
  'X-Jwt-Subject': { value: '${claims.sub}', list: 'comma', encode: 'reject' },
});

export function compileHeaders(tenant: TenantSection, load: Load): IdentityHeader[] {
  return Object.entries(tenant.config.headers ?? defaultHeaders(tenant.id)).flatMap(([name, spec]) => {
    return accept(compileIdentityHeader(name, spec), tenant, ['headers', name], load) ?? [];
  });
}

/** What routes need beside what they say: how rules are compiled, and where passwords are read. */
export interface RouteParts {
  readonly compileRule: RuleCompiler;
  readonly files: ReferencedFiles;
  readonly load: Load;
}

/** Their `replay` is left to `openTenant`: what is remembered is each tenant's own. */
export async function compileRoutes(tenant: TenantSection, parts: RouteParts): Promise<Route[]> {
  const routes = (tenant.config.routes ?? []).map((route, index) => compileRoute(route, index, tenant, parts));
  return (await Promise.all(routes)).flatMap((route) => route ?? []);
}

async function compileRoute(
  route: RouteConfig,
  index: number,
  tenant: TenantSection,
  { compileRule, files, load }: RouteParts,
): Promise<Route | undefined> {
  const at = ['routes', index];
  const path = accept(compilePathPattern(route.path), tenant, [...at, 'path'], load);
  const claims = compileClaims(route.claims, tenant, [...at, 'claims'], load);
  const binds = compileBinds(route.bind, tenant, [...at, 'bind'], load);
  const rules = compileRule(route.rule, tenant, [...at, 'rule']);
  const cors = compileCorsAt(tenant, [...at, 'cors'], route.cors, load);
  const basic = await prepareBasicAt(tenant, [...at, 'basic'], route.basic, load, files);
  return (
    path && {
      path,
      methods: route.methods && new Set(route.methods),
      access: route.access ?? tenant.config.access,
      claims,
      binds,
      rules,
      normalizePath: route.normalizePath ?? tenant.config.normalizePath,
      cors: route.cors === 'off' ? 'off' : cors,
      basic: route.basic === 'off' ? 'off' : basic,
      replay: undefined,
    }
  );
}

export function compileMatch(tenant: TenantSection, load: Load): MatchAlternative[] {
  const isList = Array.isArray(tenant.raw.match);
  return (tenant.config.match ?? []).flatMap((match, index) => {
    return compileAlternative(match, isList ? ['match', index] : ['match'], tenant, load) ?? [];
  });
}

function compileAlternative(
  match: MatchConfig,
  at: ConfigPath,
  tenant: TenantSection,
  load: Load,
): MatchAlternative | undefined {
  let path: PathPattern | undefined;
  if (match.path !== undefined) {
    path = accept(compilePathPattern(match.path), tenant, [...at, 'path'], load);
    if (path === undefined) return undefined;
  }
  const claim = Object.entries(match.claim ?? {}).flatMap(([name, value]) => {
    const claimPath = accept(parseClaimPath(name), tenant, [...at, 'claim', name], load, 'key');
    return claimPath === undefined ? [] : [{ path: claimPath as ClaimPath, value }];
  });
  const { header, query, client, basicUser, kid, issuer, tokenHeader } = match;
  return {
    host: match.host?.toLowerCase().replace(/\.$/, ''),
    path,
    header,
    query,
    client,
    basicUser,
    kid,
    issuer,
    tokenHeader,
    claim: claim.length === 0 ? undefined : claim,
  };
}

export function compileLocations(token: readonly TokenLocationConfig[] | undefined): readonly TokenLocation[] {
  return token?.map(compileLocation) ?? defaultLocations;
}

function compileLocation({ header, scheme, query, cookie, websocketProtocol }: TokenLocationConfig): TokenLocation {
  if (websocketProtocol !== undefined) return { kind: 'websocketProtocol', name: websocketProtocol };
  if (query !== undefined) return { kind: 'query', name: query };
  if (cookie !== undefined) return { kind: 'cookie', name: cookie };
  return { kind: 'header', name: (header as string).toLowerCase(), scheme: scheme?.toLowerCase() };
}
