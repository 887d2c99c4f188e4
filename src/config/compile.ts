import { type JudgedNames, judgedNames } from '../gate/headers.ts';
import { headerOf } from '../gate/locate.ts';
import type { Policy, Tenant, Timeouts, Upstream } from '../gate/policy.ts';
import { type CompiledRecognition, compileRecognition, type TenantMatch } from '../gate/recognise.ts';
import type { KeySourceLease, KeySources } from '../keys/key-sources.ts';
import type { SigningSlot } from '../sign/signing-keys.ts';
import {
  checkOverlaps,
  checkReservedNames,
  checkTellApart,
  emittedNames,
  verdictNames,
} from './check/across-tenants.ts';
import { checkGlobals } from './check/globals.ts';
import { tenantChecks } from './check/tenant-checks.ts';
import { createCheckContext } from './check/tenant-facts.ts';
import { checkVerify } from './check/verify.ts';
import { compileCorsOf } from './compile-cors.ts';
import { compileErrors } from './compile-errors.ts';
import { type CompiledTls, compileListen } from './compile-listen.ts';
import { compileLoggedClaims } from './compile-logged-claims.ts';
import { openReplays, prepareReplay } from './compile-replay.ts';
import { createRevokedCompiler, openRevoked } from './compile-revoked.ts';
import { createSendingCompiler, newSendingState, type PlacedSigning } from './compile-sending.ts';
import {
  type AwaitedSource,
  createTenantCompiler,
  type HeldSources,
  openTenant,
  type PreparedTenant,
} from './compile-tenant.ts';
import { compileTokenPlaces } from './compile-token-places.ts';
import { compileUnrecognised } from './compile-unrecognised.ts';
import { createUpstreamCompiler } from './compile-upstream.ts';
import { hashConfig } from './config-hash.ts';
import { deepFreeze } from './deep-freeze.ts';
import { findingInFile } from './finding.ts';
import type { Load, Model } from './model.ts';
import { inTurns, type Pause } from './pacer.ts';
import { createReferencedFiles } from './referenced-files.ts';
import type { GlobalConfig } from './shape/config.ts';
import { compileTrustedProxies } from './trusted-proxies.ts';

export interface CompiledConfig {
  readonly policy: Policy;
  /** What the listener speaks TLS with; undefined: it speaks plain HTTP. */
  readonly tls: CompiledTls | undefined;
  readonly tenantHashes: ReadonlyMap<string, string>;
  /** See `ConfigHashes`. */
  readonly contents: ReadonlyMap<string | undefined, string>;
  /** Holds on key sources, to be released with the policy. */
  readonly leases: readonly { release(): void }[];
  /** Sources that readiness waits for. */
  readonly requiredSources: readonly AwaitedSource[];
  /** The remote sources of each tenant that has any. */
  readonly remoteKeys: ReadonlyMap<string, readonly KeySourceLease[]>;
  /** Of every upstream that a request may go to; collected here, so that a swap need not visit all tenants. */
  readonly upstreamKeys: ReadonlySet<string>;
  /** Every place that signs, to be adopted when the config is swapped in. */
  readonly signingSlots: readonly SigningSlot[];
  /** The same, with what they issue: to try them. */
  readonly signings: readonly PlacedSigning[];
}

/** Counts the policies of this process. */
let generation = 0;

/** Tenants prepared at a time: most of it is waiting for secret files. */
const preparedAtOnce = 64;

/**
 * Holds a config's parts against each other and makes it the gate's Policy. Undefined where something is wrong, which
 * the report says; then nothing was fetched. Without `sources` only checks: tenants whose keys are remote have none.
 */
