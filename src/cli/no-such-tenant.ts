import { didYouMean } from '../config/did-you-mean.ts';

/** What to say of a tenant that was asked for and is not there. */
export function noSuchTenant(where: string, asked: string, tenants: Iterable<string>): string {
  const hint = didYouMean(asked, tenants);
  return `${where} has no tenant ${JSON.stringify(asked)}${hint === undefined ? '' : `: ${hint}`}`;
}
