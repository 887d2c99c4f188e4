import { diskDeps } from './config/deps.ts';
import type { Problem } from './config/problem.ts';
import { type AdminListener, createAdminListener } from './ops/admin-listener.ts';
import { awaitSources } from './ops/awaited-sources.ts';
import type { LineWriter } from './ops/line-writer.ts';
import type { Log, LogFormat, LogLevel } from './ops/log.ts';
import { createOpsListener, type OpsListener } from './ops/ops-listener.ts';
import { opsRoutes } from './ops/ops-routes.ts';
import { createReloadReport } from './ops/reload-report.ts';
import { adminRoutes } from './server/admin-routes.ts';
import { createConfigSource } from './server/config-source.ts';
import { createFrontDuties } from './server/front-duties.ts';
import { keepHistory } from './server/keep-history.ts';
import { createKeptState, depsOf } from './server/kept-state.ts';
import { createReloads, type ReloadCause, type ReloadOutcome } from './server/reloads.ts';
import { createServedPlaces } from './server/served-places.ts';
import { startServing } from './server/serving.ts';
import { statusRoutes } from './server/status-routes.ts';
import type { History } from './status/history.ts';
import { bindUnixPath, type ListenAddress } from './wire/listen-address.ts';

export interface ServerOptions {
  /** Absolute path of the main file. */
  readonly configPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly writer: LineWriter;
  /** Level and format are set from the config, now and at each reload. */
  readonly log: Log;
  /** What `log.format: auto` means here. */
  readonly autoFormat: LogFormat;
  readonly build: { readonly version: string; readonly commit: string; readonly runtime: string };
  /** Instead of what the config says, also after a reload. */
  readonly overrides: {
    readonly watch?: boolean | undefined;
    readonly logLevel?: LogLevel | undefined;
    readonly logFormat?: LogFormat | undefined;
  };
}

export interface Server {
  /** "host:port" as bound, or "unix:/path". */
  readonly proxyAddress: string;
  /** Undefined with `ops: off`. */
  readonly opsAddress: string | undefined;
  /** Undefined with `admin: off`. */
  readonly adminAddress: string | undefined;
  /** Loads the config anew: all of it goes live, or nothing does. Never rejects. */
  reload(cause: ReloadCause): Promise<ReloadOutcome>;
  /**
   * Says that it is not ready, goes on for `timeouts.drainDelay`, stops accepting, waits up to `timeouts.drain` for what
   * is under way, then closes everything.
   */
  drain(cause: string): Promise<void>;
}

export type StartResult =
  | { readonly kind: 'started'; readonly server: Server }
  | { readonly kind: 'configRefused'; readonly problems: readonly Problem[] }
  | { readonly kind: 'cannotListen'; readonly setting: 'listen' | 'ops' | 'admin' | 'verify'; readonly code: string };

/** Brings the parts together and keeps them: what serves, what reloads, the ops listener, and the end. */
export async function startServer(options: ServerOptions): Promise<StartResult> {
  const { configPath, env, overrides, writer, log, autoFormat, build } = options;
  const state = createKeptState(env, log);
  const source = createConfigSource(configPath, depsOf(env, state));
  const loadedAtMs = Date.now();
  const first = await source.load();
  if (!first.ok) return { kind: 'configRefused', problems: first.problems };

  const report = createReloadReport(log, Date.now);
  const tellFrontDuties = createFrontDuties(log);
  let draining: Promise<void> | undefined;
  const start = await startServing(first, {
    env,
    version: build.version,
    state,
    writer,
    log,
    logChoice: { autoFormat, ...overrides },
  });
  if (start.kind === 'cannotListen') return start;
  const { serving } = start;
  const reloads = createReloads({
    source,
    first,
    loadedAtMs,
    apply: (next) => {
      serving.adopt(next);
      tellFrontDuties(next);
    },
    watch: overrides.watch,
    report,
    log,
  });

  const metricSources = () => ({
    measured: serving.measure(),
    build,
    reloads: report,
    startedAtMs: loadedAtMs,
    config: reloads.served(),
  });
  const routes = opsRoutes(
    {
      config: reloads.served,
      draining: () => draining !== undefined,
      keysAwaited: awaitSources(() => reloads.current.requiredSources),
      lastReloadProblem: () => report.lastProblem,
      needsRestart: () => report.needsRestart,
    },
    metricSources,
    state.sending.signingKeys,
  );

  const servedPlaces = createServedPlaces(configPath, diskDeps(env));
  const kept = first.settings.admin && keepHistory(serving.measure);
  const adminOptions = (history: History) => ({
    routes: [
      ...statusRoutes({ overview: metricSources, tenants: serving.tenants, history }),
      ...adminRoutes({
        refusals: async () => serving.refusals.list(),
        refusal: serving.refusals.find,
        explain: serving.explain,
        reload: () => reloads.reload('admin'),
        places: async (hash) => {
          const { policy, texts } = reloads.current;
          return hash === undefined || hash === policy.hash ? servedPlaces.of(texts) : undefined;
        },
      }),
    ],
    bindUnix: bindUnixPath,
  });

  let ops: OpsListener | undefined;
  let admin: AdminListener | undefined;
  const giveUp = async (setting: 'ops' | 'admin', error: unknown): Promise<StartResult> => {
    reloads.stop();
    kept?.stop();
    await serving.drain({ drainMs: 0 });
    await admin?.close();
    first.release();
    return { kind: 'cannotListen', setting, code: codeOf(error) };
  };
  try {
    if (first.settings.admin !== undefined && kept !== undefined) {
      admin = await createAdminListener({ ...first.settings.admin, ...adminOptions(kept.history) });
    }
  } catch (error) {
    return giveUp('admin', error);
  }
  try {
    // Last, so that whoever can ask it can be served.
    if (first.settings.ops !== undefined) ops = await createOpsListener(first.settings.ops, routes, bindUnixPath);
  } catch (error) {
    return giveUp('ops', error);
  }

  for (const { path, message, hint } of first.warnings) log.warn('config warning', { path, warning: message, hint });
  log.info('started', {
    ...build,
    proxy: showAddress(serving.address),
    ops: ops?.address ?? 'off',
    admin: admin?.address ?? 'off',
    verify: serving.verifyAddress && showAddress(serving.verifyAddress),
    tenants: first.policy.tenants.size,
    config: configPath,
    hash: first.policy.hash,
  });
  tellFrontDuties(first);

  async function drain(cause: string): Promise<void> {
    const { drainDelayMs: delayMs, drainMs } = reloads.current.policy.timeouts;
    const active = serving.activeRequests;
    const drained = serving.drain({ delayMs, drainMs });
    log.info('draining', { cause, active_requests: active, delay_ms: delayMs, at_most_ms: delayMs + drainMs });
    reloads.stop();
    kept?.stop();
    await drained;
    await Promise.all([ops?.close(), admin?.close()]);
    state.close();
    log.info('stopped', { cause });
  }

  return {
    kind: 'started',
    server: {
      proxyAddress: showAddress(serving.address),
      opsAddress: ops?.address,
      adminAddress: admin?.address,
      reload: reloads.reload,
      drain(cause) {
        draining ??= drain(cause);
        return draining;
      },
    },
  };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'failed';
}

function showAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
