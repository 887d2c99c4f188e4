import { type Reason, reasonNames } from '../gate/reasons.ts';
import type { TenantCounts, Traffic } from '../ops/traffic.ts';

/** One step of every series, in milliseconds. */
export const stepMs = 5_000;
/** Ten minutes. */
export const keptSteps = 120;

/** Requests in each step, the newest last. */
export interface Series {
  readonly accepted: readonly number[];
  readonly refused: readonly number[];
}

export interface RefusalSeries {
  /** Only reasons for which there was anything; what `mode: report` let through counts under its reason too. */
  readonly refused: Readonly<Partial<Record<Reason, readonly number[]>>>;
  readonly reported: Readonly<Partial<Record<Reason, readonly number[]>>>;
  readonly accepted: readonly number[];
}

/** What the last minutes brought, from counters that only grow. */
export interface History {
  /** To be called once a step, with the counters of that moment. */
  take(traffic: Traffic): void;
  /** Steps taken so far, at most `keptSteps`: all series are as long. */
  readonly length: number;
  readonly all: RefusalSeries;
  /** Undefined: nothing of it was counted in this time. */
  tenant(id: string): Series | undefined;
  /** Those that had requests in this time, the busiest first. */
  busiest(): readonly string[];
}

/**
 * Keeps the growth of each step, never the counters: memory depends on what had traffic in this time, and is bounded by
 * the number of tenants that are counted one by one.
 */
export function createHistory(): History {
  const accepted = createLine();
  const refused = reasonNames.map(createLine);
  const reported = reasonNames.map(createLine);
  const tenants = new Map<string, { readonly accepted: Line; readonly refused: Line; lastStep: number }>();
  let step = 0;
  let before: Totals = { accepted: 0, refused: zeros(), reported: zeros(), tenants: new Map() };

  function take(traffic: Traffic): void {
    const now = totalsOf(traffic);
    accepted.put(step, growth(before.accepted, now.accepted));
    for (const [index, line] of refused.entries()) {
      line.put(step, growth(before.refused[index] as number, now.refused[index] as number));
    }
    for (const [index, line] of reported.entries()) {
      line.put(step, growth(before.reported[index] as number, now.reported[index] as number));
    }
    for (const [id, counts] of now.tenants) {
      const was = before.tenants.get(id) ?? { accepted: 0, refused: 0 };
      const grown = { accepted: growth(was.accepted, counts.accepted), refused: growth(was.refused, counts.refused) };
      if (grown.accepted + grown.refused === 0) continue;
      const lines = tenants.get(id) ?? { accepted: createLine(), refused: createLine(), lastStep: step };
      tenants.set(id, lines);
      lines.accepted.put(step, grown.accepted);
      lines.refused.put(step, grown.refused);
      lines.lastStep = step;
    }
    for (const [id, { lastStep }] of tenants) if (step - lastStep >= keptSteps) tenants.delete(id);
    before = now;
    step++;
  }

  const byReason = (lines: readonly Line[]): Partial<Record<Reason, readonly number[]>> =>
    Object.fromEntries(
      reasonNames.flatMap((reason, index) => {
        const values = (lines[index] as Line).read(step);
        return values.some((value) => value > 0) ? [[reason, values]] : [];
      }),
    );
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

  return {
    take,
    get length() {
      return Math.min(step, keptSteps);
    },
    get all() {
      return { accepted: accepted.read(step), refused: byReason(refused), reported: byReason(reported) };
    },
    tenant(id) {
      const lines = tenants.get(id);
      return lines && { accepted: lines.accepted.read(step), refused: lines.refused.read(step) };
    },
    busiest: () =>
      [...tenants]
        .map(([id, lines]) => ({ id, requests: sum(lines.accepted.read(step)) + sum(lines.refused.read(step)) }))
        .sort((a, b) => b.requests - a.requests || (a.id < b.id ? -1 : 1))
        .map(({ id }) => id),
  };
}

/** A ring of the last steps; a step that was not put is 0. */
interface Line {
  put(step: number, value: number): void;
  /** Up to but not including this step. */
  read(step: number): number[];
}

function createLine(): Line {
  const values = new Float64Array(keptSteps);
  const steps = new Float64Array(keptSteps).fill(-1);
  return {
    put(step, value) {
      values[step % keptSteps] = value;
      steps[step % keptSteps] = step;
    },
    read(step) {
      const from = Math.max(0, step - keptSteps);
      return Array.from({ length: step - from }, (_, index) => {
        const at = (from + index) % keptSteps;
        return steps[at] === from + index ? (values[at] as number) : 0;
      });
    },
  };
}

interface Totals {
  readonly accepted: number;
  /** By the reason's place in `reasonNames`. */
  readonly refused: readonly number[];
  readonly reported: readonly number[];
  readonly tenants: ReadonlyMap<string, { readonly accepted: number; readonly refused: number }>;
}

function totalsOf({ tenants, unknownTenant, otherTenants }: Traffic): Totals {
  const everyone: TenantCounts[] = [...tenants.values(), unknownTenant, otherTenants];
  const refused = zeros();
  const reported = zeros();
  let accepted = 0;
  for (const counts of everyone) {
    accepted += counts.allow + counts.answer;
    for (const [index, count] of counts.deny.entries()) refused[index] = (refused[index] as number) + count;
    for (const [index, count] of counts.report.entries()) reported[index] = (reported[index] as number) + count;
  }
  return {
    accepted,
    refused,
    reported,
    tenants: new Map(tenants.entries().map(([id, counts]) => [id, acceptedAndRefused(counts)])),
  };
}

/** Totals since the start; what `mode: report` let through would have been refused. */
export function acceptedAndRefused(counts: TenantCounts): { readonly accepted: number; readonly refused: number } {
  let refused = 0;
  for (const count of counts.deny) refused += count;
  for (const count of counts.report) refused += count;
  return { accepted: counts.allow + counts.answer, refused };
}

/** A counter that became smaller began anew: its tenant was removed and came back. */
function growth(before: number, now: number): number {
  return now >= before ? now - before : now;
}

function zeros(): number[] {
  return reasonNames.map(() => 0);
}
