import { diskDeps } from '../../config/deps.ts';
import { createAwaiting } from '../../ops/awaited-sources.ts';
import { opsRoutes } from '../../ops/ops-routes.ts';
import { createReloadReport } from '../../ops/reload-report.ts';
import { createTlsReport } from '../../ops/tls-report.ts';
import type { Beginning } from '../alone.ts';
import { createFrontDuties } from '../front-duties.ts';
import { applyLogSettings, toggleDebug } from '../log-choice.ts';
import { createReloads } from '../reloads.ts';
import type { ServerOptions, StartResult } from '../running.ts';
import { createServedPlaces } from '../served-places.ts';
import { showAddress } from '../show-address.ts';
import { createTicketSecrets } from '../ticket-secrets.ts';
import { openWatchtower, type Watchtower } from '../watchtower.ts';
import { askedAdminSources, askedTenants } from './asked-admin.ts';
import { createCrew } from './crew.ts';
import { type Dealers, openDealers } from './dealers.ts';
import { createCrewMeasures } from './measure-crew.ts';
import { relayLines } from './relay-lines.ts';
import { createRollOut } from './roll-out.ts';
import type { SharedState } from './shared-state.ts';
import { servingVariables, spawnWorker } from './spawn-worker.ts';
import type { Worker } from './worker-process.ts';

/** Beyond the drain's own end: for the last lines, and for a process to go. */
const farewellMs = 5_000;

/**
 * Serves nothing itself: it accepts for `size` workers and deals clients out, keeps what must hold over all of them,
 * reloads for all, answers the ops listener for all, writes their log lines, and ends with them.
 */
