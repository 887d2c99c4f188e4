import { hash } from 'node:crypto';
import type { BasicCredential } from '../gate/basic.ts';
import { type ClaimCheck, mediaType } from '../gate/claims.ts';
import type { Cors } from '../gate/cors.ts';
import type { Route, Tenant, TokenChecks, Upstream } from '../gate/policy.ts';
import type { ErrorFormat } from '../gate/refuse.ts';
import type { Replay } from '../gate/replay.ts';
import type { RevocationList } from '../gate/revocation.ts';
import type { Sending } from '../gate/send.ts';
import type { ImportedKey } from '../keys/imported-key.ts';
import { createKeyRing, type KeyRing, type KeySource, staticKeys } from '../keys/key-ring.ts';
import type { KeySourceLease, KeySources } from '../keys/key-sources.ts';
import type { TenantFacts } from './check/tenant-facts.ts';
import { compileAlgorithms } from './compile-algorithms.ts';
import { compileCorsOf } from './compile-cors.ts';
import { compileErrors } from './compile-errors.ts';
import { createRuleCompiler } from './compile-expressions.ts';
import { type PreparedReplay, prepareReplay, prepareReplayAt, type TenantReplays } from './compile-replay.ts';
import type { PreparedRevoked, RevokedCompiler } from './compile-revoked.ts';
import {
  compileBinds,
  compileClaims,
  compileHeaders,
  compileLocations,
  compileMatch,
  compileRoutes,
} from './compile-rules.ts';
import type { SendingCompiler } from './compile-sending.ts';
import type { UpstreamCompiler } from './compile-upstream.ts';
import { deepFreeze } from './deep-freeze.ts';
import type { Load, TenantSection } from './model.ts';
import { prepareBasic } from './prepare-basic.ts';
import { type PreparedKeys, prepareKeys } from './prepare-keys.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import type { TenantConfig } from './shape/tenant.ts';
import { standInRing } from './stand-in.ts';

/** A source, as readiness sees it. */
export interface AwaitedSource {
  status(): { readonly url: string; readonly readyOnce: boolean };
}

/** A tenant with all of its parts but the keys' sources, which are opened once the whole config has proved sound. */
export interface PreparedTenant extends TenantFacts, TenantReplays<PreparedReplay> {
  readonly algorithms: ReadonlySet<string>;
  /** In place of `keys`, where a config is tested. */
  readonly standIn: KeyRing | undefined;
  readonly claims: readonly ClaimCheck[];
  readonly checks: TokenChecks;
  readonly errors: ErrorFormat;
  readonly basic: BasicCredential | undefined;
  readonly cors: Cors | undefined;
  readonly sending: Sending;
  readonly revoked: PreparedRevoked | undefined;
}

const noKeys: PreparedKeys = { keys: [], remote: [] };

export type TenantCompiler = (tenant: TenantSection) => Promise<PreparedTenant>;

/** Makes a compiler that compiles what tenants share, by templates, once. */
export function createTenantCompiler(
  load: Load,
  files: ReferencedFiles,
  compileUpstream: UpstreamCompiler,
  globalUpstream: Upstream | undefined,
  globalCors: Cors | undefined,
  compileSending: SendingCompiler['compile'],
  prepareRevoked: RevokedCompiler,
  globalReplay: PreparedReplay | undefined,
): TenantCompiler {
  const shared = createSharing();
  const interned = createInterning<TokenChecks>();
  const compileRule = createRuleCompiler(load);

  const corsOf = (tenant: TenantSection): Cors | undefined => {
    const { cors } = tenant.config;
    if (cors === undefined) return globalCors;
    return cors === 'off' ? undefined : shared(cors, 'cors', () => compileCorsOf(tenant, load));
  };

  return async (tenant) => {
    const { config } = tenant;
    const algorithms = compileAlgorithms(tenant, load);
    const inherited = `${config.access} ${config.normalizePath}`;
    const { standInKeys } = load.deps;
    const standIn = standInKeys && standInRing(tenant, algorithms, standInKeys);
    const [keys, basic, { sending, reads }, revoked, ownUpstream, routes] = await Promise.all([
      standIn === undefined ? prepareKeys(tenant, algorithms, load, files) : noKeys,
      prepareBasic(tenant, load, files),
      compileSending(tenant),
      prepareRevoked(tenant),
      config.upstream === undefined ? undefined : compileUpstream(tenant),
      shared(config.routes, inherited, async () =>
        deepFreeze(await compileRoutes(tenant, { compileRule, files, load })),
      ),
    ]);
    return {
      tenant,
      algorithms,
      keys,
      standIn,
      upstream: config.upstream === undefined ? globalUpstream : ownUpstream,
      alternatives: compileMatch(tenant, load),
      locations: shared(config.token, 'token', () => compileLocations(config.token)),
      routes,
      claims: shared(config.claims, 'claims', () => compileClaims(config.claims, tenant, ['claims'], load)),
      binds: shared(config.bind, 'bind', () => compileBinds(config.bind, tenant, ['bind'], load)),
      rules: compileRule(config.rule, tenant, ['rule']),
      headers: shared(config.headers, 'headers', () => compileHeaders(tenant, load)),
      checks: interned(compileChecks(config)),
      errors: shared(config.errors, 'errors', () => compileErrors(tenant, load)),
      basic,
      sending,
      sent: reads,
      revoked,
      replay: config.replay === undefined ? globalReplay : prepareReplay(tenant, load),
      routeReplays: shared(config.routes, 'replays', () => prepareRouteReplays(tenant, load)),
      cors: corsOf(tenant),
    };
  };
}

