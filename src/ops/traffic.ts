import type { Outcome } from '../gate/gate.ts';
import { type Reason, reasonNames } from '../gate/reasons.ts';
import { type DecisionWord, decisionWord } from './access-log.ts';
import { maxLabelValues } from './bound-labels.ts';

/**
 * What the metrics know of requests, as plain numbers: counting one costs a map look-up and a few additions. Labels
 * are made when somebody scrapes.
 */
export interface Traffic {
  readonly tenants: Map<string, TenantCounts>;
  /** Requests for which no tenant was recognised; whatever a client makes up shares this one entry. */
  readonly unknownTenant: TenantCounts;
  /** Tenants beyond the first `maxLabelValues` that had a request. */
  readonly otherTenants: TenantCounts;
  readonly durations: { readonly [word in DecisionWord]: Histogram };
  readonly upstreamDurations: Histogram;
  readonly verifyDurations: Histogram;
  readonly lanes: { fast: number; node: number; http2: number; verify: number };
  readonly ends: { complete: number; clientGone: number; upstreamGone: number; permitEnded: number };
  /** Index: first digit of the status; 0 where the client left before one was sent. */
  readonly statusClasses: number[];
  readonly bodyBytes: { request: number; response: number };
  readonly verdicts: { hits: number; misses: number };
}

export interface TenantCounts {
  allow: number;
  answer: number;
  /** Index: the reason's place in `reasonNames`. */
  readonly deny: number[];
  readonly report: number[];
}

/** Cumulation, sum and count are made at scrape time. */
export interface Histogram {
  readonly boundsS: readonly number[];
  /** One more than bounds: the last holds what was above all of them. */
  readonly buckets: number[];
  sumS: number;
}

const exchangeBoundsS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const verifyBoundsS = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];

const reasonIndex = Object.fromEntries(reasonNames.map((name, index) => [name, index])) as Record<Reason, number>;

/** All counts at zero. */
export function zeroTraffic(): Traffic {
  return {
    tenants: new Map(),
    unknownTenant: zeroCounts(),
    otherTenants: zeroCounts(),
    durations: {
      allow: histogram(exchangeBoundsS),
      deny: histogram(exchangeBoundsS),
      report: histogram(exchangeBoundsS),
      answer: histogram(exchangeBoundsS),
    },
    upstreamDurations: histogram(exchangeBoundsS),
    verifyDurations: histogram(verifyBoundsS),
    lanes: { fast: 0, node: 0, http2: 0, verify: 0 },
    ends: { complete: 0, clientGone: 0, upstreamGone: 0, permitEnded: 0 },
    statusClasses: [0, 0, 0, 0, 0, 0],
    bodyBytes: { request: 0, response: 0 },
    verdicts: { hits: 0, misses: 0 },
  };
}

/** Counts one finished request. */
export function countOutcome(traffic: Traffic, outcome: Outcome): void {
  const { decision } = outcome;
  const { facts } = decision;
  const word = decisionWord(outcome);
  const counts = countsOf(traffic, facts.tenant);
  if (decision.kind === 'refused') increment(counts.deny, reasonIndex[decision.reason]);
  else if (facts.wouldRefuse !== undefined) increment(counts.report, reasonIndex[facts.wouldRefuse]);
  else if (word === 'answer') counts.answer++;
  else counts.allow++;

  observe(traffic.durations[word], outcome.durationMs / 1000);
  if (outcome.upstreamMs !== undefined) observe(traffic.upstreamDurations, outcome.upstreamMs / 1000);
  if (facts.cached !== undefined) traffic.verdicts[facts.cached ? 'hits' : 'misses']++;
  traffic.lanes[outcome.lane]++;
  traffic.ends[outcome.end]++;
  increment(traffic.statusClasses, Math.min(5, Math.floor(outcome.status / 100)));
  traffic.bodyBytes.request += outcome.requestBytes;
  traffic.bodyBytes.response += outcome.responseBytes;
}

/** Adds one duration, in seconds. */
export function observe(target: Histogram, seconds: number): void {
  const { boundsS } = target;
  let index = 0;
  while (index < boundsS.length && seconds > (boundsS[index] as number)) index++;
  increment(target.buckets, index);
  target.sumS += seconds;
}

/** Forgets the counts of tenants that a reload removed: their place is free for others. */
export function forgetTenants(traffic: Traffic, kept: { has(tenant: string): boolean }): void {
  for (const id of traffic.tenants.keys()) {
    if (!kept.has(id)) traffic.tenants.delete(id);
  }
}

function countsOf(traffic: Traffic, tenant: string | undefined): TenantCounts {
  if (tenant === undefined) return traffic.unknownTenant;
  const known = traffic.tenants.get(tenant);
  if (known !== undefined) return known;
  if (traffic.tenants.size >= maxLabelValues) return traffic.otherTenants;
  const counts = zeroCounts();
  traffic.tenants.set(tenant, counts);
  return counts;
}

/** One tenant's counts at zero. */
export function zeroCounts(): TenantCounts {
  return { allow: 0, answer: 0, deny: reasonNames.map(() => 0), report: reasonNames.map(() => 0) };
}

function histogram(boundsS: readonly number[]): Histogram {
  return { boundsS, buckets: new Array<number>(boundsS.length + 1).fill(0), sumS: 0 };
}

function increment(counts: number[], index: number): void {
  counts[index] = (counts[index] as number) + 1;
}
