import { hash } from 'node:crypto';
import { framesMessage } from '../gate/identity-headers.ts';
import { createProvisioning, type ProvisionDeps } from '../gate/provision.ts';
import type { Signing } from '../gate/send.ts';
import { type Sending, sendAsIs } from '../gate/send.ts';
import type { JsonObject } from '../gate/token.ts';
import { isKeyProblem } from '../keys/key-problem.ts';
import { call } from '../outbound/call.ts';
import { compileSigner, type Signer } from '../sign/compile-signer.ts';
import { createGrant, findReservedParams, type Grant, parseTokenEndpoint } from '../sign/grant.ts';
import { compileJsonTemplate } from '../sign/json-template.ts';
import { defaultInto, type Into, signingOf } from '../sign/signing.ts';
import { importSigningKey } from '../sign/signing-key.ts';
import { createSigningKeys, type SigningKeys, type SigningSlot } from '../sign/signing-keys.ts';
import { createTokenCache, type TokenCache } from '../sign/token-cache.ts';
import { createKeptAcrossReloads, type KeptAcrossReloads } from '../state/kept-across-reloads.ts';
import { createProvisions, type Provisions } from '../state/provisions.ts';
import { parseRate, type RateLimit } from '../state/rate-limit.ts';
import { createRateLimits, type RateLimits } from '../state/rate-limits.ts';
import { compileTemplate, type Template } from '../template/template.ts';
import type { ConfigPath } from './config-path.ts';
import type { Environment } from './interpolate.ts';
import { complainIn, type Load, type Section, type TenantSection } from './model.ts';
import { isPlainObject, type Plain } from './places.ts';
import { decodeEntry, readSecret, type SecretEntry } from './prepare-secrets.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import { Secret } from './secret.ts';
import type { GlobalConfig } from './shape/config.ts';
import type { SecretConfig } from './shape/secret.ts';
import type { GrantConfig, ProvisionConfig, RateConfig, SignConfig } from './shape/sign.ts';
import type { UpstreamConfig } from './shape/upstream.ts';

/** What signing and provisioning keep across configs. */
export interface SendingState {
  readonly signingKeys: SigningKeys;
  readonly tokens: TokenCache;
  readonly provisions: Provisions;
  readonly rateLimits: RateLimits;
  readonly grants: Pick<KeptAcrossReloads<Grant>, 'acquire'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly env: Environment;
}

/** As at the start of a process: nothing signed, nobody provisioned. */
export function newSendingState(env: Environment): SendingState {
  return {
    signingKeys: createSigningKeys(),
    tokens: createTokenCache(),
    provisions: createProvisions({ entries: 100_000, concurrent: 1000, concurrentOfGroup: 100 }),
    rateLimits: createRateLimits(),
    grants: createKeptAcrossReloads((grant) => grant.close()),
    now: Date.now,
    random: Math.random,
    env,
  };
}

/** One place of the config that signs, and a tenant to sign for; undefined: whoever the top-level upstream serves. */
export interface PlacedSigning {
  readonly place: string;
  readonly tenant: string | undefined;
  readonly signing: Signing;
}

export interface CompiledSending {
  readonly sending: Sending;
  /** `path.NAME` variables that it reads, each place with its own. */
  readonly reads: readonly { readonly at: ConfigPath; readonly variables: readonly string[] }[];
}

export interface SendingCompiler {
  /** What a tenant asks for between the verdict and the upstream: `sign`, `rate` and `provision`, its own or inherited. */
  compile(tenant: TenantSection): Promise<CompiledSending>;
  /** Every place of the config that signs, once all tenants are compiled. */
  readonly slots: readonly SigningSlot[];
  /** The same, with what they issue. */
  readonly signings: readonly PlacedSigning[];
  /** Header names that tokens of ours are written to. */
  readonly headerNames: ReadonlySet<string>;
  /** To be released with the policy. */
  readonly leases: readonly { release(): void }[];
}

type AnySection = Section<unknown>;

/*
 * Made out here: a function made inside the compiler would keep all that the compiler sees, down to the texts of the
 * config, for as long as the policy lives.
 */
const abortingLease = (closing: AbortController) => ({ release: () => closing.abort() });
const provisioningCall =
  (env: SendingState['env'], signal: AbortSignal): ProvisionDeps['call'] =>
  (request) =>
    call({ ...request, maxBytes: mostAnswerBytes, ca: undefined, env, signal });

