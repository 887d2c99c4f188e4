import { isDeepStrictEqual } from 'node:util';
import { newSendingState } from './config/compile-sending.ts';
import { diskDeps } from './config/deps.ts';
import { type LoadedConfig, loadConfig } from './config/load.ts';
import type { Problem } from './config/problem.ts';
import { createGate } from './gate/create-gate.ts';
import { createKeySources } from './keys/key-sources.ts';
import { accessLine } from './ops/access-log.ts';
import { awaitSources } from './ops/awaited-sources.ts';
import { clientAddress } from './ops/client-address.ts';
import { describeError } from './ops/describe-error.ts';
import { createGeneration, type Generation } from './ops/generation.ts';
import { logKeySourceEvent } from './ops/key-source-log.ts';
import type { LineWriter } from './ops/line-writer.ts';
import type { Log, LogFormat, LogLevel } from './ops/log.ts';
import { createOpsListener, type OpsListener } from './ops/ops-listener.ts';
import { opsRoutes } from './ops/ops-routes.ts';
import { recordReads } from './ops/recorded-reads.ts';
import { createReloadReport } from './ops/reload-report.ts';
import { logReplayEvent } from './ops/replay-log.ts';
import { createRequestIds } from './ops/request-id.ts';
import { logRevocationEvent } from './ops/revocation-log.ts';
import { diffTenants } from './ops/tenant-diff.ts';
import { countOutcome, forgetTenants, observe, zeroTraffic } from './ops/traffic.ts';
import { type Watch, watchFiles } from './ops/watch.ts';
import { createReplayStores } from './state/replay-stores.ts';
import { createRevocationLists } from './state/revocation-lists.ts';
import { createVerdictCache } from './state/verdict-cache.ts';
import { createFrontDoor, type FrontDoor } from './wire/front-door.ts';
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
  /** Loads the config anew: all of it goes live, or nothing does. Never rejects. */
  reload(cause: ReloadCause): Promise<void>;
  /** Stops accepting, waits up to `timeouts.drain` for what is under way, then closes everything. */
  drain(cause: string): Promise<void>;
}

export type ReloadCause = 'SIGHUP' | 'watch';

export type StartResult =
  | { readonly kind: 'started'; readonly server: Server }
  | { readonly kind: 'configRefused'; readonly problems: readonly Problem[] }
  | { readonly kind: 'cannotListen'; readonly setting: 'listen' | 'ops'; readonly code: string };

/** Settings that only a restart can bring. */
const restartOnly = ['listen', 'ops', 'lane'] as const;

