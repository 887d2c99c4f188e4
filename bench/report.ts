import type { BenchCase, Goal } from './cases/bench-case.ts';
import type { Machine } from './machine.ts';
import { type MetricName, metrics } from './metrics.ts';
import { findRatio, findSpread, type Result } from './results.ts';
import type { Spread } from './statistics.ts';
import { type TargetName, targetNames } from './targets/target.ts';

/** The machine line: figures of different machines, or of a busy one, can't be compared. */
export function formatMachine(machine: Machine): string {
  const { haproxy, nginx, wrk } = machine.versions;
  return (
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, ${machine.date}\n` +
    `haproxy ${haproxy}, nginx ${nginx}, wrk ${wrk}; load average at the start ${machine.loadAverage.toFixed(2)}` +
    `${machine.loadAverage > 0.3 ? '  ← somebody else is working here: take care with these figures' : ''}`
  );
}

/** One case's table, its ratios and how it stands to its goals. */
export function formatCase(benchCase: BenchCase, results: readonly Result[]): string {
  const own = results.filter((result) => result.case === benchCase.name);
  const targets = targetNames.filter((name) => own.some((result) => result.target === name));
  const rows = targets.map((target) => [
    target,
    ...benchCase.columns.map((metric) => {
      const spread = findSpread(results, { case: benchCase.name, target, metric });
      return metric === 'cpuUs' || metric === 'p99Ms' ? formatSpread(spread, metric) : formatMedian(spread, metric);
    }),
  ]);
  const head = ['', ...benchCase.columns.map((metric) => metrics[metric].title)];
  const notes = own.flatMap(({ target, round, notes }) =>
    notes.map((note) => `  ! ${target}, round ${round}: ${note}`),
  );
  return [
    `\n## ${benchCase.name}: ${benchCase.title}`,
    formatTable([head, ...rows]),
    ...formatRatios(benchCase, targets, results),
    ...benchCase.goals.flatMap((goal) => formatGoal(benchCase, goal, results)),
    ...new Set(notes),
  ].join('\n');
}

function formatRatios(benchCase: BenchCase, targets: readonly TargetName[], results: readonly Result[]): string[] {
  const metric = benchCase.columns.find((name) => name === 'cpuUs' || name === 'idleKib');
  if (metric === undefined || !targets.includes('jwtgate')) return [];
  const ratios = targets.flatMap((target) => {
    const over = { case: benchCase.name, target: 'jwtgate', metric } as const;
    const ratio = target === 'jwtgate' ? undefined : findRatio(results, over, { ...over, target });
    return ratio === undefined ? [] : [`${formatFactor(ratio)} ${target}`];
  });
  return ratios.length === 0 ? [] : [`  jwtgate's ${metrics[metric].title} = ${ratios.join(';  ')}`];
}

function formatGoal(benchCase: BenchCase, goal: Goal, results: readonly Result[]): string[] {
  const own = { case: benchCase.name, target: 'jwtgate', metric: goal.metric } as const;
  const base = goal.relativeTo;
  const value =
    base === undefined ? findSpread(results, own) : findRatio(results, own, { ...base, metric: goal.metric });
  if (value === undefined) return [];
  const met = goal.bound === 'at most' ? value.median <= goal.limit : value.median >= goal.limit;
  const yardstick =
    base === undefined ? '' : ` × ${base.target}${base.case === benchCase.name ? '' : ` (${base.case})`}`;
  const measured = base === undefined ? formatMedian(value, goal.metric) : value.median.toFixed(2);
  return [
    `  ${met ? '✓' : '✗'} ${metrics[goal.metric].title}: ${measured}${yardstick}, goal ${goal.bound} ${goal.limit}`,
  ];
}

function formatMedian(spread: Spread | undefined, metric: MetricName): string {
  return spread === undefined ? '-' : spread.median.toFixed(metrics[metric].decimals);
}

function formatSpread(spread: Spread | undefined, metric: MetricName): string {
  if (spread === undefined) return '-';
  const { decimals } = metrics[metric];
  return `${spread.median.toFixed(decimals)} (${spread.min.toFixed(decimals)}–${spread.max.toFixed(decimals)})`;
}

function formatFactor({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)}) ×`;
}

/** Columns as wide as their widest cell: names to the left, figures to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => `  ${row.map(pad).join('  ')}`).join('\n');
}
