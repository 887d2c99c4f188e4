import { describe, expect, test } from 'vitest';
import { createKidSearch } from '../../src/keys/kid-search.ts';
import { manualClock } from '../support/manual-clock.ts';

const cooldownMs = 30_000;

function searchOver(initial: readonly string[] = []) {
  const clock = manualClock();
  let published = new Set(initial);
  let current = new Set(initial);
  let answering = true;
  let fetches = 0;
  const search = createKidSearch({
    clock,
    cooldownMs,
    fetch: async () => {
      fetches++;
      if (answering) current = published;
      return answering;
    },
    has: (kid) => current.has(kid),
  });
  return {
    clock,
    search,
    fetches: () => fetches,
    has: (kid: string) => current.has(kid),
    publish: (...kids: string[]) => {
      published = new Set(kids);
    },
    breakDown: () => {
      answering = false;
    },
  };
}

const tenant = { id: 'a' };
const other = { id: 'b' };
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('an unknown kid', () => {
  test('is fetched for at once', async () => {
    const { search, fetches, publish, has } = searchOver();
    publish('new');
    await search.seek('new', tenant);
    expect(fetches()).toBe(1);
    expect(has('new')).toBe(true);
  });

  test('shares one fetch with all that ask meanwhile', async () => {
    const { search, fetches } = searchOver();
    const waits = ['x', 'y', 'x', 'z'].map((kid) => search.seek(kid, tenant));
    expect(waits.every((wait) => wait instanceof Promise)).toBe(true);
    await Promise.all(waits);
    expect(fetches()).toBe(1);
  });

  test('that no fetch brings makes its tenant cool down, and one fetch at the end answers for all', async () => {
    const { search, fetches, clock, publish, has } = searchOver();
    await search.seek('bad', tenant);
    clock.advance(1000);
    publish('good');
    expect(search.seek('good', tenant)).toBeUndefined();
    for (let i = 0; i < 500; i++) expect(search.seek(`bad-${i}`, tenant)).toBeUndefined();
    clock.advance(cooldownMs - 1001);
    expect(fetches()).toBe(1);
    clock.advance(1);
    await settled();
    expect(fetches()).toBe(2);
    expect(has('good')).toBe(true);
  });

  test('that was found costs no cool-down: the next rotation is picked up at once', async () => {
    const { search, fetches, clock, publish } = searchOver();
    publish('one');
    await search.seek('one', tenant);
    clock.advance(6000);
    publish('one', 'two');
    await search.seek('two', tenant);
    expect(fetches()).toBe(2);
  });

  test('that was found is on a bounded allowance', async () => {
    const { search, fetches, clock, publish } = searchOver();
    const kids: string[] = [];
    for (let i = 0; i < 10; i++) {
      kids.push(`k${i}`);
      publish(...kids);
      await search.seek(`k${i}`, tenant);
      clock.advance(cooldownMs / 6);
    }
    expect(fetches()).toBeLessThan(10);
  });

  test('that stays absent is sought at longer and longer intervals', async () => {
    const { search, fetches, clock } = searchOver();
    const at: number[] = [];
    for (let second = 0; second < 1800; second++) {
      const before = fetches();
      await search.seek('retired', tenant);
      if (fetches() > before) at.push(second);
      clock.advance(1000);
      await settled();
    }
    expect(at).toEqual([0, 30, 90, 210, 450, 930, 1530]);
  });

  test('that stays absent leaves the budget to a new one', async () => {
    const { search, fetches, clock, publish, has } = searchOver();
    await search.seek('retired', tenant);
    clock.advance(30_000);
    await search.seek('retired', tenant);
    clock.advance(30_000);
    expect(search.seek('retired', tenant)).toBeUndefined();
    publish('new');
    await search.seek('new', tenant);
    expect(fetches()).toBe(3);
    expect(has('new')).toBe(true);
  });
});

describe('tenants that share a source', () => {
  test('have budgets of their own: one’s flood holds up another’s rotation no longer than their spacing', async () => {
    const { search, fetches, clock, publish, has } = searchOver();
    await search.seek('bad', tenant);
    publish('good');
    expect(search.seek('good', other)).toBeUndefined();
    clock.advance(cooldownMs / 6);
    await settled();
    expect(fetches()).toBe(2);
    expect(has('good')).toBe(true);
  });

  test('in a crowd do not add up', async () => {
    const { search, fetches, clock } = searchOver();
    for (let i = 0; i < 1000; i++) {
      void search.seek(`bad-${i}`, { id: i });
      clock.advance(30);
      await settled();
    }
    expect(fetches()).toBeLessThanOrEqual(7);
  });
});

describe('a provider that is away', () => {
  test('makes no kid absent', async () => {
    const { search, clock, breakDown, fetches } = searchOver();
    breakDown();
    await search.seek('x', tenant);
    clock.advance(cooldownMs / 6);
    expect(search.seek('x', tenant)).toBeInstanceOf(Promise);
    expect(fetches()).toBe(2);
  });
});

test('a closed search fetches no more, and leaves no timer', async () => {
  const { search, clock, fetches } = searchOver();
  await search.seek('bad', tenant);
  search.seek('worse', tenant);
  search.close();
  expect(search.seek('worst', tenant)).toBeUndefined();
  clock.advance(10 * cooldownMs);
  expect(fetches()).toBe(1);
  expect(clock.pending()).toBe(0);
});

test('made-up kids as long as a token are not sought: a thousand remembered for each of a thousand providers would be 8 GB', async () => {
  const { search, fetches } = searchOver();
  expect(search.seek('k'.repeat(257), tenant)).toBeUndefined();
  expect(fetches()).toBe(0);
  await search.seek('k'.repeat(256), tenant);
  expect(fetches()).toBe(1);
});
