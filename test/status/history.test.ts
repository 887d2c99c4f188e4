import { expect, test } from 'vitest';
import { reasonNames } from '../../src/gate/reasons.ts';
import { type TenantCounts, type Traffic, zeroTraffic } from '../../src/ops/traffic.ts';
import { createHistory, keptSteps } from '../../src/status/history.ts';

function add(traffic: Traffic, id: string, { allow = 0, expired = 0, reported = 0 }): void {
  const counts: TenantCounts = traffic.tenants.get(id) ?? {
    allow: 0,
    answer: 0,
    deny: reasonNames.map(() => 0),
    report: reasonNames.map(() => 0),
  };
  const expiredIndex = reasonNames.indexOf('tokenExpired');
  counts.allow += allow;
  counts.deny[expiredIndex] = (counts.deny[expiredIndex] as number) + expired;
  counts.report[expiredIndex] = (counts.report[expiredIndex] as number) + reported;
  traffic.tenants.set(id, counts);
}

test('each step holds what came in it, not what came before', () => {
  const traffic = zeroTraffic();
  const history = createHistory();
  add(traffic, 'acme', { allow: 3, expired: 1 });
  history.take(traffic);
  add(traffic, 'acme', { allow: 2, reported: 4 });
  history.take(traffic);
  history.take(traffic);
  expect(history.all).toEqual({
    accepted: [3, 2, 0],
    refused: { tokenExpired: [1, 0, 0] },
    reported: { tokenExpired: [0, 4, 0] },
  });
  expect(history.tenant('acme')).toEqual({ accepted: [3, 2, 0], refused: [1, 4, 0] });
  expect(history.tenant('other')).toBeUndefined();
});

test('requests of nobody known, and of tenants counted together, are in the sums', () => {
  const traffic = zeroTraffic();
  const history = createHistory();
  traffic.unknownTenant.deny[reasonNames.indexOf('tenantUnknown')] = 5;
  traffic.otherTenants.allow = 7;
  history.take(traffic);
  expect(history.all).toEqual({ accepted: [7], refused: { tenantUnknown: [5] }, reported: {} });
});

test('the busiest tenants come first, and equally busy ones by name', () => {
  const traffic = zeroTraffic();
  const history = createHistory();
  for (const [id, allow] of Object.entries({ b: 5, a: 5, c: 9, idle: 0 })) add(traffic, id, { allow });
  history.take(traffic);
  expect(history.busiest()).toEqual(['c', 'a', 'b']);
});

test('a tenant that was removed and came back is counted from zero again', () => {
  const traffic = zeroTraffic();
  const history = createHistory();
  add(traffic, 'acme', { allow: 10 });
  history.take(traffic);
  traffic.tenants.delete('acme');
  history.take(traffic);
  add(traffic, 'acme', { allow: 4 });
  history.take(traffic);
  expect(history.tenant('acme')?.accepted).toEqual([10, 0, 4]);
  expect(history.all.accepted).toEqual([10, 0, 4]);
});

test('what is kept is bounded: older steps, and tenants without requests since, are forgotten', () => {
  const traffic = zeroTraffic();
  const history = createHistory();
  add(traffic, 'once', { allow: 1 });
  history.take(traffic);
  for (let step = 0; step < keptSteps; step++) {
    add(traffic, 'always', { allow: 2 });
    history.take(traffic);
  }
  expect(history.tenant('once')).toBeUndefined();
  expect(history.tenant('always')?.accepted).toEqual(Array(keptSteps).fill(2));
  expect(history.length).toBe(keptSteps);
});
