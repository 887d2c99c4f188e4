import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admit, createRateLimit, parseRate, type Rate } from '../../src/state/rate-limit.ts';

const t0 = 1_700_000_000_000;

function rateOf(text: string, burst?: number): Rate {
  const rate = parseRate(text, burst);
  if ('problem' in rate) throw new Error(rate.problem);
  return rate;
}

/** Indexes of the requests that were admitted. */
function admitted(rate: Rate, timesMs: readonly number[]): number[] {
  const limit = createRateLimit(rate);
  return timesMs.flatMap((ms, index) => (limit.take(t0 + ms).kind === 'admitted' ? [index] : []));
}

describe('a rate is read', () => {
  test.each([
    ['10/s', undefined, { count: 10, periodMs: 1000, burst: 10 }],
    ['600/m', undefined, { count: 600, periodMs: 60_000, burst: 10 }],
    ['30/m', undefined, { count: 30, periodMs: 60_000, burst: 1 }],
    ['5000/h', undefined, { count: 5000, periodMs: 3_600_000, burst: 1 }],
    ['10/s', 3, { count: 10, periodMs: 1000, burst: 3 }],
  ])('%s, burst %s', (text, burst, rate) => {
    expect(parseRate(text, burst)).toEqual(rate);
  });

  test.each(['0/s', '-1/s', '10', '10/', '10/d', '1.5/s', '10 / s', '10/1s', '', '1e3/s', '9999999999/s'])(
    '%j is none',
    (text) => {
      expect(parseRate(text)).toHaveProperty('problem');
    },
  );

  test.each([0, -1, 1.5, Number.NaN, 1_000_001])('a burst of %s is none', (burst) => {
    expect(parseRate('10/s', burst)).toHaveProperty('problem');
  });
});

describe('a limit of 10/s with a burst of 3', () => {
  const rate = rateOf('10/s', 3);

  test('admits three at once, then one every 100 ms', () => {
    expect(admitted(rate, [0, 0, 0, 0, 50, 100, 100, 199, 200])).toEqual([0, 1, 2, 5, 8]);
  });

  test('is full again after a rest, and no fuller', () => {
    expect(admitted(rate, [0, 0, 0, 0, 10_000, 10_000, 10_000, 10_000])).toEqual([0, 1, 2, 4, 5, 6]);
  });

  test('goes on where all come evenly', () => {
    const even = Array.from({ length: 500 }, (_, i) => i * 100);
    expect(admitted(rate, even)).toHaveLength(500);
  });
});

test('a refusal says in how many whole seconds to come again, and then it is true', () => {
  const limit = createRateLimit(rateOf('6/m'));
  expect(limit.take(t0)).toMatchObject({ kind: 'admitted' });
  expect(limit.take(t0 + 1)).toEqual({ kind: 'refused', retryAfterS: 10 });
  expect(limit.take(t0 + 9_500)).toEqual({ kind: 'refused', retryAfterS: 1 });
  expect(limit.take(t0 + 10_500)).toMatchObject({ kind: 'admitted' });
});

test('who is refused does not push the others further back', () => {
  const limit = createRateLimit(rateOf('1/s', 1));
  limit.take(t0);
  for (let i = 1; i < 1000; i++) expect(limit.take(t0 + i)).toMatchObject({ kind: 'refused' });
  expect(limit.take(t0 + 1000)).toMatchObject({ kind: 'admitted' });
});

test('a clock that is set back by a day holds nobody up for longer than an empty bucket takes to fill', () => {
  const rate = rateOf('1/s', 2);
  const { nextFreeMs } = admit(rate, t0, t0) as { nextFreeMs: number };
  expect(admit(rate, nextFreeMs, t0 - 86_400_000)).toEqual({ kind: 'refused', retryAfterS: 1 });
});

test('in no stretch of time pass more than the rate gives in it, and the burst', () => {
  const rates = fc.record({
    count: fc.integer({ min: 1, max: 50 }),
    periodMs: fc.constantFrom(1000, 60_000),
    burst: fc.integer({ min: 1, max: 20 }),
  });
  const gaps = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(rates, gaps, (rate, waits) => {
      let at = 0;
      const times = waits.map((wait) => (at += wait));
      const passed = admitted(rate, times).map((index) => times[index] as number);
      for (let from = 0; from < passed.length; from++) {
        for (let to = from; to < passed.length; to++) {
          const most = rate.burst + ((passed[to] as number) - (passed[from] as number)) * (rate.count / rate.periodMs);
          expect(to - from + 1).toBeLessThanOrEqual(most + 1e-6);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('whoever comes again when told is admitted', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom('s', 'm', 'h'),
      fc.integer({ min: 1, max: 9 }),
      (count, unit, burst) => {
        const limit = createRateLimit(rateOf(`${count}/${unit}`, burst));
        for (let i = 0; i < burst; i++) limit.take(t0);
        const answer = limit.take(t0);
        if (answer.kind !== 'refused') throw new Error('expected to be refused');
        expect(limit.take(t0 + answer.retryAfterS * 1000)).toMatchObject({ kind: 'admitted' });
      },
    ),
  );
});
