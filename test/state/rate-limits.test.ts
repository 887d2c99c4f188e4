import { expect, test } from 'vitest';
import { createRateLimits } from '../../src/state/rate-limits.ts';

const rate = { count: 1, periodMs: 60_000, burst: 1 };

test('a limit that is acquired anew before it is released goes on where it was', () => {
  const limits = createRateLimits();
  const before = limits.acquire('upstream', rate);
  expect(before.limit.take(0).kind).toBe('admitted');
  const after = limits.acquire('upstream', { ...rate });
  before.release();
  before.release();
  expect(after.limit.take(1).kind).toBe('refused');
});

test('another rate, another place, or one that nobody held begins with a full burst', () => {
  const limits = createRateLimits();
  const first = limits.acquire('upstream', rate);
  first.limit.take(0);
  expect(limits.acquire('upstream', { ...rate, burst: 2 }).limit.take(1).kind).toBe('admitted');
  expect(limits.acquire('tenants.acme', rate).limit.take(1).kind).toBe('admitted');
  first.release();
  expect(limits.acquire('upstream', rate).limit.take(1).kind).toBe('admitted');
});
