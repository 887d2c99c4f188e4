import { diskDeps } from '../config/deps.ts';
import type { LoadedConfig } from '../config/load.ts';
import { createAwaiting } from '../ops/awaited-sources.ts';
import { opsRoutes } from '../ops/ops-routes.ts';
import { createReloadReport } from '../ops/reload-report.ts';
import type { ConfigSource } from './config-source.ts';
import { createFrontDuties } from './front-duties.ts';
import type { KeptState } from './kept-state.ts';
import { toggleDebug } from './log-choice.ts';
import { createReloads } from './reloads.ts';
import type { ServerOptions, StartResult } from './running.ts';
import { createServedPlaces } from './served-places.ts';
import { startServing } from './serving.ts';
import { showAddress } from './show-address.ts';
import { createTicketSecrets } from './ticket-secrets.ts';
import { openWatchtower, type Watchtower } from './watchtower.ts';

export interface Beginning {
  readonly source: ConfigSource;
  readonly first: LoadedConfig;
  readonly loadedAtMs: number;
}

/** Everything in this one process: what serves, what reloads, the ops listener, and the end. */
export async function startAlone(
  options: ServerOptions,
  { source, first, loadedAtMs }: Beginning,
  state: KeptState,
): Promise<StartResult> {
  const { configPath, env, overrides, writer, log, autoFormat, build } = options;
  const logChoice = { autoFormat, ...overrides };
  const report = createReloadReport(log, Date.now);
  const tellFrontDuties = createFrontDuties(log);
  let draining: Promise<void> | undefined;
  const tickets = createTicketSecrets((secret) => serving.useTicketSecret(secret));
  const { version } = build;
  const ticketSecret = tickets.current;
  const start = await startServing(first, { env, version, state, writer, log, logChoice, ticketSecret });
  if (start.kind === 'cannotListen') {
    tickets.stop();
    return start;
  }
  const { serving } = start;
  const reloads = createReloads({
    source,
    first,
    loadedAtMs,
    apply(next) {
      serving.adopt(next);
      tellFrontDuties(next);
      return [];
    },
    watch: overrides.watch,
    report,
    log,
  });

  const awaiting = createAwaiting();
  const overview = () => ({
    measured: serving.measure(),
    build,
    reloads: report,
    startedAtMs: loadedAtMs,
    config: reloads.served(),
  });
  const routes = opsRoutes(
    () => ({
      config: reloads.served(),
      draining: draining !== undefined,
      keysAwaited: awaiting(serving.awaited()),
      lastReloadProblem: report.lastProblem,
      needsRestart: report.needsRestart,
    }),
    overview,
    state.sending.signingKeys,
  );

  const servedPlaces = createServedPlaces(configPath, diskDeps(env));
  // Last, so that whoever can ask can be served.
  const opening = await openWatchtower({
    settings: first.settings,
    routes,
    adminSources: {
      refusals: async () => serving.refusals.list(),
      refusal: serving.refusals.find,
      explain: serving.explain,
      reload: () => reloads.reload('admin'),
      places: (hash) => servedPlaces.of(reloads.live, hash),
    },
    statusSources: { overview, tenants: serving.tenants },
  });
  if (opening.kind === 'cannotListen') {
    reloads.stop();
    await serving.drain({ drainMs: 0 });
    first.release();
    return opening;
  }
  const watchtower: Watchtower = opening;
  const { opsAddress, adminAddress } = watchtower;

  for (const { path, message, hint } of first.warnings) log.warn('config warning', { path, warning: message, hint });
  options.beforeStarted?.();
  log.info('started', {
    ...build,
    proxy: showAddress(serving.address),
    ops: opsAddress ?? 'off',
    admin: adminAddress ?? 'off',
    verify: serving.verifyAddress && showAddress(serving.verifyAddress),
    tenants: first.policy.tenants.size,
    config: configPath,
    hash: first.policy.hash,
  });
  tellFrontDuties(first);

  async function drain(cause: string): Promise<void> {
    const { drainDelayMs: delayMs, drainMs } = reloads.live.timeouts;
    const active = serving.activeRequests;
    const drained = serving.drain({ delayMs, drainMs });
    log.info('draining', { cause, active_requests: active, delay_ms: delayMs, at_most_ms: delayMs + drainMs });
    reloads.stop();
    tickets.stop();
    await drained;
    await watchtower.close();
    state.close();
    log.info('stopped', { cause });
  }

  return {
    kind: 'started',
    server: {
      proxyAddress: showAddress(serving.address),
      opsAddress,
      adminAddress,
      reload: reloads.reload,
      toggleDebug: () => void toggleDebug(log, logChoice),
      drain(cause) {
        draining ??= drain(cause);
        return draining;
      },
    },
  };
}
