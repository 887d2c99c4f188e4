import { expect, test } from 'vitest';
import { createKeptAcrossReloads } from '../../src/state/kept-across-reloads.ts';

test('what is acquired anew before it is released is the same', () => {
  const ended: object[] = [];
  const kept = createKeptAcrossReloads<object>((value) => ended.push(value));
  const before = kept.acquire('a', () => ({}));
  const after = kept.acquire('a', () => ({}));
  before.release();
  before.release();
  expect(after.value).toBe(before.value);
  expect(ended).toEqual([]);
  after.release();
  expect(ended).toEqual([before.value]);
});

test('another key, or one that nobody held, is another thing', () => {
  const kept = createKeptAcrossReloads<object>();
  const first = kept.acquire('a', () => ({}));
  expect(kept.acquire('b', () => ({})).value).not.toBe(first.value);
  first.release();
  expect(kept.acquire('a', () => ({})).value).not.toBe(first.value);
});
