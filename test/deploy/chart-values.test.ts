import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { chartFolder } from '../support/helm-chart.ts';

const read = (name: string) => readFileSync(join(chartFolder, name), 'utf8');
const schema = JSON.parse(read('values.schema.json'));
const values = parse(read('values.yaml'));
const isGood = new Ajv({ allErrors: true }).compile(schema);

test.each(['values.yaml', 'ci/example-values.yaml'])('%s is what its schema says', (name) => {
  isGood(parse(read(name)));
  expect(isGood.errors ?? []).toEqual([]);
});

test('the schema knows every value of values.yaml, and no other', () => {
  const paths = (value: unknown, known: { properties?: Record<string, never> } | undefined, at = ''): string[] => {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || known?.properties === undefined)
      return [];
    return Object.entries(value).flatMap(([name, inner]) => [
      `${at}${name}`,
      ...paths(inner, known.properties?.[name], `${at}${name}.`),
    ]);
  };
  const defined = (known: { properties?: Record<string, object> }, at = ''): string[] =>
    Object.entries(known.properties ?? {}).flatMap(([name, inner]) => [
      `${at}${name}`,
      ...defined(inner, `${at}${name}.`),
    ]);
  const jwtgatesOwn = (path: string) => path === 'global' || path.startsWith('config.');
  expect(
    paths(values, schema)
      .filter((path) => !jwtgatesOwn(path))
      .sort(),
  ).toEqual(
    defined(schema)
      .filter((path) => !jwtgatesOwn(path))
      .sort(),
  );
});

test.each<[string, object]>([
  ['a value that is misspelt', { replicaCount: 3 }],
  ['a value that is misspelt further down', { autoscaling: { min: 3 } }],
  ['a proxy port that the Service does not know', { config: { listen: '0.0.0.0:8000' } }],
  ['the same beside TLS', { config: { listen: { address: '0.0.0.0:8443', tls: { cert: 'a', key: 'b' } } } }],
  ['an ops port that the probes do not ask', { config: { ops: '0.0.0.0:9902' } }],
  ['no ops listener', { config: { ops: 'off' } }],
  ['a config that is not followed', { config: { watch: false } }],
  ['a file that would stand in the config’s place', { files: { 'config.yaml': 'tenants: {}' } }],
  ['a file in a directory, which a ConfigMap has not', { files: { 'tenants.d/acme.yaml': '' } }],
  ['a digest that is none', { image: { digest: 'latest' } }],
  ['a policy for pulling that there is not', { image: { pullPolicy: 'Sometimes' } }],
  ['a share of all replicas that may go', { podDisruptionBudget: { maxUnavailable: '100%' } }],
  ['replicas as text', { replicas: '3' }],
])('the schema refuses %s', (_what, given) => {
  expect(isGood({ ...values, ...given })).toBe(false);
});

test.each<[string, object]>([
  [
    'TLS on the port that the Service knows',
    { config: { listen: { address: '[::]:8080', tls: { cert: 'a', key: 'b' } } } },
  ],
  ['what a parent chart hands to all', { global: { registry: 'x' } }],
  ['a tag and a digest', { image: { tag: '1.0', digest: `sha256:${'a'.repeat(64)}` } }],
])('the schema takes %s', (_what, given) => {
  isGood(given);
  expect(isGood.errors ?? []).toEqual([]);
});
