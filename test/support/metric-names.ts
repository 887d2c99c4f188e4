import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/operations.md'), 'utf8');

/** Each metric with its labels, by the table in docs/operations.md, which a test of its own holds to what is exported. */
export const metricLabels: ReadonlyMap<string, readonly string[]> = new Map(
  page.split('\n').flatMap((line) => {
    const [, first = '', labels = ''] = /^\| (`[^|]*) \|([^|]*)\|/.exec(line) ?? [];
    const names = [...first.matchAll(/`((?:jwtgate|process|nodejs)_\w+)`/g)].map(([, name]) => name as string);
    return names.map((name) => [name, labels.split(',').map((label) => label.trim())] as const);
  }),
);

/** What PromQL says of our metrics that is not so: names and labels that no metric has. */
export function unknownInQuery(expression: string): string[] {
  const uses = expression.matchAll(/\b((?:jwtgate|process|nodejs)_\w+)(?:\{([^}]*)\})?/g);
  return [...uses].flatMap(([, used = '', selectors = '']) => {
    const labels = metricLabels.get(used) ?? metricLabels.get(used.replace(/_(?:bucket|sum|count)$/, ''));
    if (labels === undefined) return [used];
    const selected = [...selectors.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label as string);
    return selected.filter((label) => !labels.includes(label)).map((label) => `${used}{${label}}`);
  });
}
