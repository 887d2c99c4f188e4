import { isSymmetric } from '../keys/algorithms.ts';
import type { FetchPolicy } from '../keys/fetch-policy.ts';
import { importJwk } from '../keys/import-jwk.ts';
import { importKeySet } from '../keys/import-key-set.ts';
import { importPem } from '../keys/import-pem.ts';
import type { ImportedKey } from '../keys/imported-key.ts';
import { isKeyProblem, type KeyProblem, keyProblem } from '../keys/key-problem.ts';
import { parseProviderUrl } from '../keys/provider-url.ts';
import type { SetAddress } from '../keys/set-fetcher.ts';
import type { ConfigPath } from './config-path.ts';
import { complainIn, type Load, type TenantSection } from './model.ts';
import { checkCertificates, readPem } from './pem-source.ts';
import { isPlainObject } from './places.ts';
import { prepareSecrets } from './prepare-secrets.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import type { DiscoveryConfig, JwksConfig } from './shape/jwks.ts';
import type { KeyConfig } from './shape/keys.ts';

/** A key that was imported, and the place that named it. */
export interface PlacedKey {
  readonly key: ImportedKey;
  readonly path: ConfigPath;
}

/** What a tenant's keys come from; nothing is fetched before the whole config has proved sound. */
export interface PreparedKeys {
  readonly keys: readonly ImportedKey[];
  readonly remote: readonly RemoteSet[];
}

export interface RemoteSet {
  readonly address: SetAddress;
  readonly policy: FetchPolicy;
  /** Readiness waits for it. */
  readonly required: boolean;
}

/** Reads and imports a tenant's keys for its algorithms; whatever can't be used is a problem. */
export async function prepareKeys(
  tenant: TenantSection,
  algorithms: ReadonlySet<string>,
  load: Load,
  files: ReferencedFiles,
): Promise<PreparedKeys> {
  const { config } = tenant;
  const placed: PlacedKey[] = [];
  if (config.secret !== undefined) placed.push(...(await prepareSecrets(tenant, algorithms, load, files)));
  if (config.keys !== undefined) placed.push(...(await preparePublicKeys(tenant, algorithms, load, files)));
  if (config.jwks !== undefined && config.jwks.url === undefined) {
    placed.push(...(await prepareSet(tenant, config.jwks, algorithms, load, files)));
  }
  const remote = await prepareRemote(tenant, load, files);
  const named = nameByTenant(tenant, placed);
  checkReachable(tenant, named, remote.length > 0, load);
  if (remote.length === 0) checkServed(tenant, algorithms, named, load);
  return { keys: named.map(({ key }) => key), remote };
}

async function preparePublicKeys(
  tenant: TenantSection,
  algorithms: ReadonlySet<string>,
  load: Load,
  files: ReferencedFiles,
): Promise<PlacedKey[]> {
  const placed: PlacedKey[] = [];
  const isList = Array.isArray(tenant.raw.keys);
  for (const [index, config] of (tenant.config.keys ?? []).entries()) {
    const path: ConfigPath = isList ? ['keys', index] : ['keys'];
    const key = await importKey(config, path, tenant, algorithms, files);
    if (key === undefined) continue;
    if (isKeyProblem(key)) complainIn(load, tenant, path, { message: key.detail });
    else placed.push({ key, path });
  }
  return placed;
}