/** Compiles what several tenants share, by a template or the top-level upstream, once. */
export function createSendingCompiler(
  globals: Section<GlobalConfig>,
  load: Load,
  files: ReferencedFiles,
  state: SendingState,
): SendingCompiler {
  const slots: SigningSlot[] = [];
  const signings: PlacedSigning[] = [];
  const headerNames = new Set<string>();
  const leases: { release(): void }[] = [];
  const made = new Map<object, Promise<unknown>>();
  const variablesOf = new Map<object, readonly string[]>();
  const closing = new AbortController();
  leases.push(abortingLease(closing));

  /** Made once for each part of a config, whoever has it. */
  function once<T>(part: object, make: () => Promise<T>): Promise<T> {
    let promise = made.get(part) as Promise<T> | undefined;
    if (promise === undefined) {
      promise = make();
      made.set(part, promise);
    }
    return promise;
  }

  async function compileSigning(section: AnySection, at: ConfigPath, config: SignConfig): Promise<Signing | undefined> {
    const signer = await compileOneSigner(section, at, config);
    if (signer === undefined) return undefined;
    slots.push(signer);
    variablesOf.set(config, signer.pathVariables);
    const into = intoOf(config);
    if ('header' in into && framesMessage(into.header)) {
      const message = `${into.header} frames the message: choose another header`;
      complainIn(load, section, [...at, 'into', 'header'], { message });
      return undefined;
    }
    if ('header' in into) headerNames.add(into.header);
    const grant = config.grant && compileGrant(section, [...at, 'grant'], config.grant, signer);
    if (config.grant !== undefined && grant === undefined) return undefined;
    const signing = signingOf(signer, into, grant);
    signings.push({ place: signer.slot, tenant: 'id' in section ? String(section.id) : undefined, signing });
    return signing;
  }

  function compileGrant(section: AnySection, at: ConfigPath, config: GrantConfig, signer: Signer): Grant | undefined {
    const tokenEndpoint = parseTokenEndpoint(config.tokenEndpoint, config.insecure);
    const params = Object.fromEntries(
      Object.entries(config.params ?? {}).map(([name, value]) => [name, value.reveal()]),
    );
    for (const name of findReservedParams(params)) {
      complainIn(load, section, [...at, 'params', name], { message: 'is set by the grant itself' }, 'error', 'key');
    }
    if ('problem' in tokenEndpoint) {
      complainIn(load, section, [...at, 'tokenEndpoint'], { message: tokenEndpoint.problem });
      return undefined;
    }
    const { scope, timeout } = config;
    const { now, random, env } = state;
    const alike = [signer.slot, signer.fingerprint, signer.key.id, tokenEndpoint.href, scope ?? null, params, timeout];
    // A digest: params may be secrets.
    const lease = state.grants.acquire(hash('sha256', JSON.stringify(alike)), () =>
      createGrant({ tokenEndpoint, signer, scope, params, timeoutMs: timeout }, { now, random, env }),
    );
    leases.push(lease);
    return lease.value;
  }

  async function compileOneSigner(
    section: AnySection,
    at: ConfigPath,
    config: SignConfig,
  ): Promise<Signer | undefined> {
    const { algorithm, secret, privateKey, kid, allowWeakSecret } = config;
    const secretBytes = secret && (await readBytes(section, [...at, 'secret'], secret));
    const pem = privateKey && (await readText(section, [...at, 'privateKey'], asSecret(privateKey)));
    if ((secret !== undefined && secretBytes === undefined) || (privateKey !== undefined && pem === undefined))
      return undefined;
    const key = await importSigningKey({ algorithm, secret: secretBytes, privateKey: pem, kid, allowWeakSecret });
    if (isKeyProblem(key)) {
      complainIn(load, section, at, { message: key.detail }, 'error', 'key');
      return undefined;
    }
    const slot = [...section.path, ...at].join('.');
    const signer = compileSigner(
      {
        slot,
        key,
        publishBeforeMs: config.publishBefore,
        header: config.header as JsonObject,
        payload: config.payload as JsonObject,
        lifetimeMs: config.lifetime,
      },
      { keys: state.signingKeys, tokens: state.tokens },
    );
    if (!('problems' in signer)) return signer;
    for (const { path, problem } of signer.problems) {
      complainIn(load, section, [...at, ...path.split('.')], { message: problem });
    }
    return undefined;
  }

  function readText(section: AnySection, path: ConfigPath, secret: SecretConfig): Promise<string | undefined> {
    return readSecret(entryOf(section, path, secret), files);
  }

  async function readBytes(
    section: AnySection,
    path: ConfigPath,
    secret: SecretConfig,
  ): Promise<Uint8Array | undefined> {
    const entry = entryOf(section, path, secret);
    const text = await readSecret(entry, files);
    return text === undefined ? undefined : decodeEntry(entry, text);
  }

  function entryOf(section: AnySection, path: ConfigPath, secret: SecretConfig): SecretEntry {
    return { tenant: section, secret, raw: rawAt(section, path), path, load };
  }

  async function compileProvisioning(tenant: TenantSection, config: ProvisionConfig) {
    const at = ['provision'];
    const url = parseTokenEndpoint(config.url, config.insecure);
    const subject = compileText(tenant, [...at, 'subject'], config.subject);
    const headers = Object.entries(config.headers ?? {}).flatMap(([name, text]) => {
      if (framesMessage(name)) {
        const message = `${name} frames the message: choose another header`;
        complainIn(load, tenant, [...at, 'headers', name], { message }, 'error', 'key');
      }
      const template = compileText(tenant, [...at, 'headers', name], text);
      return template === undefined ? [] : [{ name, template }];
    });
    const body = compileJsonTemplate((config.body ?? { tenant: '${tenant}', subject: config.subject }) as JsonObject);
    const signing = config.sign && (await compileSigning(tenant, [...at, 'sign'], config.sign));
    if ('problem' in url) {
      complainIn(load, tenant, [...at, 'url'], { message: url.problem });
      return undefined;
    }
    if ('problems' in body) {
      for (const { path, problem } of body.problems) {
        complainIn(load, tenant, [...at, 'body', ...path.split('.')], { message: problem });
      }
      return undefined;
    }
    if (subject === undefined || (config.sign !== undefined && signing === undefined)) return undefined;
    const templates = [subject, ...headers.map(({ template }) => template), body];
    variablesOf.set(
      config,
      templates.flatMap(({ pathVariables }) => pathVariables),
    );
    const { method, timeout, remember } = config;
    const endpoint = `${method} ${config.url}`;
    const { env } = state;
    return createProvisioning(
      { endpoint, url, method, timeoutMs: timeout, rememberMs: remember, subject, headers, body, signing },
      {
        provisions: state.provisions,
        call: provisioningCall(env, closing.signal),
      },
    );
  }

  function compileText(section: AnySection, path: ConfigPath, text: string): Template | undefined {
    const template = compileTemplate(text, { tenant: 'late' });
    if (!('problem' in template)) return template;
    complainIn(load, section, path, { message: template.problem });
    return undefined;
  }

  function compileRate(section: AnySection, config: RateConfig): Promise<RateLimit | undefined> {
    return once(config, async () => {
      const rate = parseRate(config.limit, config.burst);
      if ('problem' in rate) {
        complainIn(load, section, ['upstream', 'rate'], { message: rate.problem });
        return undefined;
      }
      const key = JSON.stringify([section.path, rate]);
      const lease = state.rateLimits.hold(key, rate);
      leases.push(lease);
      return lease.value;
    });
  }

  function signingFor(section: AnySection, at: ConfigPath, config: SignConfig | undefined) {
    return config && once(config, () => compileSigning(section, at, config));
  }

  return {
    slots,
    signings,
    headerNames,
    leases,
    async compile(tenant) {
      const { config } = tenant;
      const owner: AnySection = config.upstream === undefined ? globals : tenant;
      const upstream: UpstreamConfig | undefined = config.upstream ?? globals.config.upstream;
      const [ofTenant, ofUpstream, rate, provisioning] = await Promise.all([
        signingFor(tenant, ['sign'], config.sign),
        signingFor(owner, ['upstream', 'sign'], upstream?.sign),
        upstream?.rate && compileRate(owner, upstream.rate),
        config.provision &&
          once(config.provision, () => compileProvisioning(tenant, config.provision as ProvisionConfig)),
      ]);
      const signing = config.sign === undefined ? ofUpstream : ofTenant;
      if (rate === undefined && provisioning === undefined && signing === undefined) return asIs;
      const { provision } = config;
      const parts: readonly [ConfigPath, object | undefined][] = [
        config.sign === undefined ? [['upstream', 'sign'], upstream?.sign] : [['sign'], config.sign],
        [['provision'], provision],
        [['provision', 'sign'], provision?.sign],
      ];
      const reads = parts.flatMap(([at, part]) => {
        const variables = part && variablesOf.get(part);
        return variables === undefined || variables.length === 0 ? [] : [{ at, variables }];
      });
      return { sending: { rate, provisioning, signing }, reads };
    },
  };
}

const asIs: CompiledSending = { sending: sendAsIs, reads: [] };

/** Nothing of a provisioning endpoint's answer is used but its status. */
const mostAnswerBytes = 64 * 1024;

function intoOf({ into }: SignConfig): Into {
  if (into.query !== undefined) return { query: into.query };
  if (into.header === undefined)
    return { ...defaultInto, ...(into.scheme === undefined ? {} : { scheme: into.scheme }) };
  const isDefault = into.header.toLowerCase() === 'authorization';
  return { header: into.header, scheme: into.scheme ?? (isDefault ? 'Bearer' : undefined) };
}

function asSecret(
  key:
    | Secret
    | { readonly value?: Secret | undefined; readonly env?: string | undefined; readonly file?: string | undefined },
): SecretConfig {
  return key instanceof Secret ? { value: key, encoding: 'utf8' } : { ...key, encoding: 'utf8' };
}

function rawAt({ raw }: AnySection, path: ConfigPath): Plain | undefined {
  let value: Plain | undefined = raw;
  for (const part of path) value = isPlainObject(value) ? value[part as string] : undefined;
  return value;
}
