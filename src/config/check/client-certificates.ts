import type { BindRule } from '../../gate/bind.ts';
import type { ConfigPath } from '../config-path.ts';
import { type CheckContext, hasAllParts, refuse, rulesOf, type TenantCheck, type TenantFacts } from './tenant-facts.ts';

/** Where no client is asked for a certificate, nothing can be read of one: a binding never holds, a header is never sent. */
export const clientCertificatesThere: TenantCheck = (facts, context) => {
  if (context.clientsVerified || !hasAllParts(facts)) return;
  const { tenant, alternatives, binds, routes, headers } = facts;
  const isList = Array.isArray(tenant.raw.match);
  for (const [index, { client }] of alternatives.entries()) {
    if (client !== undefined) say(facts, context, isList ? ['match', index, 'client'] : ['match', 'client']);
  }
  checkBinds(facts, context, binds, tenant.config.bind, []);
  for (const [index, route] of routes.entries()) {
    checkBinds(facts, context, route.binds, tenant.config.routes?.[index]?.bind, ['routes', index]);
  }
  for (const { rule, path } of rulesOf(facts)) {
    if (rule.readsClient) say(facts, context, path);
  }
  for (const { name, template } of headers) {
    if (template.readsClient) say(facts, context, ['headers', name]);
  }
};

function checkBinds(
  facts: TenantFacts,
  context: CheckContext,
  binds: readonly BindRule[],
  config: object | undefined,
  path: ConfigPath,
): void {
  const names = Object.keys(config ?? {});
  for (const [index, { readsClient }] of binds.entries()) {
    if (readsClient) say(facts, context, [...path, 'bind', names[index] as string]);
  }
}

function say(facts: TenantFacts, context: CheckContext, path: ConfigPath): void {
  const message = "reads the client's certificate, and clients are not asked for one";
  refuse(facts, context, path, { message, hint: 'name the CAs that certify them: listen.tls.clientCa' });
}
