import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { reasonNames } from '../../src/gate/reasons.ts';
import { metricLabels, unknownInQuery } from '../support/metric-names.ts';
import { newFolder } from '../support/scratch-folder.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../deploy/grafana/jwtgate.json'), 'utf8'));
const panels: Panel[] = dashboard.panels;
const variables: { name: string; query: string | { query: string } }[] = dashboard.templating.list;
const ofPanels = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const ofAnnotations: string[] = dashboard.annotations.list.map(({ expr }: { expr: string }) => expr);
const queries = [...ofPanels, ...ofAnnotations];
const variableQueries = variables.flatMap(({ query }) => (typeof query === 'string' ? [] : [query.query]));

/** Prometheus adds these to what it scrapes. */
const scrapeLabels = ['job', 'instance'];
const withoutScrapeLabels = (query: string) => query.replaceAll(/\b(?:job|instance)=~"\$\w+",?\s*/g, '');

test('the dashboard asks for metrics and labels that there are', () => {
  expect(queries.length).toBeGreaterThan(25);
  expect([...queries, ...variableQueries].map(withoutScrapeLabels).flatMap(unknownInQuery)).toEqual([]);
});

test('what it groups by, and shows in legends, are labels of what it asks for', () => {
  for (const query of queries) {
    const names = [...query.matchAll(/\b((?:jwtgate|process|nodejs)_\w+)/g)].map(([, name = '']) => name);
    const labels = names.flatMap(
      (name) => metricLabels.get(name.replace(/_(?:bucket|sum|count)$/, '')) ?? metricLabels.get(name) ?? [],
    );
    const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
    const known = [...labels, ...scrapeLabels, ...(query.includes('_bucket') ? ['le'] : [])];
    expect(
      grouped.filter((label) => !known.includes(label)),
      query,
    ).toEqual([]);
  }
});

test('a metric or label that there is not would be found', () => {
  expect(unknownInQuery(withoutScrapeLabels('sum(jwtgate_request_total{job=~"$job", tenant="a"})'))).toEqual([
    'jwtgate_request_total',
  ]);
});

test('it uses the variables that it declares, and no others', () => {
  const declared = new Set(variables.map(({ name }) => name));
  const used = JSON.stringify(dashboard).matchAll(/\$\{?(\w+)\}?/g);
  const names = [...used].map(([, name = '']) => name).filter((name) => !name.startsWith('__'));
  expect([...new Set(names)].sort()).toEqual([...declared].sort());
});

test('reasons and other values that it names are those that are exported', () => {
  const reasons = queries.flatMap((query) =>
    [...query.matchAll(/reason[=!]~?"([^"$]*)"/g)].flatMap(([, list = '']) => list.split('|')),
  );
  expect(reasons.filter((reason) => !reasonNames.includes(reason as never))).toEqual([]);
  const decisions = queries.flatMap((query) => [...query.matchAll(/decision="(\w+)"/g)].map(([, word]) => word));
  expect(new Set(decisions)).toEqual(new Set(['allow', 'deny', 'report']));
});

test('each panel has a place of its own and says what it shows', () => {
  const taken = new Set<string>();
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { type, title, description, gridPos } of panels) {
    if (type !== 'row') expect(description, title).toMatch(/\.$/);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.has(`${x},${y}`), `${title} at ${x},${y}`).toBe(false);
        taken.add(`${x},${y}`);
      }
    }
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  }
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

test.skipIf(!hasPromtool)(`Prometheus understands every query${hasPromtool ? '' : ' (needs promtool)'}`, () => {
  const filled = queries.map((query) => query.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*'));
  const rules = filled.map((expr, index) => ({ record: `panel:query${index}`, expr }));
  const path = join(newFolder(), 'rules.yaml');
  // JSON is YAML.
  writeFileSync(path, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', path], { encoding: 'utf8' });
  expect([status, stdout + stderr]).toEqual([0, expect.stringContaining(`${rules.length} rules found`)]);
});
