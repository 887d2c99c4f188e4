import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configSchema, configSchemaText } from '../../src/config/schema.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Every named property of a schema, with the path to it. */
function* properties(schema: unknown, path: string): Generator<[string, Schema]> {
  if (typeof schema !== 'object' || schema === null) return;
  for (const [key, member] of Object.entries(schema)) {
    if (key !== 'properties') {
      yield* properties(member, path);
      continue;
    }
    for (const [name, property] of Object.entries(member as Record<string, Schema>)) {
      yield [`${path}.${name}`, property];
      yield* properties(property, `${path}.${name}`);
    }
  }
}

const all = [...properties(configSchema(), '')];

test('config.schema.json is what the code says', () => {
  if (process.env.UPDATE_CASES === '1') writeFileSync('config.schema.json', configSchemaText());
  expect(readFileSync('config.schema.json', 'utf8')).toBe(configSchemaText());
});

test('it is draft-07, which is what editors understand', () => {
  expect(configSchema().$schema).toBe('http://json-schema.org/draft-07/schema#');
});

test('every key is described', () => {
  expect(all.length).toBeGreaterThan(100);
  expect(all.filter(([, { description }]) => typeof description !== 'string').map(([path]) => path)).toEqual([]);
});

/** Every schema below one, but those of keys, where no placeholder is filled. */
function* schemas(schema: unknown): Generator<Schema> {
  if (typeof schema !== 'object' || schema === null) return;
  yield schema as Schema;
  for (const [key, member] of Object.entries(schema)) if (key !== 'propertyNames') yield* schemas(member);
}

test('every object whose keys are ours is closed, so that an editor marks a mistyped one', () => {
  const open = [...schemas(configSchema())].filter(
    ({ properties: own, additionalProperties: more }) => typeof own === 'object' && more !== false,
  );
  // JWKs may have members that nobody here has heard of (RFC 7517 section 4).
  expect(open.map(({ properties: own }) => Object.keys(own as object))).toEqual([['kty']]);
});

test('a placeholder may stand wherever text is bound to a form', () => {
  const bound = [...schemas(configSchema())].filter(({ pattern }) => typeof pattern === 'string');
  expect(bound.length).toBeGreaterThan(20);
  expect(bound.filter(({ pattern }) => !new RegExp(pattern as string).test('${PORT}'))).toEqual([]);
  const listed = [...schemas(configSchema())].filter(({ enum: values }) => Array.isArray(values));
  const withPlaceholder = [...schemas(configSchema())].filter(
    ({ anyOf }) => Array.isArray(anyOf) && anyOf.some((one) => 'enum' in one) && anyOf.some((one) => 'pattern' in one),
  );
  expect(withPlaceholder).toHaveLength(listed.length);
});

test('defaults are given as a config would write them', () => {
  const defaults = Object.fromEntries(
    all.flatMap(([path, { default: value }]) => (value === undefined ? [] : [[path, value]])),
  );
  expect(defaults).toMatchObject({
    '.listen': '0.0.0.0:8080',
    '.limits.headerBytes': '16KiB',
    '.timeouts.drain': '25s',
    '.verdictCache.entries': 10_000,
  });
});
