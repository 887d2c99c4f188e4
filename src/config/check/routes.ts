import type { BindRule } from '../../gate/bind.ts';
import type { PathPattern } from '../../gate/path.ts';
import type { Route } from '../../gate/policy.ts';
import { complainInRule } from '../compile-expressions.ts';
import { didYouMean } from '../did-you-mean.ts';
import { spanIn } from '../model.ts';
import {
  type CheckContext,
  hasAllParts,
  refuse,
  rulesOf,
  type TenantCheck,
  type TenantFacts,
  warn,
} from './tenant-facts.ts';

/** The first route that fits decides: one that an earlier one covers never does, whatever its writer believes. */
export const routesReachable: TenantCheck = (facts, context) => {
  const { tenant, routes } = facts;
  if (tenant.config.routes === undefined || !context.isNew(tenant.config.routes) || !hasAllParts(facts)) return;
  for (const [index, route] of routes.entries()) {
    const cover = routes.findIndex((earlier, at) => at < index && covers(earlier, route));
    if (cover === -1) continue;
    const path = ['routes', index, 'path'];
    const earlierPath = ['routes', cover, 'path'];
    refuse(facts, context, path, {
      message: `is never reached: ${routes[cover]?.path.text} before it takes every such request`,
      hint: 'put the narrower route first',
      related: [{ span: spanIn(context.load, tenant, earlierPath), path: [...tenant.path, ...earlierPath] }],
    });
  }
};

function covers(earlier: Route, later: Route): boolean {
  const { methods } = earlier;
  const methodsCovered = methods === undefined || (later.methods?.isSubsetOf(methods as Set<string>) ?? false);
  return methodsCovered && coversPath(earlier.path, later.path);
}

function coversPath(wide: PathPattern, narrow: PathPattern): boolean {
  if (wide.rest ? narrow.pieces.length < wide.pieces.length : narrow.rest) return false;
  if (!wide.rest && narrow.pieces.length !== wide.pieces.length) return false;
  return wide.pieces.every((piece, index) => {
    const other = narrow.pieces[index];
    return piece.kind !== 'literal' || (other?.kind === 'literal' && other.text === piece.text);
  });
}

/** A route for paths that `match` sends to nobody here. */
export const routesWithinMatch: TenantCheck = (facts, context) => {
  const ofMatch = facts.alternatives.flatMap(({ path }) => path ?? []);
  if (!hasAllParts(facts) || ofMatch.length === 0 || ofMatch.length < facts.alternatives.length) return;
  for (const [index, { path }] of facts.routes.entries()) {
    if (ofMatch.some((taken) => mayMeet(taken, path))) continue;
    const message = "is never reached: the tenant's match takes no such path";
    warn(facts, context, ['routes', index, 'path'], { message });
  }
};

function mayMeet(a: PathPattern, b: PathPattern): boolean {
  const longEnough = (one: PathPattern, other: PathPattern) => one.rest || one.pieces.length >= other.pieces.length;
  if (!longEnough(a, b) || !longEnough(b, a)) return false;
  return a.pieces.every((piece, index) => {
    const other = b.pieces[index];
    return piece.kind !== 'literal' || other?.kind !== 'literal' || piece.text === other.text;
  });
}

/** Where no token is looked at, a condition on it would never be judged, and its writer believe that it was. */
export const publicRoutesCheckNothing: TenantCheck = (facts, context) => {
  if (!hasAllParts(facts)) return;
  for (const [index, route] of (facts.tenant.config.routes ?? []).entries()) {
    if (facts.routes[index]?.access !== 'public') continue;
    for (const name of ['claims', 'bind', 'rule', 'replay', 'basic'] as const) {
      if (route[name] === undefined || route[name] === 'off') continue;
      const message = 'a public route looks at no token: this would never be checked';
      refuse(facts, context, ['routes', index, name], { message, hint: 'access: required' });
    }
  }
};

/** Who is recognised by a user name can't come by another one. */
export const routeUsersRecognised: TenantCheck = (facts, context) => {
  const { match = [], routes = [] } = facts.tenant.config;
  const users = match.map(({ basicUser }) => basicUser);
  if (users.length === 0 || users.includes(undefined)) return;
  for (const [index, { basic }] of routes.entries()) {
    if (basic === undefined || basic === 'off' || users.includes(basic.user)) continue;
    const message = `is never let in: the tenant is recognised by ${users.join(' or ')}`;
    refuse(facts, context, ['routes', index, 'basic', 'user'], {
      message,
      hint: 'recognise it by something else, too',
    });
  }
};

/** A binding to a path variable that no pattern has can never hold; a header made of one would never be sent. */
export const pathVariablesExist: TenantCheck = (facts, context) => {
  if (!hasAllParts(facts)) return;
  const ofMatch = facts.alternatives.flatMap(({ path }) => path?.variables ?? []);
  const ofRoutes = facts.routes.flatMap(({ path }) => path.variables);
  const ofTenant = [...ofMatch, ...ofRoutes];
  checkBinds(facts, context, facts.binds, Object.keys(facts.tenant.config.bind ?? {}), ['bind'], ofTenant);
  for (const [index, route] of facts.routes.entries()) {
    const names = Object.keys(facts.tenant.config.routes?.[index]?.bind ?? {});
    checkBinds(facts, context, route.binds, names, ['routes', index, 'bind'], [...ofMatch, ...route.path.variables]);
  }
  for (const { rule, path } of rulesOf(facts)) {
    const [, index] = path;
    const route = typeof index === 'number' ? facts.routes[index] : undefined;
    const variables = route === undefined ? ofTenant : [...ofMatch, ...route.path.variables];
    for (const asked of rule.pathVariables) {
      if (variables.includes(asked.name)) continue;
      complainInRule(context.load, facts.tenant, path, asked, unknownVariable(asked.name, variables));
    }
  }
  for (const { name, template } of facts.headers) {
    for (const variable of template.pathVariables) {
      if (!ofTenant.includes(variable)) refuse(facts, context, ['headers', name], unknownVariable(variable, ofTenant));
    }
  }
  for (const { at, variables } of facts.sent) {
    const missing = variables.find((variable) => !ofTenant.includes(variable));
    if (missing === undefined) continue;
    const { message, hint } = unknownVariable(missing, ofTenant);
    if (at[0] !== 'upstream' || facts.tenant.config.upstream !== undefined) {
      refuse(facts, context, at, { message, hint });
    } else {
      // The top-level upstream's token has all tenants' members: one may well be another tenant's.
      warn(facts, context, [], { message: `${message}, which upstream.sign reads`, hint });
    }
  }
};

function checkBinds(
  facts: TenantFacts,
  context: CheckContext,
  binds: readonly BindRule[],
  names: readonly string[],
  path: readonly (string | number)[],
  variables: readonly string[],
): void {
  for (const [index, { pathVariables }] of binds.entries()) {
    const missing = pathVariables.find((variable) => !variables.includes(variable));
    if (missing === undefined) continue;
    refuse(facts, context, [...path, names[index] as string], unknownVariable(missing, variables));
  }
}

function unknownVariable(variable: string, variables: readonly string[]) {
  const message = `no path pattern that comes before it has {${variable}}`;
  return {
    message,
    hint: didYouMean(variable, variables) ?? `write {${variable}} in the path of the route or of match`,
  };
}
