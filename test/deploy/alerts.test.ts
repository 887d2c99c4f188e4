import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { reasonNames } from '../../src/gate/reasons.ts';
import { problemsOf } from '../support/manifests.ts';
import { metricLabels, unknownInQuery } from '../support/metric-names.ts';

const root = resolve(import.meta.dirname, '../..');
const path = 'deploy/prometheus/alerts.yaml';
const read = (name: string) => parse(readFileSync(resolve(root, name), 'utf8'));
const { groups } = read(path);

interface Rule {
  /** Undefined where it only records a query under a name. */
  readonly alert?: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}
const rules: Rule[] = groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);

test('rules ask for metrics and labels that there are', () => {
  expect(metricLabels.size).toBeGreaterThan(30);
  expect(rules.flatMap(({ expr }) => unknownInQuery(expr))).toEqual([]);
});

test('a metric or label that there is not would be found', () => {
  expect(unknownInQuery('rate(jwtgate_request_total[5m]) > jwtgate_tenants{tenant="a"}')).toEqual([
    'jwtgate_request_total',
    'jwtgate_tenants{tenant}',
  ]);
});

test('reasons that rules name are reasons', () => {
  const named = rules.flatMap(({ expr }) =>
    [...expr.matchAll(/reason[=!]~?"([^"]*)"/g)].flatMap(([, list = '']) => list.split('|')),
  );
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((reason) => !reasonNames.includes(reason as never))).toEqual([]);
});

test('every alert says how bad it is, what it means and what to do', () => {
  for (const { labels, annotations } of alerts) {
    expect(labels.severity).toMatch(/^(info|warning|critical)$/);
    expect(annotations).toEqual({ summary: expect.stringMatching(/\w/), action: expect.stringMatching(/\w/) });
  }
});

test('the PrometheusRule of the kustomize component has the same rules', async () => {
  const rule = read('deploy/kubernetes/components/prometheus-operator/prometheusrule.yaml');
  expect(rule.spec.groups).toEqual(groups);
  expect(await problemsOf([rule])).toEqual([]);
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

describe.skipIf(!hasPromtool)(`Prometheus itself${hasPromtool ? '' : ' (needs promtool)'}`, () => {
  const promtool = (...args: string[]) => spawnSync('promtool', args, { cwd: root, encoding: 'utf8' });

  test('takes the rules', () => {
    const { status, stdout, stderr } = promtool('check', 'rules', path);
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining(`${rules.length} rules found`)]);
  });

  test('sounds and keeps quiet as test/deploy/alert-cases.yaml says', () => {
    const { status, stdout, stderr } = promtool('test', 'rules', 'test/deploy/alert-cases.yaml');
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });

  test('each alert is seen to sound in one of these cases', () => {
    const { tests } = read('test/deploy/alert-cases.yaml');
    type Case = { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] };
    const sounded = tests.flatMap(({ alert_rule_test }: Case) =>
      alert_rule_test.filter(({ exp_alerts }) => exp_alerts !== undefined).map(({ alertname }) => alertname),
    );
    expect([...new Set(sounded)].sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });
});
