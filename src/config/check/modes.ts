import { refuse, type TenantCheck } from './tenant-facts.ts';

/** Beside `mode: report` for all, a tenant can't be kept safe: whoever is of no tenant passes, and anyone can be. */
export const modesAgree: TenantCheck = (facts, context) => {
  if (!context.reportsAll || facts.tenant.config.mode !== 'enforce') return;
  refuse(facts, context, ['mode'], {
    message: 'enforces nothing beside the top-level mode: report',
    hint: 'take away the top-level mode, and give mode: report to the tenants that are not ready',
  });
};
