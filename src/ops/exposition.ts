/** The Prometheus text format (version 0.0.4), written from plain numbers. */

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number];

export const expositionContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** One metric family: a counter's name ends in `_total`, units are seconds and bytes. */
export function family(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): string {
  let text = heading(name, type, help);
  for (const [labels, value] of samples) text += `${name}${labelText(labels)} ${numberText(value)}\n`;
  return text;
}

export interface HistogramSample {
  readonly labels: Labels;
  readonly boundsS: readonly number[];
  /** Not cumulated; the last holds what is above every bound. */
  readonly buckets: readonly number[];
  readonly sumS: number;
}

/** A histogram family. */
export function histogramFamily(name: string, help: string, samples: readonly HistogramSample[]): string {
  let text = heading(name, 'histogram', help);
  for (const { labels, boundsS, buckets, sumS } of samples) {
    let count = 0;
    buckets.forEach((inBucket, index) => {
      count += inBucket;
      const le = index < boundsS.length ? numberText(boundsS[index] as number) : '+Inf';
      text += `${name}_bucket${labelText({ ...labels, le })} ${count}\n`;
    });
    text += `${name}_sum${labelText(labels)} ${numberText(sumS)}\n${name}_count${labelText(labels)} ${count}\n`;
  }
  return text;
}

function heading(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`;
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
