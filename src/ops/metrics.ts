import { reasonNames } from '../gate/reasons.ts';
import type { KeySourceState, KeySourceStatus } from '../keys/key-source-status.ts';
import type { RevocationStatus } from '../state/revocation-lists.ts';
import { boundLabels } from './bound-labels.ts';
import { family, histogramFamily, type Sample } from './exposition.ts';
import type { Measured } from './measured.ts';
import type { ReloadReport } from './reload-report.ts';
import type { TenantCounts } from './traffic.ts';

/** What a scrape shows. Everything is looked up when it is asked for: nothing here costs a request anything. */
export interface MetricSources {
  readonly measured: Measured;
  readonly build: { readonly version: string; readonly commit: string; readonly runtime: string };
  readonly reloads: Pick<
    ReloadReport,
    'succeeded' | 'failed' | 'unchanged' | 'lastSucceeded' | 'lastSuccessMs' | 'needsRestart'
  >;
  readonly startedAtMs: number;
  /** The config being served. */
  readonly config: { readonly generation: number; readonly hash: string; readonly tenants: number };
  /** Undefined where one process is all there is. */
  readonly workers?: WorkersStatus | undefined;
}

export interface WorkersStatus {
  readonly wanted: number;
  /** By number, with the client connections of each. */
  readonly serving: readonly { readonly index: number; readonly open: number }[];
  /** Workers lost since the start, by cause. */
  readonly losses: Readonly<Record<string, number>>;
}

/** One number for two. */
type Merge = (a: number, b: number) => number;

/** The whole answer to a scrape. */
export function renderMetrics(sources: MetricSources): string {
  return [
    ...requestFamilies(sources.measured),
    ...stateFamilies(sources),
    ...keyFamilies(sources.measured),
    ...revocationFamilies(sources.measured),
    ...replayFamilies(sources.measured),
    ...tlsFamilies(sources.measured),
    ...workerFamilies(sources),
    ...processFamilies(sources),
  ].join('');
}

function requestFamilies({ traffic, activeRequests }: Measured): string[] {
  const requests: Sample[] = [];
  for (const [tenant, counts] of traffic.tenants) pushCounts(requests, tenant, counts);
  pushCounts(requests, '_other', traffic.otherTenants);
  pushCounts(requests, '_unknown', traffic.unknownTenant);
  return [
    family(
      'jwtgate_requests_total',
      'counter',
      'Finished requests by tenant, decision (allow, deny, report, answer) and reason. Tenant _unknown: none was recognised; _other: beyond the first 1000.',
      requests,
    ),
    histogramFamily(
      'jwtgate_request_duration_seconds',
      'From the first byte of a request to the end of its exchange.',
      Object.entries(traffic.durations).map(([decision, histogram]) => ({ labels: { decision }, ...histogram })),
    ),
    histogramFamily(
      'jwtgate_upstream_duration_seconds',
      "From forwarding a request's head to the upstream's response head.",
      [{ labels: {}, ...traffic.upstreamDurations }],
    ),
    histogramFamily(
      'jwtgate_verify_duration_seconds',
      'Time to judge a request whose signature had to be verified, waiting for keys included.',
      [{ labels: {}, ...traffic.verifyDurations }],
    ),
    family(
      'jwtgate_responses_total',
      'counter',
      'Responses by class of status; none: the client left before one was sent.',
      traffic.statusClasses.map((count, digit) => [{ class: digit === 0 ? 'none' : `${digit}xx` }, count]),
    ),
    family('jwtgate_request_lane_total', 'counter', 'Finished requests by lane.', labelled('lane', traffic.lanes)),
    family('jwtgate_request_end_total', 'counter', 'How exchanges ended.', labelled('end', traffic.ends)),
    family('jwtgate_body_bytes_total', 'counter', 'Body bytes by direction.', labelled('direction', traffic.bodyBytes)),
    family('jwtgate_active_requests', 'gauge', 'Requests under way.', [[{}, activeRequests]]),
  ];
}

