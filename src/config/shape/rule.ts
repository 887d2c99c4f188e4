import { words } from './values.ts';

export const rule = words();

export const ruleWords =
  'It speaks of claims, token, request and tenant, e.g. claims.level >= 3 && request.method == "GET"; see docs/rules.md.';
