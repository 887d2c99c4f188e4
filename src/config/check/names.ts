import { foldName } from '../../gate/field-name.ts';
import { locationName } from '../../gate/locate.ts';
import { findNearest } from '../did-you-mean.ts';
import { isPlainObject } from '../places.ts';
import { refuse, type TenantCheck, warn } from './tenant-facts.ts';

/** Two spellings of one name are one header to many upstreams (X-User and X_User): which would they believe? */
export const headerNamesDiffer: TenantCheck = (facts, context) => {
  const { headers, payloadHeader } = facts.tenant.config;
  const seen = new Map<string, string>();
  for (const name of Object.keys(headers ?? {})) {
    const before = seen.get(foldName(name));
    if (before !== undefined) {
      refuse(facts, context, ['headers', name], { message: `is the same header as ${before} to many upstreams` });
    }
    seen.set(foldName(name), name);
  }
  if (payloadHeader !== undefined && seen.has(foldName(payloadHeader))) {
    refuse(facts, context, ['payloadHeader'], { message: `is a header that headers writes, too` });
  }
};

export const locationsSound: TenantCheck = (facts, context) => {
  const { token } = facts.tenant.config;
  if (token === undefined || !context.isNew(token)) return;
  const isList = Array.isArray(facts.tenant.raw.token);
  const seen = new Set<string>();
  for (const [index, location] of facts.locations.entries()) {
    const path = isList ? ['token', index] : ['token'];
    const name = locationName(location);
    if (seen.has(name)) refuse(facts, context, path, { message: 'stands twice in the list' });
    seen.add(name);
    if (location.kind !== 'header') continue;
    if (location.name === 'cookie') {
      refuse(facts, context, path, { message: 'a cookie is named by {cookie: NAME}, not as a header' });
    } else if (location.name === 'authorization' && location.scheme === undefined) {
      const message = 'without a scheme, Authorization must hold the bare token and nothing before it';
      warn(facts, context, path, { message, hint: 'most clients send scheme: Bearer' });
    }
  }
};

const keywords = ['required', 'absent'];

/** `id: requird` is a comparison with the word "requird", which nobody means. */
export const conditionsMeant: TenantCheck = (facts, context) => {
  const { claims, routes } = facts.tenant.config;
  const sections = [
    { claims, path: ['claims'] },
    ...(routes ?? []).map((route, index) => ({ claims: route.claims, path: ['routes', index, 'claims'] })),
  ];
  for (const section of sections) {
    if (section.claims === undefined || !isPlainObject(section.claims) || !context.isNew(section.claims)) continue;
    for (const [name, condition] of Object.entries(section.claims)) {
      if (typeof condition !== 'string' || keywords.includes(condition)) continue;
      const nearest = findNearest(condition, keywords, 1);
      if (nearest === undefined) continue;
      const message = `compares the claim with the text "${condition}"`;
      const hint = `did you mean "${nearest}"? If not, write {equals: ${condition}}`;
      warn(facts, context, [...section.path, name], { message, hint });
    }
  }
};