function stateFamilies(sources: MetricSources): string[] {
  const { reloads, build, config } = sources;
  const { traffic, verdictCache: cache, droppedLogLines, spans } = sources.measured;
  return [
    family('jwtgate_verdict_cache_hits_total', 'counter', 'Signatures whose verdict was cached.', [
      [{}, traffic.verdicts.hits],
    ]),
    family('jwtgate_verdict_cache_misses_total', 'counter', 'Signatures that had to be verified.', [
      [{}, traffic.verdicts.misses],
    ]),
    ...(cache === undefined
      ? []
      : [
          family('jwtgate_verdict_cache_entries', 'gauge', 'Verdicts held.', [[{}, cache.entries]]),
          family('jwtgate_verdict_cache_bytes', 'gauge', 'Estimated size of the verdicts held.', [[{}, cache.bytes]]),
        ]),
    family('jwtgate_tenants', 'gauge', 'Tenants in the config being served.', [[{}, config.tenants]]),
    family('jwtgate_config_info', 'gauge', 'The config being served.', [
      [{ hash: config.hash, generation: String(config.generation) }, 1],
    ]),
    family('jwtgate_config_last_reload_successful', 'gauge', 'Whether the last attempt to load the config succeeded.', [
      [{}, reloads.lastSucceeded ? 1 : 0],
    ]),
    family(
      'jwtgate_config_last_reload_success_timestamp_seconds',
      'gauge',
      'When the config being served was last found good.',
      [[{}, reloads.lastSuccessMs / 1000]],
    ),
    family('jwtgate_config_reloads_total', 'counter', 'Attempts to load the config since the start.', [
      [{ result: 'succeeded' }, reloads.succeeded],
      [{ result: 'failed' }, reloads.failed],
      [{ result: 'unchanged' }, reloads.unchanged],
    ]),
    family(
      'jwtgate_config_restart_required',
      'gauge',
      'Whether the config asks for something only a restart can bring.',
      [[{}, reloads.needsRestart.length > 0 ? 1 : 0]],
    ),
    family('jwtgate_log_lines_dropped_total', 'counter', 'Log lines given up because stdout was slow or closed.', [
      [{}, droppedLogLines],
    ]),
    family(
      'jwtgate_trace_spans_total',
      'counter',
      'Spans by what became of them: exported, dropped (the queue was full) or failed (the collector did not take them).',
      labelled('result', spans === undefined ? {} : { ...spans }),
    ),
    family('jwtgate_build_info', 'gauge', 'What is running.', [[build, 1]]),
  ];
}

function keyFamilies({ keySources }: Measured): string[] {
  const sources = boundLabels(Map.groupBy(keySources, (status) => status.url));
  // Tenants may ask for one URL in different ways: the worst of them is shown.
  const worst = (value: (status: KeySourceStatus) => number, pick: Merge): Sample[] =>
    sources.map(([source, statuses]) => [{ source }, statuses.map(value).reduce((a, b) => pick(a, b))]);
  return [
    family(
      'jwtgate_jwks_keys',
      'gauge',
      'Usable keys of a key source.',
      worst((status) => status.keys.length, Math.min),
    ),
    family(
      'jwtgate_jwks_keys_skipped',
      'gauge',
      'Keys of a key source that cannot be used.',
      worst((status) => status.skipped.length, Math.max),
    ),
    family(
      'jwtgate_jwks_state',
      'gauge',
      'Whether a key source is waiting for its first answer, fresh, stale (used past its time) or absent.',
      sources.flatMap(([source, statuses]) =>
        keySourceStates.map(
          (state): Sample => [{ source, state }, statuses.some((status) => status.state === state) ? 1 : 0],
        ),
      ),
    ),
    family(
      'jwtgate_jwks_last_success_timestamp_seconds',
      'gauge',
      'When a key source was last fetched; 0: never.',
      worst((status) => (status.lastSuccessMs ?? 0) / 1000, Math.min),
    ),
    family(
      'jwtgate_jwks_consecutive_failures',
      'gauge',
      'Failed fetches of a key source since its last success.',
      worst((status) => status.failures, Math.max),
    ),
    family(
      'jwtgate_jwks_fetches_total',
      'counter',
      'Fetches of a key source by result.',
      sources.flatMap(([source, statuses]) => fetchCounts(source, statuses)),
    ),
  ];
}

const keySourceStates = ['waiting', 'fresh', 'stale', 'absent'] as const satisfies readonly KeySourceState[];

function fetchCounts(source: string, statuses: readonly KeySourceStatus[]): Sample[] {
  const counts = new Map<string, number>();
  for (const { fetches } of statuses) {
    for (const [result, count] of Object.entries(fetches)) counts.set(result, (counts.get(result) ?? 0) + count);
  }
  return [...counts].map(([result, count]) => [{ source, result }, count]);
}

