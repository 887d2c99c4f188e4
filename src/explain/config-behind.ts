import type { ConfigPath } from '../config/config-path.ts';
import type { Seen, Step } from '../gate/rehearsal.ts';
import type { Facts } from './facts.ts';

/**
 * Where the config says what a step holds a request to: paths from its root, of which the first that it has counts; one
 * that it has not is a default. The compiled policy keeps the config's order, so that a position leads back to a key.
 */
export function configBehind(step: Step, facts: Facts, seen: Seen, failed: boolean): readonly ConfigPath[] {
  const { tenant } = facts;
  if (step === 'tenant' && (tenant === undefined || failed)) return [['tenants']];
  if (tenant === undefined) return [];
  const own = (...path: ConfigPath): ConfigPath => ['tenants', tenant.id, ...path];
  return paths[step]?.({ facts, seen, failed, own }) ?? [];
}

interface Asked {
  readonly facts: Facts;
  readonly seen: Seen;
  readonly failed: boolean;
  /** A path below the tenant. */
  readonly own: (...path: ConfigPath) => ConfigPath;
}

type PathsOf = (asked: Asked) => readonly ConfigPath[];

const paths: Readonly<Partial<Record<Step, PathsOf>>> = {
  tenant: ({ own }) => [own('match'), own()],
  route: ({ facts, own }) => (facts.routeIndex === undefined ? [own('access')] : [own('routes', facts.routeIndex)]),
  preflight: ({ facts, own }) => [...ofRoute('cors', facts, own), own('cors'), ['cors']],
  path: ({ facts, own }) => [...ofRoute('normalizePath', facts, own), own('normalizePath')],
  token: ({ own }) => [own('token')],
  basic: ({ facts, own }) => [...ofRoute('basic', facts, own), own('basic')],
  shape: ({ failed }) => (failed ? [['limits', 'tokenBytes']] : []),
  algorithm: ({ own }) => [own('algorithms')],
  expiry: ({ own }) => [own('clockSkew')],
  key: keyPaths,
  signature: keyPaths,
  time: timePaths,
  type: ({ own }) => [own('type')],
  issuer: ({ own }) => [own('issuer'), own('discovery')],
  subject: ({ own }) => [own('subject')],
  audience: ({ own }) => [own('audience')],
  match: ({ own }) => [own('match')],
  claim: ({ facts: { case: this_, tenant, routeIndex }, seen, own }) =>
    rulePath('claims', this_?.claimChecks.indexOf(seen.check as never), tenant?.claims.length, routeIndex, own),
  bind: ({ facts: { case: this_, tenant, routeIndex }, seen, own }) =>
    rulePath('bind', this_?.binds.indexOf(seen.bind as never), tenant?.binds.length, routeIndex, own),
  rule: ({ facts: { tenant, routeIndex }, seen, own }) => {
    if (routeIndex === undefined || tenant?.rules.includes(seen.rule as never)) return [own('rule')];
    return [own('routes', routeIndex, 'rule')];
  },
  revocation: ({ own }) => [own('revoked'), ['revoked']],
  body: () => [['limits', 'bodyBytes']],
  headers: ({ own }) => [own('headers')],
  replay: ({ facts, own }) => [...ofRoute('replay', facts, own), own('replay'), ['replay']],
  rate: ({ own }) => [own('upstream', 'rate'), ['upstream', 'rate']],
  provision: ({ own }) => [own('provision')],
  sign: ({ own }) => [own('sign'), own('upstream', 'sign'), ['upstream', 'sign']],
};

function ofRoute(name: string, { routeIndex }: Facts, own: Asked['own']): readonly ConfigPath[] {
  return routeIndex === undefined ? [] : [own('routes', routeIndex, name)];
}

function keyPaths({ facts, own }: Asked): readonly ConfigPath[] {
  const kinds = facts.keySources().length > 0 ? ['jwks', 'discovery', 'keys', 'secret'] : ['secret', 'keys', 'jwks'];
  return kinds.map((kind) => own(kind));
}

function timePaths({ facts, failed, own }: Asked): readonly ConfigPath[] {
  const { exp } = facts.unverifiedClaims;
  if (failed && exp === undefined) return [own('requireExp')];
  if (facts.tenant?.checks.maxAgeS !== undefined) return [own('maxAge'), own('clockSkew')];
  return exp === undefined ? [own('requireExp')] : [own('clockSkew')];
}

/** A tenant's rules come first, then its route's. */
function rulePath(
  name: 'claims' | 'bind',
  index: number | undefined,
  ofTenant: number | undefined,
  routeIndex: number | undefined,
  own: Asked['own'],
): readonly ConfigPath[] {
  if (index === undefined || index === -1 || ofTenant === undefined) return [];
  if (index < ofTenant) return [own(name, index)];
  return routeIndex === undefined ? [] : [own('routes', routeIndex, name, index - ofTenant)];
}
