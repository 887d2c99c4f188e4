import { expect, test } from 'vitest';
import { createAwaiting, namesAwaited } from '../../src/ops/awaited-sources.ts';

function source(url: string) {
  const one = { url, readyOnce: false };
  return { one, status: () => ({ ...one }) };
}

test('a required source is awaited until it was fetched once, and named once however many tenants share it', () => {
  const [a, b] = [source('https://a/jwks'), source('https://b/jwks')];
  const awaiting = createAwaiting();
  const awaited = () => awaiting(namesAwaited([a, a, b]));
  expect(awaited()).toEqual(['https://a/jwks', 'https://b/jwks']);
  a.one.readyOnce = true;
  expect(awaited()).toEqual(['https://b/jwks']);
  b.one.readyOnce = true;
  expect(awaited()).toEqual([]);
});

test('a required source that a reload brings does not unready a pod that was ready', () => {
  const awaiting = createAwaiting();
  expect(awaiting([])).toEqual([]);
  expect(awaiting(['https://late/jwks'])).toEqual([]);
});