function revocationFamilies({ revocations }: Measured): string[] {
  const byList = Map.groupBy(revocations, (status) => status.url);
  // A file's former content is held beside its new one for as long as requests began with it: the newest comes last.
  const newest = new Map([...byList].map(([list, statuses]) => [list, [statuses.at(-1) as RevocationStatus]]));
  const lists = boundLabels(newest);
  const sum: Merge = (a, b) => a + b;
  const each = (value: (status: RevocationStatus) => number, pick: Merge): Sample[] =>
    lists.map(([list, statuses]) => [{ list }, statuses.map(value).reduce((a, b) => pick(a, b))]);
  return [
    family(
      'jwtgate_revocation_entries',
      'gauge',
      'Entries of a revocation list.',
      each(({ entries }) => entries, sum),
    ),
    family(
      'jwtgate_revocation_skipped_entries',
      'gauge',
      'Members of a list in Redis that are no entry, and so revoke nothing.',
      each(({ skipped }) => skipped, sum),
    ),
    family(
      'jwtgate_revocation_bytes',
      'gauge',
      'Memory that a revocation list takes.',
      each(({ bytes }) => bytes, sum),
    ),
    family(
      'jwtgate_revocation_last_success_timestamp_seconds',
      'gauge',
      'When a revocation list was last read or fetched; 0: never.',
      each(({ lastSuccessMs }) => (lastSuccessMs ?? 0) / 1000, Math.min),
    ),
    family(
      'jwtgate_revocation_consecutive_failures',
      'gauge',
      'Attempts to fetch a revocation list that failed since the last success; the list before them is in force.',
      boundLabels(byList).map(([list, statuses]) => [
        { list },
        statuses.reduce((most, { failures }) => Math.max(most, failures), 0),
      ]),
    ),
  ];
}

function replayFamilies({ replays: { entries, shared } }: Measured): string[] {
  return [
    family('jwtgate_replay_entries', 'gauge', 'Used tokens remembered in memory.', [[{}, entries]]),
    family(
      'jwtgate_replay_store_up',
      'gauge',
      'Whether the store in which replicas share used tokens is connected.',
      shared.map(({ store, connected }): Sample => [{ store }, connected ? 1 : 0]),
    ),
  ];
}

function tlsFamilies({ tls }: Measured): string[] {
  return [
    family(
      'jwtgate_certificate_expiry_timestamp_seconds',
      'gauge',
      'When the first of these certificates expires: listen (the server certificate and its chain), clientCa.',
      Object.entries(tls?.expiryMs ?? {}).map(([certificate, ms]): Sample => [{ certificate }, ms / 1000]),
    ),
    family(
      'jwtgate_tls_handshakes_total',
      'counter',
      'TLS handshakes by how they ended.',
      [...(tls?.handshakes ?? [])].map(([result, count]): Sample => [{ result }, count]),
    ),
    family(
      'jwtgate_http2_connections_total',
      'counter',
      'Connections of HTTP/2 clients that have ended, by how.',
      [...(tls?.http2 ?? [])].map(([result, count]): Sample => [{ result }, count]),
    ),
  ];
}

function workerFamilies({ workers }: MetricSources): string[] {
  if (workers === undefined) return [];
  const { wanted, serving, losses } = workers;
  return [
    family('jwtgate_workers', 'gauge', 'Processes that are to serve.', [[{}, wanted]]),
    family('jwtgate_workers_serving', 'gauge', 'Processes that serve.', [[{}, serving.length]]),
    family(
      'jwtgate_worker_losses_total',
      'counter',
      'Processes that served and ended (crash), were killed as they said nothing (silence), or never came to serve (start).',
      labelled('cause', losses),
    ),
    family(
      'jwtgate_worker_connections',
      'gauge',
      'Client connections by worker.',
      serving.map(({ index, open }): Sample => [{ worker: String(index) }, open]),
    ),
  ];
}

function processFamilies({ measured, startedAtMs }: MetricSources): string[] {
  const { cpuS, residentBytes, privateBytes, heapBytes, externalBytes, eventLoopUtilization } = measured.process;
  return [
    family('process_cpu_seconds_total', 'counter', 'CPU time, user and system.', [[{}, cpuS]]),
    family('process_resident_memory_bytes', 'gauge', 'Resident memory, file-backed pages included.', [
      [{}, residentBytes],
    ]),
    ...(privateBytes === undefined
      ? []
      : [
          family('jwtgate_private_memory_bytes', 'gauge', 'Resident memory that is not file-backed.', [
            [{}, privateBytes],
          ]),
        ]),
    family('nodejs_heap_size_used_bytes', 'gauge', 'JavaScript heap in use.', [[{}, heapBytes]]),
    family('nodejs_external_memory_bytes', 'gauge', 'Memory held outside the JavaScript heap.', [[{}, externalBytes]]),
    family('nodejs_eventloop_utilization', 'gauge', 'Share of time the event loop was busy since the start.', [
      [{}, eventLoopUtilization],
    ]),
    family('process_start_time_seconds', 'gauge', 'When the process started.', [[{}, startedAtMs / 1000]]),
  ];
}

function pushCounts(samples: Sample[], tenant: string, counts: TenantCounts): void {
  for (const decision of ['allow', 'answer'] as const) {
    if (counts[decision] > 0) samples.push([{ tenant, decision, reason: '' }, counts[decision]]);
  }
  for (const decision of ['deny', 'report'] as const) {
    counts[decision].forEach((count, index) => {
      if (count > 0) samples.push([{ tenant, decision, reason: reasonNames[index] as string }, count]);
    });
  }
}

function labelled(name: string, counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([value, count]) => [{ [name]: value }, count]);
}
