import type { RefusalSeries } from '../src/status/history.ts';
import { svg } from './element.ts';
import { count } from './figures.ts';

export interface Layer {
  readonly reason: string;
  /** Refusals in each step, oldest first. */
  readonly values: readonly number[];
  readonly total: number;
  readonly tone: string;
}

const tones = 10;
const width = 600;
const height = 120;
const top = 14;

/** One layer a reason, the most frequent first; what `mode: report` let through is a layer of its own. */
export function layersOf({ refused, reported }: RefusalSeries): Layer[] {
  const named = [
    ...Object.entries(refused),
    ...Object.entries(reported).map(([reason, values]) => [`${reason} (reported)`, values] as const),
  ];
  return named
    .map(([reason, values]) => ({ reason, values, total: values.reduce((sum, value) => sum + value, 0) }))
    .sort((a, b) => b.total - a.total || (a.reason < b.reason ? -1 : 1))
    .map((layer, index) => ({ ...layer, tone: `tone${index % tones}` }));
}

/** Stacked bars, one a step. */
export function drawChart(layers: readonly Layer[], steps: number, slots: number, stepMs: number): SVGElement {
  const sums = Array.from({ length: steps }, (_, step) =>
    layers.reduce((sum, { values }) => sum + (values[step] ?? 0), 0),
  );
  const most = Math.max(1, ...sums);
  const slot = width / slots;
  const chart = svg('svg', {
    class: 'chart',
    viewBox: `0 0 ${width} ${height + top}`,
    preserveAspectRatio: 'none',
    role: 'img',
    'aria-label': describe(layers, slots, stepMs),
  });
  chart.append(svg('line', { class: 'rule', x1: '0', x2: `${width}`, y1: `${top}`, y2: `${top}` }));
  for (let step = 0; step < steps; step++) {
    let below = 0;
    for (const { values, tone } of layers) {
      const share = ((values[step] ?? 0) / most) * height;
      if (share === 0) continue;
      below += share;
      const x = (slots - steps + step) * slot;
      chart.append(
        svg('rect', {
          class: tone,
          x: x.toFixed(2),
          y: (top + height - below).toFixed(2),
          width: (slot * 0.9).toFixed(2),
          height: share.toFixed(2),
        }),
      );
    }
  }
  return chart;
}

/** The highest bar, for people who look; `describe` has the sums for those who listen. */
export function highest(layers: readonly Layer[], stepMs: number): string {
  const steps = layers[0]?.values.length ?? 0;
  let most = 0;
  for (let step = 0; step < steps; step++) {
    most = Math.max(
      most,
      layers.reduce((sum, { values }) => sum + (values[step] ?? 0), 0),
    );
  }
  return `at most ${count(most)} in ${stepMs / 1000} s`;
}

function describe(layers: readonly Layer[], slots: number, stepMs: number): string {
  const minutes = (slots * stepMs) / 60_000;
  if (layers.length === 0) return `No refusals in the last ${minutes} minutes`;
  const sums = layers.map(({ reason, total }) => `${reason} ${count(total)}`).join(', ');
  return `Refusals of the last ${minutes} minutes: ${sums}`;
}
