import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { Decision } from '../../src/gate/decision.ts';
import type { Outcome } from '../../src/gate/gate.ts';
import { reasonNames } from '../../src/gate/reasons.ts';
import type { KeySourceStatus } from '../../src/keys/key-source-status.ts';
import { maxLabelValues } from '../../src/ops/bound-labels.ts';
import type { Measured } from '../../src/ops/measured.ts';
import { renderMetrics } from '../../src/ops/metrics.ts';
import { countOutcome, forgetTenants, observe, zeroTraffic } from '../../src/ops/traffic.ts';
import { findSample, parseExposition } from '../support/exposition-parser.ts';
import { measured, metricSources } from '../support/measured.ts';

function outcome(facts: object, over: Partial<Outcome> = {}, refused: object | undefined = undefined): Outcome {
  return {
    head: undefined,
    // Only what counting reads of a decision.
    decision: { kind: refused ? 'refused' : 'allowed', facts, ...refused } as unknown as Decision,
    lane: 'node',
    status: refused ? 401 : 200,
    requestBytes: 10,
    responseBytes: 100,
    durationMs: 4,
    upstreamMs: refused ? undefined : 3,
    end: 'complete',
    ...over,
  };
}

function render(over: Partial<Measured> = {}): string {
  return renderMetrics(metricSources({ measured: measured(over) }));
}

function statusOf(over: Partial<KeySourceStatus>): KeySourceStatus {
  return {
    kind: 'jwks',
    url: 'https://id/jwks',
    state: 'waiting',
    readyOnce: false,
    keys: [],
    skipped: [],
    lastSuccessMs: undefined,
    lastError: undefined,
    nextFetchMs: undefined,
    failures: 0,
    fetches: {},
    ...over,
  };
}

test('requests are counted by tenant, decision and reason', () => {
  const traffic = zeroTraffic();
  countOutcome(traffic, outcome({ tenant: 'acme', cached: true }));
  countOutcome(traffic, outcome({ tenant: 'acme', cached: false }));
  countOutcome(traffic, outcome({ tenant: 'acme', wouldRefuse: 'tokenExpired' }));
  countOutcome(traffic, outcome({ tenant: 'acme' }, {}, { reason: 'signatureInvalid' }));
  countOutcome(traffic, outcome({ tenant: undefined }, {}, { reason: 'tenantUnknown' }));
  const text = render({ traffic });
  const count = (tenant: string, decision: string, reason: string) =>
    findSample(text, 'jwtgate_requests_total', { tenant, decision, reason });
  expect(count('acme', 'allow', '')).toBe(2);
  expect(count('acme', 'report', 'tokenExpired')).toBe(1);
  expect(count('acme', 'deny', 'signatureInvalid')).toBe(1);
  expect(count('_unknown', 'deny', 'tenantUnknown')).toBe(1);
  expect(findSample(text, 'jwtgate_verdict_cache_hits_total')).toBe(1);
  expect(findSample(text, 'jwtgate_verdict_cache_misses_total')).toBe(1);
  expect(findSample(text, 'jwtgate_responses_total', { class: '4xx' })).toBe(2);
  expect(findSample(text, 'jwtgate_body_bytes_total', { direction: 'response' })).toBe(500);
  expect(findSample(text, 'jwtgate_request_duration_seconds_count', { decision: 'deny' })).toBe(2);
  expect(findSample(text, 'jwtgate_upstream_duration_seconds_count')).toBe(3);
});

test('every reason can be counted', () => {
  const traffic = zeroTraffic();
  for (const reason of reasonNames) countOutcome(traffic, outcome({ tenant: 'acme' }, {}, { reason }));
  const text = render({ traffic });
  for (const reason of reasonNames) {
    expect(findSample(text, 'jwtgate_requests_total', { decision: 'deny', reason }), reason).toBe(1);
  }
});

test('tenants beyond the first thousand share one label, so that series stay bounded', () => {
  const traffic = zeroTraffic();
  for (let i = 0; i < maxLabelValues + 500; i++) countOutcome(traffic, outcome({ tenant: `t${i}` }));
  const series = parseExposition(render({ traffic })).filter(({ name }) => name === 'jwtgate_requests_total');
  expect(series.length).toBe(maxLabelValues + 1);
  expect(series.find(({ labels }) => labels.tenant === '_other')?.value).toBe(500);
});

test('a removed tenant gives its label up', () => {
  const traffic = zeroTraffic();
  countOutcome(traffic, outcome({ tenant: 'old' }));
  countOutcome(traffic, outcome({ tenant: 'kept' }));
  forgetTenants(traffic, new Map([['kept', 1]]));
  expect([...traffic.tenants.keys()]).toEqual(['kept']);
});

test('a histogram cumulates, and a value on a bound belongs to it', () => {
  const traffic = zeroTraffic();
  for (const seconds of [0, 0.001, 0.0011, 5, 10, 11]) observe(traffic.upstreamDurations, seconds);
  const text = render({ traffic });
  const bucket = (le: string) => findSample(text, 'jwtgate_upstream_duration_seconds_bucket', { le });
  expect([bucket('0.001'), bucket('0.0025'), bucket('5'), bucket('10'), bucket('+Inf')]).toEqual([2, 3, 4, 5, 6]);
  expect(findSample(text, 'jwtgate_upstream_duration_seconds_sum')).toBeCloseTo(26.0021);
});