/** Brings the parts together and keeps them: the config being served, its reloads, both listeners, and the end. */
export async function startServer(options: ServerOptions): Promise<StartResult> {
  const { configPath, overrides, writer, log } = options;
  const keySources = createKeySources({ env: options.env, onEvent: (event) => logKeySourceEvent(log, event) });
  const sending = newSendingState(options.env);
  const { signingKeys } = sending;
  const replays = createReplayStores({ onEvent: (event) => logReplayEvent(log, event) });
  const revocations = createRevocationLists({ env: options.env, onEvent: (event) => logRevocationEvent(log, event) });
  const disk = { ...diskDeps(options.env), keySources, sending, revocations, replays };
  const reads = recordReads(disk);
  const loadedAtMs = Date.now();
  const first = await loadConfig(configPath, { ...disk, ...reads.begin() });
  if (!first.ok) return { kind: 'configRefused', problems: first.problems };
  const { settings: begun } = first;

  const report = createReloadReport(log, Date.now);
  const traffic = zeroTraffic();
  let verdicts = createVerdictCache(begun.verdictCache);
  let loaded: LoadedConfig = first;
  const newRequestId = createRequestIds();
  let generation = open(first);
  let reloading: Promise<void> | undefined;
  let nextReload: Promise<void> | undefined;
  let draining: Promise<void> | undefined;
  let watch: Watch | undefined;

  const served = () => ({
    generation: loaded.policy.generation,
    hash: loaded.policy.hash,
    tenants: loaded.policy.tenants.size,
  });
  const keysAwaited = awaitSources(() => loaded.requiredSources);
  const routes = opsRoutes(
    {
      config: served,
      draining: () => draining !== undefined,
      keysAwaited,
      lastReloadProblem: () => report.lastProblem,
      needsRestart: () => report.needsRestart,
    },
    {
      traffic,
      build: options.build,
      reloads: report,
      startedAtMs: loadedAtMs,
      config: served,
      activeRequests: () => frontDoor.activeExchanges,
      verdictCache: () => verdicts.stats(),
      keySources: keySources.statuses,
      revocations: revocations.statuses,
      replays: replays.status,
      droppedLogLines: () => writer.droppedLines,
    },
    signingKeys,
  );

  let frontDoor: FrontDoor;
  let ops: OpsListener | undefined;
  try {
    frontDoor = await createFrontDoor({ listen: begun.listen, gate: () => generation.gate, lane: begun.lane });
  } catch (error) {
    first.release();
    return { kind: 'cannotListen', setting: 'listen', code: codeOf(error) };
  }
  try {
    // Second, so that whoever can ask it can be served.
    if (begun.ops !== undefined) ops = await createOpsListener(begun.ops, routes, bindUnixPath);
  } catch (error) {
    await frontDoor.close({ drainMs: 0 });
    first.release();
    return { kind: 'cannotListen', setting: 'ops', code: codeOf(error) };
  }

  for (const { path, message, hint } of first.warnings) log.warn('config warning', { path, warning: message, hint });
  log.info('started', {
    ...options.build,
    proxy: showAddress(frontDoor.address),
    ops: ops?.address ?? 'off',
    tenants: loaded.policy.tenants.size,
    config: configPath,
    hash: loaded.policy.hash,
  });
  followFiles();

  /** Makes a config answer requests; nothing of the one before it changes. */
  function open(config: LoadedConfig): Generation {
    const { policy, settings } = config;
    signingKeys.adopt(config.signingSlots, Date.now());
    log.level = overrides.logLevel ?? settings.log.level;
    log.format = overrides.logFormat ?? (settings.log.format === 'auto' ? options.autoFormat : settings.log.format);
    const { format } = log;
    const gate = createGate({
      policy,
      verdicts,
      now: Date.now,
      newRequestId,
      onFinish(outcome) {
        countOutcome(traffic, outcome);
        if (!settings.log.access) return;
        const client = outcome.head === undefined ? '' : clientAddress(outcome.head, policy.isTrustedProxy);
        writer.write(accessLine(outcome, client, format, Date.now()));
      },
    });
    return createGeneration({
      gate,
      onVerified: (milliseconds) => observe(traffic.verifyDurations, milliseconds / 1000),
      release: config.release,
    });
  }

  async function reloadOnce(cause: ReloadCause): Promise<void> {
    if (draining !== undefined) return;
    const next = await loadAnew();
    if (!next.ok) return report.tellFailure(cause, next.problems);
    if (next.policy.hash === loaded.policy.hash) {
      next.release();
      return report.tellUnchanged(cause);
    }
    const { policy, settings } = next;
    if (!isDeepStrictEqual(settings.verdictCache, loaded.settings.verdictCache)) {
      verdicts = createVerdictCache(settings.verdictCache);
    }
    const retired = generation;
    const diff = diffTenants(loaded.tenantHashes, next.tenantHashes);
    loaded = next;
    generation = open(next);
    retired.retire();
    frontDoor.retainUpstreams(new Set(policy.tenants.values().map(({ upstream }) => upstream.key)));
    forgetTenants(traffic, policy.tenants);
    report.tellSuccess(cause, diff, served());
    report.tellNeedsRestart(restartOnly.filter((name) => !isDeepStrictEqual(begun[name], settings[name])));
    followFiles();
  }

  /** A fault of ours in reading a new config is no reason to lose the one being served. */
  function loadAnew(): ReturnType<typeof loadConfig> {
    return loadConfig(configPath, { ...disk, ...reads.begin() }).catch((error: unknown) => {
      const message = `jwtgate failed to load it (${describeError(error).error})`;
      return { ok: false, problems: [{ severity: 'error', file: configPath, path: '', message }] };
    });
  }

  /** One at a time; asks that come while one runs share the next, which sees what they mean. */
  function reload(cause: ReloadCause): Promise<void> {
    if (reloading === undefined) {
      reloading = reloadOnce(cause).finally(() => {
        reloading = undefined;
      });
      return reloading;
    }
    nextReload ??= reloading.then(() => {
      nextReload = undefined;
      return reload(cause);
    });
    return nextReload;
  }

  function followFiles(): void {
    const wanted = (overrides.watch ?? loaded.settings.watch) && draining === undefined;
    if (!wanted) {
      watch?.close();
      watch = undefined;
      return;
    }
    watch ??= watchFiles({
      paths: reads.paths,
      onChange: () => reload('watch'),
      onProblem: (problem) => log.warn('cannot watch: only looked at every 15 s', { problem }),
      loadedAtMs,
    });
  }

  async function drain(cause: string): Promise<void> {
    const { drainMs } = loaded.policy.timeouts;
    const active = frontDoor.activeExchanges;
    const closed = frontDoor.close({ drainMs });
    log.info('draining', { cause, active_requests: active, at_most_ms: drainMs });
    followFiles();
    await closed;
    await ops?.close();
    keySources.close();
    revocations.close();
    replays.close();
    log.info('stopped', { cause });
  }

  return {
    kind: 'started',
    server: {
      proxyAddress: showAddress(frontDoor.address),
      opsAddress: ops?.address,
      reload,
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
