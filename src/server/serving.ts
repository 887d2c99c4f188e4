import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig } from '../config/load.ts';
import { explainQuestion } from '../explain/explain-question.ts';
import type { Explanation } from '../explain/explanation.ts';
import type { KeysAtHand } from '../explain/facts.ts';
import { createRefusals, type Refusals } from '../explain/refusals.ts';
import { createGate } from '../gate/create-gate.ts';
import type { RequestHead } from '../gate/request-head.ts';
import { namesAwaited } from '../ops/awaited-sources.ts';
import { clientAddress } from '../ops/client-address.ts';
import { createAccessLog } from '../ops/create-access-log.ts';
import { createGeneration, type Generation } from '../ops/generation.ts';
import type { LineWriter } from '../ops/line-writer.ts';
import type { Log } from '../ops/log.ts';
import { type Measured, processFigures } from '../ops/measured.ts';
import { createRequestIds } from '../ops/request-id.ts';
import { createTlsReport } from '../ops/tls-report.ts';
import type { Tracing } from '../ops/tracing/start-tracing.ts';
import { wantsTracing } from '../ops/tracing-wanted.ts';
import { countOutcome, forgetTenants, observe, zeroTraffic } from '../ops/traffic.ts';
import { createVerdictCache } from '../state/verdict-cache.ts';
import { listTenants, type TenantPage, type TenantQuery } from '../status/tenant-facts.ts';
import type { OpenArrivals } from '../wire/arrivals.ts';
import { createFrontDoor, type FrontDoor } from '../wire/front-door.ts';
import type { ListenAddress } from '../wire/listen-address.ts';
import type { TicketSecret } from '../wire/tls/ticket-keys.ts';
import { createVerifyListener, type VerifyListener } from '../wire/verify/listener.ts';
import { type CannotListen, cannotListen } from './cannot-listen.ts';
import type { KeptState } from './kept-state.ts';
import { applyLogSettings, type LogChoice } from './log-choice.ts';

export interface ServingOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly state: KeptState;
  readonly writer: LineWriter;
  /** Level and format are set from the config, now and at each reload. */
  readonly log: Log;
  readonly logChoice: LogChoice;
  /** Instead of listening: another process does, and deals its clients out to us. */
  readonly dealt?: { readonly [listener in ListenerName]: OpenArrivals } | undefined;
  /** What keys of TLS session tickets are made of, until `useTicketSecret`; default: drawn here. */
  readonly ticketSecret?: TicketSecret | undefined;
  /** When the first config went live; default: now. */
  readonly liveSinceMs?: number | undefined;
}

/** The listeners on which requests come, by the keys that name them in the config. */
export type ListenerName = 'listen' | 'verify';

/** What answers requests: the proxy's listener, that of fronts, and one config at a time. */
export interface Serving {
  /** As bound. */
  readonly address: ListenAddress;
  /** The same; undefined without `verify`. */
  readonly verifyAddress: ListenAddress | undefined;
  readonly activeRequests: number;
  measure(): Measured;
  readonly refusals: Pick<Refusals, 'list' | 'find'>;
  /** Explains the request that a JSON text describes, by the config that is served. */
  explain(question: string): Promise<Explanation | { readonly problem: string }>;
  /** A page of the tenants that are served. */
  tenants(query: TenantQuery): TenantPage;
  /** Requests from now on are judged by this config; those under way end with the one they began with. */
  adopt(next: LoadedConfig, nowMs?: number): void;
  /** For keys of TLS session tickets from now on. */
  useTicketSecret(secret: TicketSecret): void;
  /** Required sources that were never fetched. */
  awaited(): readonly string[];
  /** Goes on for `delayMs` (default: 0), stops accepting, waits `drainMs` for what is under way, then cuts it. */
  drain(waits: { readonly delayMs?: number; readonly drainMs: number }): Promise<void>;
}

/** What the last spans may take. */
const flushMs = 2_000;

export type ServingStart =
  | { readonly kind: 'serving'; readonly serving: Serving }
  /** Nothing of the config is held then. */
  | CannotListen;