test('odd label values are escaped, not trusted', () => {
  const traffic = zeroTraffic();
  countOutcome(traffic, outcome({ tenant: 'a"\\b\n} 1\nevil 2' }));
  const text = render({ traffic });
  expect(findSample(text, 'jwtgate_requests_total', { tenant: 'a"\\b\n} 1\nevil 2' })).toBe(1);
  expect(findSample(text, 'evil')).toBeUndefined();
});

test('key sources and failed reloads are told', () => {
  const text = renderMetrics(
    metricSources({
      reloads: {
        succeeded: 1,
        failed: 2,
        unchanged: 3,
        lastSucceeded: false,
        lastSuccessMs: 5_000,
        needsRestart: ['listen'],
      },
      measured: measured({
        keySources: [
          statusOf({ state: 'fresh', lastSuccessMs: 9_000, fetches: { fetched: 1 } }),
          statusOf({ state: 'absent', lastSuccessMs: undefined, fetches: { unreachable: 3, fetched: 1 }, failures: 3 }),
        ],
      }),
    }),
  );
  expect(findSample(text, 'jwtgate_config_last_reload_successful')).toBe(0);
  expect(findSample(text, 'jwtgate_config_reloads_total', { result: 'failed' })).toBe(2);
  expect(findSample(text, 'jwtgate_config_last_reload_success_timestamp_seconds')).toBe(5);
  expect(findSample(text, 'jwtgate_config_restart_required')).toBe(1);
  expect(findSample(text, 'jwtgate_jwks_last_success_timestamp_seconds')).toBe(0);
  expect(findSample(text, 'jwtgate_jwks_fetches_total', { source: 'https://id/jwks', result: 'fetched' })).toBe(2);
  expect(findSample(text, 'jwtgate_jwks_fetches_total', { result: 'unreachable' })).toBe(3);
  expect(findSample(text, 'jwtgate_jwks_state', { state: 'absent' })).toBe(1);
  expect(findSample(text, 'jwtgate_jwks_state', { state: 'stale' })).toBe(0);
  expect(findSample(text, 'jwtgate_jwks_consecutive_failures')).toBe(3);
});

test('key sources and revocation lists beyond the first thousand share one label, which shows the worst of them', () => {
  const many = Array.from({ length: maxLabelValues + 50 }, (_, i) => i);
  const text = render({
    keySources: many.map((i) =>
      statusOf({ url: `https://id/${i}`, state: i === 1_020 ? 'absent' : 'fresh', failures: i }),
    ),
    revocations: many.map((i) => ({
      url: `https://list/${i}`,
      entries: 1,
      skipped: 0,
      bytes: 2,
      lastSuccessMs: 1_000 * i,
      failures: i,
    })) as never,
  });
  const series = parseExposition(text);
  for (const [label, name] of [
    ['source', 'jwtgate_jwks_keys'],
    ['list', 'jwtgate_revocation_entries'],
  ] as const) {
    const values = new Set(series.filter((each) => each.name === name).map(({ labels }) => labels[label]));
    expect(values.size, name).toBe(maxLabelValues + 1);
  }
  const other = { source: '_other' };
  expect(findSample(text, 'jwtgate_jwks_consecutive_failures', other)).toBe(1_049);
  expect(findSample(text, 'jwtgate_jwks_state', { ...other, state: 'absent' })).toBe(1);
  expect(findSample(text, 'jwtgate_revocation_entries', { list: '_other' })).toBe(50);
  expect(findSample(text, 'jwtgate_revocation_last_success_timestamp_seconds', { list: '_other' })).toBe(1_000);
  expect(findSample(text, 'jwtgate_revocation_consecutive_failures', { list: '_other' })).toBe(1_049);
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

test.skipIf(!hasPromtool)(`promtool finds no fault with any family${hasPromtool ? '' : ' (needs promtool)'}`, () => {
  const traffic = zeroTraffic();
  for (const reason of reasonNames) countOutcome(traffic, outcome({ tenant: 'acme' }, {}, { reason }));
  const text = render({
    traffic,
    keySources: [statusOf({ state: 'fresh', fetches: { fetched: 1, unreachable: 2 } })],
    revocations: [{ url: 'https://list', entries: 1, skipped: 0, bytes: 2, lastSuccessMs: 1, failures: 0 }] as never,
    replays: { entries: 1, shared: [{ store: 'redis://store', connected: true }] } as never,
    spans: { exported: 1, dropped: 0, failed: 0 },
    tls: { expiryMs: { listen: 1_000 }, handshakes: new Map([['ok', 1]]), http2: new Map([['complete', 1]]) } as never,
  });
  const families = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const withSamples = parseExposition(text).map(({ name }) => name.replace(/_(?:bucket|sum|count)$/, ''));
  expect([...families].filter((name) => !withSamples.includes(name as string))).toEqual([]);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
});