export async function compileConfig(
  model: Model,
  main: string,
  load: Load,
  sources: Pick<KeySources, 'acquire'> | undefined,
): Promise<CompiledConfig | undefined> {
  const files = createReferencedFiles(load);
  const { globals } = model;
  const compileUpstream = createUpstreamCompiler(load, files, globals.config.workers);
  const errors = compileErrors(globals, load);
  const cors = compileCorsOf(globals, load);
  const state = load.deps.sending ?? newSendingState(load.deps.env);
  const sending = createSendingCompiler(globals, load, files, state);
  const refused = () => {
    for (const lease of sending.leases) lease.release();
    return undefined;
  };
  const tls = await compileListen(globals, load, files);
  const globalUpstream = await compileUpstream(globals);
  const prepareRevoked = createRevokedCompiler(load, files);
  const loggedClaims = deepFreeze(compileLoggedClaims(globals, load));
  const globalRevoked = await prepareRevoked(globals);
  const compileTenant = createTenantCompiler(
    load,
    files,
    compileUpstream,
    globalUpstream,
    cors,
    sending.compile,
    prepareRevoked,
    prepareReplay(globals, load),
  );
  const { pause } = load;
  const prepared = await inBatches(model.tenants, preparedAtOnce, compileTenant, pause);
  const recognition = await inTurns(compileRecognition(await matchesOf(prepared, pause)), pause);
  const emitted = await emittedNames(prepared, sending.headerNames, pause);
  await checkTogether(model, prepared, recognition, emitted, main, load);
  if (load.report.hasErrors()) return refused();

  for (const { slot, problem } of state.signingKeys.findConflicts(sending.slots, state.now())) {
    const hint = `the token that is signed at ${slot}`;
    load.report.add(findingInFile(main, { message: problem, hint }));
  }
  if (load.report.hasErrors()) return refused();

  const held: HeldSources = { leases: [], required: [], remoteKeys: new Map() };
  const tenants = new Map<string, Tenant>();
  const upstreamKeys = new Set<string>();
  const { revocations, replays } = load.deps;
  const revokedForAll = openRevoked(globalRevoked, revocations, held);
  const elsewhereOf = await compileTokenPlaces(prepared, pause);
  for (const one of prepared) {
    await pause();
    const opened = openReplays(one, replays, held);
    const revoked = [...revokedForAll, ...openRevoked(one.revoked, revocations, held)];
    // Each has one: upstreamPresent.
    const mode = globals.config.mode === 'report' ? 'report' : (one.tenant.config.mode ?? 'enforce');
    const upstream = one.upstream as Upstream;
    const asked = { ...one, mode, elsewhere: elsewhereOf(one) };
    tenants.set(one.tenant.id, openTenant(asked, upstream, sources, revoked, opened, held));
    upstreamKeys.add(upstream.key);
  }
  const hasUnrecognised = globals.config.mode === 'report' && globalUpstream !== undefined;
  if (hasUnrecognised) upstreamKeys.add(globalUpstream.key);
  const hashes = await hashConfig(model, files, load.deps.env, pause);
  const policy: Policy = Object.freeze({
    generation: load.deps.generation ?? ++generation,
    hash: hashes.all,
    tenants,
    recognise: recognition.recognise,
    reservedNames: new Set(emitted.keys()),
    judgedNames: await judgedBy(prepared, pause),
    verdictNames: await verdictNames(prepared, sending.headerNames, pause),
    loggedClaims,
    isTrustedProxy: compileTrustedProxies(globals.config.trustedProxies),
    unrecognised: hasUnrecognised
      ? await compileUnrecognised(globalUpstream, { errors, cors, tenants: tenants.values() }, pause)
      : undefined,
    errors: deepFreeze(errors),
    cors,
    limits: deepFreeze(globals.config.limits),
    timeouts: deepFreeze(timeoutsOf(globals.config)),
  });
  return {
    policy,
    tls,
    tenantHashes: hashes.tenants,
    contents: hashes.contents,
    leases: [...held.leases, ...sending.leases],
    requiredSources: held.required,
    remoteKeys: held.remoteKeys,
    upstreamKeys,
    signingSlots: sending.slots,
    signings: sending.signings,
  };
}