export async function startPrimary(
  options: ServerOptions,
  { source, first, loadedAtMs }: Beginning,
  shared: SharedState,
  size: number,
): Promise<StartResult> {
  const { configPath, env, overrides, writer, log, autoFormat, build } = options;
  const logChoice = { autoFormat, ...overrides };
  applyLogSettings(log, first.settings.log, logChoice);
  const report = createReloadReport(log, Date.now);
  const tellFrontDuties = createFrontDuties(log);
  const gaveUp = Promise.withResolvers<string>();
  const relays = new Set<Promise<void>>();
  let watchtower: Watchtower | undefined;
  let draining: Promise<void> | undefined;
  let started = false;
  /** Nobody, until there is a crew. */
  let serving: () => readonly Worker[] = () => [];

  const listening = await openDealers(first.settings, () => serving());
  if (listening.kind === 'cannotListen') {
    first.release();
    return listening;
  }
  const dealers: Dealers = listening;

  const rollOut = createRollOut({
    path: configPath,
    first,
    snapshot: source.snapshot(),
    signingKeys: shared.signingKeys,
    serving: () => serving(),
    post: ({ index }) => ({
      listeners: dealers.addresses,
      worker: index,
      workers: size,
      version: build.version,
      env: servingVariables(env),
      log: logChoice,
      logLevelNow: log.level,
    }),
  });
  const measures = createCrewMeasures({
    serving: () => serving(),
    usedTokens: shared.usedTokens,
    droppedLogLines: () => writer.droppedLines,
  });
  const crew = createCrew({
    size,
    log,
    spawn(index, scoreboard) {
      const child = spawnWorker(index, env, scoreboard);
      // Without a free file there is neither a process nor a pipe, whatever the type says.
      if (child.stdout) {
        const relay = relayLines(child.stdout, writer).then(() => void relays.delete(relay));
        relays.add(relay);
      }
      return child;
    },
    answers: (worker) => ({
      ...shared.answersFor(worker),
      load: worker.hear,
      beat(measured) {
        worker.measured = measured;
      },
    }),
    start: rollOut.start,
    onServing(worker) {
      // Before its first client; one that started while they were changed would have missed it.
      worker.channel.tell('ticketSecret', tickets.current);
      dealers.deal();
    },
    onEnded(worker) {
      shared.forget(worker);
      measures.onEnded(worker);
    },
    onGivenUp(detail) {
      if (draining !== undefined) return;
      log.fatal('workers keep ending: giving up', { detail });
      draining = drain('giving up');
      void draining.then(() => gaveUp.resolve(detail));
    },
  });
  serving = () => crew.serving;
  const tickets = createTicketSecrets((secret) => {
    for (const { channel } of serving()) channel.tell('ticketSecret', secret);
  });
  shared.onNews((source) => {
    for (const { channel } of serving()) channel.tell('news', { source });
  });

  /** Of the config that the workers serve: they change before `reloads` says so. */
  let { tls } = first.settings;
  const reloads = createReloads({
    source,
    first,
    loadedAtMs,
    async apply(next) {
      const problems = await rollOut.change(next, source.snapshot());
      if (problems.length > 0) return problems;
      applyLogSettings(log, next.settings.log, logChoice);
      measures.forgetTenants(next.tenantHashes);
      tellFrontDuties(next);
      tls = next.settings.tls;
      certificates.lookAtCertificates();
      return [];
    },
    watch: overrides.watch,
    report,
    log,
  });
  const certificates = createTlsReport({
    log,
    now: Date.now,
    validity: () => tls?.validity,
  });

  const awaiting = createAwaiting();
  const overview = async () => ({
    measured: await measures.measure(),
    build,
    reloads: report,
    startedAtMs: loadedAtMs,
    config: reloads.served(),
    workers: { wanted: size, serving: serving().map(({ index, open }) => ({ index, open })), losses: crew.losses },
  });
  const routes = opsRoutes(
    async () => ({
      config: started ? reloads.served() : undefined,
      draining: draining !== undefined,
      keysAwaited: awaiting(await measures.awaited()),
      lastReloadProblem: report.lastProblem,
      needsRestart: report.needsRestart,
      workers: { wanted: size, serving: serving().length },
    }),
    overview,
    shared.signingKeys,
  );

  /** Ends all of it; each worker as `leave` says. */
  async function end(leave: (worker: Worker) => Promise<unknown>, withinMs: number): Promise<void> {
    reloads.stop();
    await crew.dismiss(leave, withinMs);
    dealers.close();
    shared.close();
    certificates.close();
    tickets.stop();
    await Promise.all(relays);
    await watchtower?.close();
  }

  async function giveUpStart(): Promise<void> {
    await end(async (worker) => worker.kill(), farewellMs);
    first.release();
  }

  const servedPlaces = createServedPlaces(configPath, diskDeps(env));
  const opening = await openWatchtower({
    settings: first.settings,
    routes,
    adminSources: {
      ...askedAdminSources(() => serving()),
      reload: () => reloads.reload('admin'),
      places: (hash) => servedPlaces.of(reloads.live, hash),
    },
    statusSources: { overview, tenants: askedTenants(() => serving()) },
  });
  if (opening.kind === 'cannotListen') {
    await giveUpStart();
    return opening;
  }
  watchtower = opening;
  const { opsAddress, adminAddress } = watchtower;
  const problem = await crew.begin();
  if (problem !== undefined) {
    await giveUpStart();
    return { kind: 'workersFailed', detail: problem };
  }
  started = true;

  for (const { path, message, hint } of first.warnings) log.warn('config warning', { path, warning: message, hint });
  const { listen, verify } = dealers.addresses;
  options.beforeStarted?.();
  log.info('started', {
    ...build,
    proxy: showAddress(listen),
    ops: opsAddress ?? 'off',
    admin: adminAddress ?? 'off',
    verify: verify && showAddress(verify),
    workers: size,
    tenants: first.policy.tenants.size,
    config: configPath,
    hash: first.policy.hash,
  });
  tellFrontDuties(first);
  certificates.lookAtCertificates();

  async function drain(cause: string): Promise<void> {
    const { drainDelayMs: delayMs, drainMs } = reloads.live.timeouts;
    const withinMs = delayMs + drainMs + farewellMs;
    const measuring = measures.measure();
    // First, so that nobody is dealt out behind the word to go.
    if (delayMs === 0) dealers.close();
    else setTimeout(dealers.close, delayMs).unref();
    const ended = end(async (worker) => {
      const measured = await worker.channel.ask('drain', { delayMs, drainMs }, withinMs);
      if (measured !== undefined) worker.measured = measured;
      worker.release();
    }, withinMs);
    const { activeRequests } = await measuring;
    log.info('draining', { cause, active_requests: activeRequests, delay_ms: delayMs, at_most_ms: delayMs + drainMs });
    await ended;
    log.info('stopped', { cause });
  }

  return {
    kind: 'started',
    server: {
      proxyAddress: showAddress(listen),
      opsAddress,
      adminAddress,
      reload: reloads.reload,
      toggleDebug() {
        const level = toggleDebug(log, logChoice);
        for (const { channel } of serving()) channel.tell('logLevel', level);
      },
      drain(cause) {
        draining ??= drain(cause);
        return draining;
      },
      gaveUp: gaveUp.promise,
    },
  };
}