function prepareRouteReplays(tenant: TenantSection, load: Load): PreparedTenant['routeReplays'] {
  return (tenant.config.routes ?? []).map(({ replay }, index) =>
    replay === 'off' ? 'off' : prepareReplayAt(tenant, ['routes', index, 'replay'], replay, load),
  );
}

/** What `make` gives for this part of a config, made once for each `as`. */
type Sharing = <T>(part: object | undefined, as: string, make: () => T) => T;

function createSharing(): Sharing {
  const made = new Map<string, Map<object, unknown>>();
  const nothing = {};
  return <T>(part: object | undefined, as: string, make: () => T): T => {
    // Only headers have a default of each tenant's own.
    if (part === undefined && as === 'headers') return make();
    const key = part ?? nothing;
    let byPart = made.get(as);
    if (byPart === undefined) {
      byPart = new Map();
      made.set(as, byPart);
    }
    if (!byPart.has(key)) byPart.set(key, deepFreeze(make()));
    return byPart.get(key) as T;
  };
}

/** Equal values become one object. */
function createInterning<T>(): (value: T) => T {
  const known = new Map<string, T>();
  return (value) => {
    const key = JSON.stringify(value);
    let first = known.get(key);
    if (first === undefined) {
      first = deepFreeze(value);
      known.set(key, first);
    }
    return first;
  };
}

function compileChecks(config: TenantConfig): TokenChecks {
  const { requireExp, clockSkew, maxAge, subject, audience, type } = config;
  return {
    requireExp,
    clockSkewS: clockSkew / 1000,
    maxAgeS: maxAge === undefined ? undefined : maxAge / 1000,
    issuers: acceptedIssuers(config),
    subjects: subject,
    audiences: audience?.length === 1 && audience[0] === 'any' ? undefined : audience,
    types: type?.map(mediaType),
  };
}

/** Where keys come by discovery alone, the issuer that was discovered is the one that tokens must name. */
function acceptedIssuers({ issuer, discovery, secret, keys, jwks }: TenantConfig): readonly string[] | undefined {
  if (issuer !== undefined || discovery === undefined) return issuer;
  return secret === undefined && keys === undefined && jwks === undefined ? [discovery.url] : undefined;
}

/** Routes that many tenants share stay shared, unless what they remember is each tenant's own. */
function withReplays(routes: readonly Route[], replays: TenantReplays<Replay>['routeReplays']): readonly Route[] {
  if (replays.every((replay) => replay === undefined)) return routes;
  return routes.map((route, index) => ({ ...route, replay: replays[index] }));
}

/** What a config holds of the sources that outlive it. */
export interface HeldSources {
  readonly leases: { release(): void }[];
  /** Those that readiness waits for. */
  readonly required: AwaitedSource[];
  /** By tenant. */
  readonly remoteKeys: Map<string, readonly KeySourceLease[]>;
}

/** Opens a prepared tenant's key sources and makes it what the gate serves. Each lease taken is put into `into`. */
export function openTenant(
  prepared: PreparedTenant & Pick<Tenant, 'mode' | 'elsewhere'>,
  upstream: Upstream,
  sources: Pick<KeySources, 'acquire'> | undefined,
  revocations: readonly RevocationList[],
  { replay, routeReplays }: TenantReplays<Replay>,
  into: HeldSources,
): Tenant {
  const { tenant, algorithms, keys, locations, checks, routes, claims, binds, rules, headers, errors } = prepared;
  const { config, id } = tenant;
  const { access, payloadHeader, forwardToken, normalizePath } = config;
  const held: KeySourceLease[] = [];
  for (const { address, policy, required } of keys.remote) {
    if (sources === undefined) break;
    const lease = sources.acquire(address, policy);
    held.push(lease);
    if (required) into.required.push({ status: lease.status });
  }
  into.leases.push(...held);
  if (held.length > 0) into.remoteKeys.set(id, held);
  const keySources: KeySource[] = held.map(({ source }) => source);
  if (keys.keys.length > 0) keySources.unshift(staticKeys(keys.keys));
  const kid = config.kid ?? 'auto';
  const identities = [...keys.keys.map(identityOf), ...held.map((lease) => lease.id)];
  return deepFreeze({
    id,
    fingerprint: hash('sha256', JSON.stringify([id, kid, [...algorithms].sort(), ...identities])),
    mode: prepared.mode,
    upstream,
    match: prepared.alternatives,
    locations,
    elsewhere: prepared.elsewhere,
    algorithms,
    keys: prepared.standIn ?? createKeyRing(keySources, { algorithms, kid }),
    checks,
    routes: withReplays(routes, routeReplays),
    access,
    claims,
    binds,
    rules,
    identityHeaders: headers,
    payloadHeader,
    forwardToken,
    normalizePath,
    errors,
    basic: prepared.basic,
    tellsWay: [prepared, ...routes].some(({ basic }) => basic !== undefined && basic !== 'off'),
    cors: prepared.cors,
    sending: prepared.sending,
    revocations,
    replay,
    closeAtExpiry: config.closeAtExpiry,
  });
}

/** Thumbprints of secrets are salted with bytes that never leave this process: no fingerprint can be tried against. */
function identityOf({ kid, algorithms, thumbprint }: ImportedKey): string {
  return JSON.stringify([kid ?? null, thumbprint, ...algorithms]);
}
