import { expect, test } from 'vitest';
import { reasonNames } from '../../src/gate/reasons.ts';
import { maxLabelValues } from '../../src/ops/bound-labels.ts';
import { createMeasuredTogether } from '../../src/ops/merge-measured.ts';
import { observe, type Traffic, zeroCounts, zeroTraffic } from '../../src/ops/traffic.ts';
import { measured } from '../support/measured.ts';

function traffic(allowed: Readonly<Record<string, number>>, seconds: readonly number[] = []): Traffic {
  const counted = zeroTraffic();
  for (const [tenant, allow] of Object.entries(allowed)) counted.tenants.set(tenant, { ...zeroCounts(), allow });
  for (const one of seconds) observe(counted.durations.allow, one);
  return counted;
}

const allowedOf = (counted: Traffic, tenant: string) => counted.tenants.get(tenant)?.allow;

test('counts and histograms of processes add up, and none of them is changed by it', () => {
  const [a, b] = [traffic({ acme: 2, globex: 1 }, [0.001, 3]), traffic({ acme: 5 }, [0.001])];
  a.unknownTenant.deny[reasonNames.indexOf('tenantUnknown')] = 4;
  a.lanes.fast = 3;
  b.lanes.fast = 4;
  b.statusClasses[2] = 7;
  const together = createMeasuredTogether();
  for (let scrape = 0; scrape < 2; scrape++) {
    const sum = together.merge([measured({ traffic: a }), measured({ traffic: b })]).traffic;
    expect([allowedOf(sum, 'acme'), allowedOf(sum, 'globex')]).toEqual([7, 1]);
    expect(sum.unknownTenant.deny[reasonNames.indexOf('tenantUnknown')]).toBe(4);
    expect([sum.lanes.fast, sum.statusClasses[2]]).toEqual([7, 7]);
    expect(sum.durations.allow.buckets[0]).toBe(2);
    expect(sum.durations.allow.sumS).toBeCloseTo(3.002);
    expect(sum.durations.allow.boundsS).toEqual(a.durations.allow.boundsS);
  }
  expect([allowedOf(a, 'acme'), allowedOf(b, 'acme')]).toEqual([2, 5]);
});

test('no count goes back when a process ends and another begins at zero', () => {
  const together = createMeasuredTogether();
  const cpu = (cpuS: number) => ({ ...measured().process, cpuS });
  const source = { url: 'https://id/jwks', fetches: { fetched: 3 } } as never;
  const tls = { expiryMs: { listen: 9 }, handshakes: new Map([['complete', 5]]), http2: new Map([['flood', 2]]) };
  const first = measured({
    traffic: traffic({ acme: 6 }),
    process: cpu(10),
    droppedLogLines: 2,
    keySources: [source],
    tls,
  });
  const other = measured({ traffic: traffic({ acme: 1 }), process: cpu(1) });
  expect(allowedOf(together.merge([first, other]).traffic, 'acme')).toBe(7);
  together.keepCounts(first);
  const begun = { url: 'https://id/jwks', fetches: { fetched: 1, timeout: 1 } } as never;
  const anew = measured({ keySources: [begun], tls: { ...tls, handshakes: new Map(), http2: new Map() } });
  const after = together.merge([other, anew]);
  expect(allowedOf(after.traffic, 'acme')).toBe(7);
  expect(after.process.cpuS).toBe(11);
  expect(after.droppedLogLines).toBe(2);
  expect(after.keySources[0]?.fetches).toEqual({ fetched: 4, timeout: 1 });
  expect(after.tls?.handshakes.get('complete')).toBe(5);
  expect(after.tls?.http2.get('flood')).toBe(2);
});

test('labels stay bounded over all processes, and who has one keeps it', () => {
  const together = createMeasuredTogether();
  const names = (from: number) =>
    Object.fromEntries(Array.from({ length: maxLabelValues }, (_, i) => [`t${from + i}`, 1]));
  const [a, b] = [traffic(names(0)), traffic(names(maxLabelValues / 2))];
  for (const parts of [[a, b], [b, a], [b]]) {
    const sum = together.merge(parts.map((one) => measured({ traffic: one }))).traffic;
    expect(sum.tenants.size).toBeLessThanOrEqual(maxLabelValues);
    expect(sum.otherTenants.allow).toBe(maxLabelValues / 2);
  }
});

test('tenants that a reload removed give their labels up, also those of processes that have ended', () => {
  const together = createMeasuredTogether();
  together.keepCounts(measured({ traffic: traffic({ old: 1, kept: 2 }) }));
  together.forgetTenants(new Set(['kept']));
  expect([...together.merge([]).traffic.tenants.keys()]).toEqual(['kept']);
});

test('memory is summed, of event loops the busiest is shown, of shared stores the worst', () => {
  const process = (privateBytes: number | undefined, eventLoopUtilization: number) => ({
    ...measured().process,
    privateBytes,
    eventLoopUtilization,
  });
  const store = (connected: boolean) => ({ entries: 1, shared: [{ store: 'redis://a', connected }] });
  const merged = createMeasuredTogether().merge([
    measured({ process: process(10, 0.2), verdictCache: { entries: 1, bytes: 2 }, replays: store(true) }),
    measured({ process: process(20, 0.9), verdictCache: { entries: 3, bytes: 4 }, replays: store(false) }),
    measured({ process: process(undefined, 0.1), verdictCache: undefined, activeRequests: 3 }),
  ]);
  expect(merged.process).toMatchObject({ privateBytes: 30, eventLoopUtilization: 0.9 });
  expect(merged.verdictCache).toEqual({ entries: 4, bytes: 6 });
  expect(merged.activeRequests).toBe(3);
  expect(merged.replays).toEqual({ entries: 2, shared: [{ store: 'redis://a', connected: false }] });
});

test('a list that every process holds costs its bytes in each; the oldest success counts', () => {
  const list = (lastSuccessMs: number | undefined, failures: number) => ({
    url: 'https://a/revoked',
    readyOnce: true,
    entries: 5,
    skipped: 1,
    bytes: 100,
    lastSuccessMs,
    failures,
  });
  const merge = (...parts: ReturnType<typeof list>[]) =>
    createMeasuredTogether().merge(parts.map((one) => measured({ revocations: [one] }))).revocations;
  expect(merge(list(1_000, 0), list(2_000, 3))).toEqual([{ ...list(1_000, 3), bytes: 200 }]);
  expect(merge(list(undefined, 1), list(2_000, 0))[0]?.lastSuccessMs).toBeUndefined();
});
