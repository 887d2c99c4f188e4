import { describe, expect, it } from 'vitest';
import { createProvisions, type ProvisionResult } from '../../src/state/provisions.ts';

/** A call whose end the test decides. */
function controlled() {
  const pending: ((result: ProvisionResult) => void)[] = [];
  const call = () => new Promise<ProvisionResult>((resolve) => pending.push(resolve));
  return { call, end: (result: ProvisionResult) => pending.shift()?.(result), started: () => pending.length };
}

const done: ProvisionResult = { kind: 'done' };
const failed: ProvisionResult = { kind: 'failed', detail: 'status 500' };

describe('a user', () => {
  it('is provisioned by one call, however many requests arrive together, and then remembered', async () => {
    const provisions = createProvisions({ entries: 10, concurrent: 5, concurrentOfGroup: 5 });
    const { call, end, started } = controlled();
    const waiting = Array.from({ length: 50 }, () => provisions.ensure('acme\0joe', 1000, 0, call));
    expect(started()).toBe(1);
    end(done);
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 50 }, () => done));
    expect(provisions.ensure('acme\0joe', 1000, 999, call)).toBeUndefined();
    expect(provisions.ensure('acme\0joe', 1000, 1000, call)).toBeDefined();
  });

  it('whose call failed is tried again by the next request', async () => {
    const provisions = createProvisions({ entries: 10, concurrent: 5, concurrentOfGroup: 5 });
    const { call, end } = controlled();
    const first = provisions.ensure('k', 1000, 0, call);
    end(failed);
    expect(await first).toEqual(failed);
    const second = provisions.ensure('k', 1000, 1, call);
    end(done);
    expect(await second).toEqual(done);
    expect(provisions.ensure('k', 1000, 2, call)).toBeUndefined();
  });

  it('of one tenant says nothing of a user of another', () => {
    const provisions = createProvisions({ entries: 10, concurrent: 5, concurrentOfGroup: 5 });
    const { call, started } = controlled();
    provisions.ensure('acme\0joe', 1000, 0, call);
    provisions.ensure('globex\0joe', 1000, 0, call);
    expect(started()).toBe(2);
  });
});

it('a flood of new users neither floods the endpoint nor grows memory', async () => {
  const provisions = createProvisions({ entries: 3, concurrent: 2, concurrentOfGroup: 2 });
  const { call, end, started } = controlled();
  const flood = Array.from({ length: 100 }, (_, i) => provisions.ensure(`${i}`, 1000, 0, call));
  expect(started()).toBe(2);
  expect(await flood[50]).toMatchObject({ kind: 'failed' });
  end(done);
  end(done);
  await Promise.all(flood);
  expect(provisions.underWay).toBe(0);
  for (let i = 0; i < 20; i++) {
    const flight = provisions.ensure(`later ${i}`, 1000, 0, call);
    end(done);
    await flight;
  }
  expect(provisions.remembered).toBe(3);
});

it('one tenant’s flood of new users at an endpoint that hangs leaves room for another tenant’s', async () => {
  const provisions = createProvisions({ entries: 100, concurrent: 10, concurrentOfGroup: 4 });
  const { call, end, started } = controlled();
  const flood = Array.from({ length: 50 }, (_, i) => provisions.ensure(`acme user-${i}`, 1000, 0, call));
  expect(started()).toBe(4);
  expect(await flood[4]).toMatchObject({ kind: 'failed', detail: expect.stringContaining('of this tenant') });
  const other = provisions.ensure('globex joe', 1000, 0, call);
  expect(started()).toBe(5);
  for (let i = 0; i < 5; i++) end(done);
  expect(await other).toEqual(done);
  await Promise.all(flood);
  expect(provisions.ensure('acme one-more', 1000, 0, call)).toBeDefined();
  expect(started()).toBe(1);
});