/** Everything that no part could see for itself. */
async function checkTogether(
  model: Model,
  prepared: readonly PreparedTenant[],
  recognition: CompiledRecognition,
  emitted: ReadonlyMap<string, string | undefined>,
  main: string,
  load: Load,
): Promise<void> {
  const { globals, globalsFit, declaredTenants } = model;
  // Whatever was left out has its error already; if ever one should not, nothing is served with a part missing.
  if (!globalsFit || model.tenants.length !== declaredTenants) {
    if (!load.report.hasErrors()) load.report.add(findingInFile(main, { message: 'could not be checked as a whole' }));
  }
  if (globalsFit) checkGlobals(globals, load);
  if (declaredTenants === 0) {
    const hint = 'e.g. tenants: {acme: {secret: {env: ACME_SECRET}}}';
    load.report.add(findingInFile(main, { message: 'there are no tenants, so every request would be refused', hint }));
  }
  if (globalsFit) await checkVerify(globals, prepared, load);
  const { upstream, listen, mode } = globals.config;
  const context = createCheckContext(load, {
    globalUpstream: !globalsFit || upstream !== undefined,
    clientsVerified: !globalsFit || listen.tls?.clientCa !== undefined,
    reportsAll: mode === 'report',
  });
  let everyOneMatches = true;
  for (const facts of prepared) {
    await load.pause();
    for (const check of tenantChecks) check(facts, context);
    everyOneMatches &&= facts.tenant.config.match !== undefined;
  }
  await checkTellApart(prepared, declaredTenants, load);
  await checkReservedNames(prepared, emitted, load);
  // A tenant without match overlaps with all others, which was just said of it.
  if (everyOneMatches) checkOverlaps(prepared, recognition, load);
}

async function matchesOf(prepared: readonly PreparedTenant[], pause: Pause): Promise<TenantMatch[]> {
  const matches: TenantMatch[] = [];
  for (const { tenant, alternatives, locations } of prepared) {
    await pause();
    matches.push({ id: tenant.id, match: alternatives, locations });
  }
  return matches;
}

async function inBatches<T, U>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<U>,
  pause: Pause,
): Promise<U[]> {
  const done: U[] = [];
  let turn: Promise<unknown> = Promise.resolve();
  for (let start = 0; start < items.length; start += size) {
    const underWay = items.slice(start, start + size).map((item) => {
      turn = turn.then(pause);
      return turn.then(() => work(item));
    });
    done.push(...(await Promise.all(underWay)));
  }
  return done;
}

/** Names that some tenant reads a token, a match, a binding or a rule's value from. */
async function judgedBy(prepared: readonly PreparedTenant[], pause: Pause): Promise<JudgedNames> {
  const names = new Set<string>();
  const seen = new Set<object>();
  for (const { alternatives, locations, binds, rules, routes } of prepared) {
    await pause();
    for (const { header } of alternatives) for (const name of Object.keys(header ?? {})) names.add(name);
    if (!seen.has(locations)) {
      for (const location of locations) {
        const name = headerOf(location);
        if (name !== undefined) names.add(name);
      }
    }
    seen.add(locations);
    for (const { headerNames } of [...binds, ...routes.flatMap((route) => route.binds)]) {
      for (const name of headerNames) names.add(name);
    }
    for (const { headerNames } of [...rules, ...routes.flatMap((route) => route.rules)]) {
      for (const { name } of headerNames) names.add(name);
    }
  }
  return judgedNames(names);
}

function timeoutsOf({ timeouts }: GlobalConfig): Timeouts {
  const { header, idle, connect, response, drainDelay, drain } = timeouts;
  return {
    headerMs: header,
    idleMs: idle,
    connectMs: connect,
    responseMs: response,
    drainDelayMs: drainDelay,
    drainMs: drain,
  };
}