/** Undefined where its file could not be read, which was said. */
async function importKey(
  key: KeyConfig,
  path: ConfigPath,
  tenant: TenantSection,
  algorithms: ReadonlySet<string>,
  files: ReferencedFiles,
): Promise<ImportedKey | KeyProblem | undefined> {
  const { kid, alg } = key;
  const secretOptions = { allowSecret: true, allowWeakSecret: tenant.config.allowWeakSecret };
  if (key.kind === 'jwk') return importJwk(key.jwk.reveal(), secretOptions, algorithms);
  if (key.kind === 'pem') return importPem(key.pem.reveal(), { kid, alg }, algorithms);
  const text = await files.readText(tenant, [...path, 'file'], key.file);
  if (text === undefined) return undefined;
  if (!text.trimStart().startsWith('{')) return importPem(text, { kid, alg }, algorithms);
  const jwk = parseJson(text);
  return jwk === undefined
    ? keyProblem('malformed', 'the file is neither PEM nor JSON')
    : importJwk(jwk, { kid, alg, ...secretOptions }, algorithms);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An inline set or one from a file. An odd key in it is skipped, as in a set that is fetched, but with a warning. */
async function prepareSet(
  tenant: TenantSection,
  jwks: JwksConfig,
  algorithms: ReadonlySet<string>,
  load: Load,
  files: ReferencedFiles,
): Promise<PlacedKey[]> {
  const path: ConfigPath = jwks.file === undefined ? ['jwks', 'keys'] : ['jwks', 'file'];
  const text = jwks.file === undefined ? undefined : await files.readText(tenant, path, jwks.file);
  if (jwks.file !== undefined && text === undefined) return [];
  const value = text === undefined ? { keys: jwks.keys?.map((jwk) => jwk.reveal()) } : parseJson(text);
  const options = { allowSecret: true, allowWeakSecret: tenant.config.allowWeakSecret };
  const set = await importKeySet(value, options, algorithms);
  if (isKeyProblem(set)) {
    complainIn(load, tenant, path, { message: set.detail });
    return [];
  }
  for (const { index, kid, detail } of set.skipped) {
    const name = kid === undefined ? `key ${index + 1} of the set` : `the key ${kid}`;
    const place = jwks.file === undefined ? [...path, index] : path;
    complainIn(load, tenant, place, { message: `${name} is not used: ${detail}` }, 'warning');
  }
  if (set.keys.length === 0) complainIn(load, tenant, path, { message: 'the set has no key that can be used' });
  return set.keys.map((key) => ({ key, path }));
}

async function prepareRemote(tenant: TenantSection, load: Load, files: ReferencedFiles): Promise<RemoteSet[]> {
  const remote: RemoteSet[] = [];
  for (const kind of ['jwks', 'discovery'] as const) {
    const options = tenant.config[kind];
    if (options?.url === undefined) continue;
    const path = isPlainObject(tenant.raw[kind]) ? [kind, 'url'] : [kind];
    const url = parseProviderUrl(options.url, options.insecure ?? false);
    if ('problem' in url) complainIn(load, tenant, path, { message: url.problem });
    const ca = options.ca === undefined ? undefined : await readPem(tenant, [kind, 'ca'], options.ca, files);
    if (ca !== undefined) checkCertificates(tenant, [kind, 'ca'], ca, load);
    remote.push({ address: { kind, url: options.url }, policy: fetchPolicy(options, ca), required: options.required });
  }
  return remote;
}

function fetchPolicy(options: JwksConfig | DiscoveryConfig, ca: string | undefined): FetchPolicy {
  const { refresh, timeout, maxStale, cooldown, headers = {}, insecure = false } = options;
  return {
    refreshMs: refresh,
    timeoutMs: timeout,
    maxStaleMs: maxStale,
    cooldownMs: cooldown,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()])),
    ca,
    insecure,
  };
}

/**
 * Where a tenant is recognised by `kid` alone, the kid names the tenant, and with it the key that has no name of its
 * own: its tokens could otherwise never find it.
 */
function nameByTenant({ config }: TenantSection, placed: readonly PlacedKey[]): readonly PlacedKey[] {
  const kids = config.match?.map(({ kid }) => kid) ?? [];
  if (kids.length === 0 || kids.includes(undefined)) return placed;
  return placed.flatMap(({ key, path }) => {
    if (key.kid !== undefined) return [{ key, path }];
    return [...new Set(kids)].map((kid) => ({ key: { ...key, kid }, path }));
  });
}

/** A key without a kid is only ever chosen where it is the only one that fits. */
function checkReachable(tenant: TenantSection, placed: readonly PlacedKey[], withRemote: boolean, load: Load): void {
  const mode = tenant.config.kid;
  if (mode === 'optional') return;
  for (const { key, path } of placed) {
    if (key.kid !== undefined) continue;
    const rivals = placed.filter(({ key: other }) => other !== key && !other.algorithms.isDisjointFrom(key.algorithms));
    if (mode === 'required') {
      const hint = 'give it a kid';
      complainIn(load, tenant, path, { message: 'has no kid, and kid: required never chooses such a key', hint });
    } else if (rivals.length > 0) {
      const message = 'has no kid and is not the only key that fits: no token could choose it';
      complainIn(load, tenant, path, { message, hint: 'give each key a kid, or set kid: optional' });
    } else if (withRemote && ![...key.algorithms].every(isSymmetric)) {
      const message = 'has no kid: chosen only while the fetched set has no key that fits as well';
      complainIn(load, tenant, path, { message, hint: 'give it a kid, or set kid: optional' }, 'warning');
    }
  }
}

function checkServed(
  tenant: TenantSection,
  algorithms: ReadonlySet<string>,
  placed: readonly PlacedKey[],
  load: Load,
): void {
  if (placed.length === 0) return;
  const idle = [...algorithms].filter((name) => !placed.some(({ key }) => key.algorithms.has(name)));
  if (idle.length === 0) return;
  complainIn(load, tenant, ['algorithms'], { message: `no key of the tenant goes with ${idle.join(', ')}` }, 'warning');
}
