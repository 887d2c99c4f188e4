import type { Traffic } from '../ops/traffic.ts';
import { acceptedAndRefused, type History, type Series, stepMs } from './history.ts';
import type { TenantFacts, TenantPage, TenantQuery } from './tenant-facts.ts';

export interface TenantRow extends TenantFacts {
  /** Since the start, or since a reload brought the tenant. Undefined: nothing was counted for it. */
  readonly accepted: number | undefined;
  readonly refused: number | undefined;
  /** A second, over the last half minute. */
  readonly acceptedRate: number;
  readonly refusedRate: number;
  /** The last five minutes. */
  readonly series: Series | undefined;
}

export interface TenantRows extends Omit<TenantPage, 'tenants'> {
  readonly rows: readonly TenantRow[];
  /** Requests of tenants that are not counted one by one, as there are too many. */
  readonly countedTogether: number;
}

export interface TenantRowsParts {
  readonly list: (query: TenantQuery) => TenantPage | Promise<TenantPage>;
  readonly traffic: Traffic;
  readonly history: History;
}

const mostRows = 200;
const rateSteps = 6;
const seriesSteps = 60;

/** Reads `search`, `from` and `count` (default 50) of a query; the busiest come first. */
export async function tenantRows(
  query: URLSearchParams,
  { list, traffic, history }: TenantRowsParts,
): Promise<TenantRows> {
  const page = await list({
    search: query.get('search')?.slice(0, 200) ?? '',
    first: history.busiest(),
    from: wholeNumber(query.get('from'), 0, Number.MAX_SAFE_INTEGER),
    count: wholeNumber(query.get('count'), 50, mostRows),
  });
  const together = acceptedAndRefused(traffic.otherTenants);
  return {
    total: page.total,
    found: page.found,
    rows: page.tenants.map((facts) => rowOf(facts, traffic, history)),
    countedTogether: together.accepted + together.refused,
  };
}

function rowOf(facts: TenantFacts, traffic: Traffic, history: History): TenantRow {
  const counts = traffic.tenants.get(facts.id);
  const totals = counts && acceptedAndRefused(counts);
  const series = history.tenant(facts.id);
  return {
    ...facts,
    accepted: totals?.accepted,
    refused: totals?.refused,
    acceptedRate: rateOf(series?.accepted),
    refusedRate: rateOf(series?.refused),
    series: series && {
      accepted: series.accepted.slice(-seriesSteps),
      refused: series.refused.slice(-seriesSteps),
    },
  };
}

function rateOf(values: readonly number[] = []): number {
  const last = values.slice(-rateSteps);
  const sum = last.reduce((total, value) => total + value, 0);
  return last.length === 0 ? 0 : sum / ((last.length * stepMs) / 1000);
}

function wholeNumber(text: string | null, missing: number, most: number): number {
  if (text === null || !/^\d{1,15}$/.test(text)) return missing;
  return Math.min(Number(text), most);
}