export async function startServing(first: LoadedConfig, options: ServingOptions): Promise<ServingStart> {
  const { env, version, state, writer, log, logChoice, dealt, ticketSecret, liveSinceMs = Date.now() } = options;
  const { signingKeys } = state.sending;
  const traffic = zeroTraffic();
  const newRequestId = createRequestIds();
  const refusals = createRefusals(Date.now);
  let verdicts = createVerdictCache(first.settings.verdictCache);
  let current = first;
  const tracing = await openTracing();
  let generation = open(first, liveSinceMs);

  const validity = () => current.settings.tls?.validity;
  const tlsReport = createTlsReport({ log, now: Date.now, validity, warns: dealt === undefined });
  const { listen, lane, tls, verify } = first.settings;
  const { countHandshake: onHandshake, countHttp2: onHttp2End } = tlsReport;
  const gate = () => generation.gate;
  const giveUp = (setting: ListenerName, address: ListenAddress, error: unknown): ServingStart => {
    tlsReport.close();
    void tracing?.close(0);
    first.release();
    return cannotListen(setting, address, error);
  };
  let frontDoor: FrontDoor;
  let verifyListener: VerifyListener | undefined;
  try {
    const arrivals = dealt?.listen;
    const report = { onHandshake, onHttp2End };
    frontDoor = await createFrontDoor({ listen, arrivals, gate, lane, tls, ticketSecret, ...report });
  } catch (error) {
    return giveUp('listen', listen, error);
  }
  if (verify !== undefined) {
    const { address, front } = verify;
    try {
      verifyListener = await createVerifyListener({ listen: address, arrivals: dealt?.verify, front, gate });
    } catch (error) {
      await frontDoor.close({ drainMs: 0 });
      return giveUp('verify', address, error);
    }
  }
  tlsReport.lookAtCertificates();
  const activeRequests = () => frontDoor.activeExchanges + (verifyListener?.activeQuestions ?? 0);

  /** Loads nothing of it where nothing is traced. */
  async function openTracing(): Promise<Tracing | undefined> {
    const { tracing: config } = first.settings;
    if (!wantsTracing(env, config)) return undefined;
    const { startTracing } = await import('../ops/tracing/start-tracing.ts');
    const address = (head: RequestHead) => clientAddress(head, current.policy.isTrustedProxy);
    return startTracing({ env, config: config === 'off' ? undefined : config, version, log, clientAddress: address });
  }

  /** Makes a config answer requests; nothing of the one before it changes. */
  function open(config: LoadedConfig, nowMs: number): Generation {
    const { policy, settings } = config;
    signingKeys.adopt(config.signingSlots, nowMs);
    applyLogSettings(log, settings.log, logChoice);
    const { format } = log;
    const { access } = settings.log;
    const logAccess = access && createAccessLog({ access, format, policy, writer, traceIdOf: tracing?.traceIdOf });
    const gate = createGate({
      policy,
      verdicts,
      now: Date.now,
      newRequestId,
      tracer: tracing?.tracer,
      onFinish(outcome) {
        countOutcome(traffic, outcome);
        if (settings.admin !== undefined) refusals.note(outcome, { policy, keys: () => keysOf(config) });
        logAccess?.(outcome);
      },
    });
    return createGeneration({
      gate,
      onVerified: (milliseconds) => observe(traffic.verifyDurations, milliseconds / 1000),
      release: config.release,
    });
  }

  const serving: Serving = {
    address: frontDoor.address,
    verifyAddress: verifyListener?.address,
    get activeRequests() {
      return activeRequests();
    },
    measure: () => ({
      traffic,
      activeRequests: activeRequests(),
      verdictCache: verdicts.stats(),
      keySources: state.keySources.statuses(),
      revocations: state.revocations.statuses(),
      replays: state.replays.status(),
      tls: tlsReport.status(),
      droppedLogLines: writer.droppedLines,
      spans: tracing && { ...tracing.counts },
      process: processFigures(),
    }),
    refusals,
    explain: (question) =>
      explainQuestion(question, { policy: current.policy, keys: keysOf(current), nowMs: Date.now() }),
    awaited: () => namesAwaited(current.requiredSources),
    tenants: (query) => listTenants(current.policy, keysOf(current).sourcesOf, query),
    adopt(next, nowMs = Date.now()) {
      const { policy, settings, upstreamKeys } = next;
      if (!isDeepStrictEqual(settings.verdictCache, current.settings.verdictCache)) {
        verdicts = createVerdictCache(settings.verdictCache);
      }
      const retired = generation;
      current = next;
      generation = open(next, nowMs);
      retired.retire();
      if (settings.tls !== undefined) frontDoor.useTls(settings.tls);
      tlsReport.lookAtCertificates();
      frontDoor.retainUpstreams(upstreamKeys);
      forgetTenants(traffic, policy.tenants);
    },
    useTicketSecret: frontDoor.useTicketSecret,
    async drain(waits) {
      await Promise.all([frontDoor.close(waits), verifyListener?.close(waits)]);
      tlsReport.close();
      await tracing?.close(flushMs);
    },
  };
  return { kind: 'serving', serving };
}

function keysOf({ remoteKeys }: LoadedConfig): KeysAtHand {
  return {
    sourcesOf: (tenant) => (remoteKeys.get(tenant) ?? []).map(({ status }) => status()),
    nowMs: Date.now(),
  };
}
