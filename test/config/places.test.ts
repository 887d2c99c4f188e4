import { expect, test } from 'vitest';
import { createReport } from '../../src/config/finding.ts';
import { parseYaml } from '../../src/config/parse-yaml.ts';
import { createPlaces, findSpan, type PlainObject } from '../../src/config/places.ts';

const never = async () => undefined;

test.each([3, 500])('each of %i entries is found by its key and by its line', async (count) => {
  const lines = Array.from({ length: count }, (_, index) => `  key${index}: value${index}\n`);
  const text = `tenants:\n${lines.join('')}`;
  const places = createPlaces();
  const { value } = await parseYaml('config.yaml', text, places, createReport(), never);
  const tenants = (value as { tenants: PlainObject }).tenants;
  let start = text.indexOf('\n') + 1;
  for (const [index, line] of lines.entries()) {
    const end = start + line.length - 1;
    const span = findSpan(places, value as PlainObject, ['tenants', `key${index}`], 'value');
    expect(text.slice(span?.start, span?.end)).toBe(`value${index}`);
    expect(places.within(tenants, { start, end }).map(([key]) => key)).toEqual([`key${index}`]);
    start = end + 1;
  }
  expect(findSpan(places, tenants, ['nobody'], 'key')).toBeUndefined();
  expect(places.within(tenants, { start: 0, end: text.length })).toHaveLength(count);
  expect(places.within(tenants, { start: text.length, end: text.length + 1 })).toEqual([]);
});
