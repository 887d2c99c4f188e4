import type { ConfigPath } from './config-path.ts';

/**
 * Keys of the config's plan that this version does not know how to obey. Using one is an error of its own: accepting it
 * silently would leave out the very check it asks for. `*` is any id; list indexes are left out, and templates are as tenants.
 */
const plannedKeys: ReadonlySet<string> = new Set(['workers']);

export const notYetText = 'is not in this version yet';

/** Is this a key that a later version will have? */
export function isPlanned(path: ConfigPath): boolean {
  const names = path.filter((part) => typeof part === 'string');
  if ((names[0] === 'tenants' || names[0] === 'templates') && names.length > 1) names.splice(0, 2, 'tenants', '*');
  return plannedKeys.has(names.join('.'));
}
