import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/keys/clock.ts';

describe('the system’s clock', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([0, 1, 60_000, 2 ** 31 - 1, 2 ** 31, 90 * 86_400_000])(
    'calls back after %i ms, and not before',
    (delayMs) => {
      const callback = vi.fn();
      systemClock.after(delayMs, callback);
      vi.advanceTimersByTime(Math.max(0, delayMs - 1));
      expect(callback).toHaveBeenCalledTimes(delayMs === 0 ? 1 : 0);
      vi.advanceTimersByTime(1);
      expect(callback).toHaveBeenCalledTimes(1);
    },
  );

  test('does not call back once cancelled, however long the delay', () => {
    const callback = vi.fn();
    const timer = systemClock.after(90 * 86_400_000, callback);
    vi.advanceTimersByTime(60 * 86_400_000);
    timer.cancel();
    vi.advanceTimersByTime(60 * 86_400_000);
    expect(callback).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
