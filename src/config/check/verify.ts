import type { Tenant } from '../../gate/policy.ts';
import { complainIn, type Load, type Section } from '../model.ts';
import type { GlobalConfig } from '../shape/config.ts';
import type { TenantFacts } from './tenant-facts.ts';

type VerifiedTenant = TenantFacts & Pick<Tenant, 'cors'>;

/** What a tenant may ask for that a front, which forwards by itself, can't do. */
const limits: readonly { readonly concerns: (tenant: VerifiedTenant) => boolean; readonly does: string }[] = [
  {
    concerns: ({ binds, routes }) =>
      [...binds, ...routes.flatMap((route) => route.binds)].some((bind) => bind.readsBody),
    does: 'bind to the body, which a front does not hand on: /verify refuses what their tokens ask for',
  },
  {
    concerns: ({ tenant, locations }) =>
      tenant.config.forwardToken !== 'keep' && locations.some(({ kind }) => kind === 'query'),
    does: 'take tokens from the query, where a front leaves them: /verify refuses those requests without forwardToken: keep',
  },
  {
    concerns: ({ cors }) => cors?.preflight === 'answer',
    does: 'answer preflights, which a front cannot do for us: /verify refuses them without cors.preflight: pass',
  },
];

/** With `verify`, one warning for each thing that some tenants can have from the proxy alone. */
export async function checkVerify(
  globals: Section<GlobalConfig>,
  all: readonly VerifiedTenant[],
  load: Load,
): Promise<void> {
  if (globals.config.verify === undefined) return;
  for (const { concerns, does } of limits) {
    const ids: string[] = [];
    for (const facts of all) {
      await load.pause();
      if (concerns(facts)) ids.push(facts.tenant.id);
    }
    if (ids.length === 0) continue;
    const named = ids.slice(0, 5).join(', ') + (ids.length > 5 ? ` and ${ids.length - 5} more` : '');
    complainIn(load, globals, ['verify'], { message: `tenants that ${does} (${named})` }, 'warning', 'key');
  }
}
