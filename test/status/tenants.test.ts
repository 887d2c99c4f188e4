import { expect, test } from 'vitest';
import { zeroTraffic } from '../../src/ops/traffic.ts';
import { createHistory } from '../../src/status/history.ts';
import { listTenants, type TenantQuery } from '../../src/status/tenant-facts.ts';
import { tenantRows } from '../../src/status/tenant-rows.ts';
import { testPolicy } from '../support/policy.ts';

const ids = (count: number) => Array.from({ length: count }, (_, index) => `t${String(index).padStart(5, '0')}`);
const policyOf = (names: readonly string[]) => testPolicy(Object.fromEntries(names.map((id) => [id, {}])));
const none = () => [];
const query = (more: Partial<TenantQuery>): TenantQuery => ({ search: '', first: [], from: 0, count: 50, ...more });

test('tenants come by name, those asked for first, a page at a time', () => {
  const policy = policyOf(['c', 'a', 'd', 'b']);
  const page = listTenants(policy, none, query({ first: ['d', 'gone'], from: 1, count: 2 }));
  expect(page).toMatchObject({ total: 4, found: 4, tenants: [{ id: 'a' }, { id: 'b' }] });
  expect(listTenants(policy, none, query({ first: ['d'] })).tenants.map(({ id }) => id)).toEqual(['d', 'a', 'b', 'c']);
});

test('a tenant is found by id, algorithm or key source, whatever the case of letters', () => {
  const policy = policyOf(['acme', 'globex']);
  const source = { url: 'https://id.globex.example/keys', keys: [], skipped: [] };
  // biome-ignore lint/suspicious/noExplicitAny: what a search looks at is all that counts
  const sourcesOf = (id: string) => (id === 'globex' ? [source as any] : []);
  const found = (search: string) => listTenants(policy, sourcesOf, query({ search })).tenants.map(({ id }) => id);
  expect(found('ACM')).toEqual(['acme']);
  expect(found('hs256')).toEqual(['acme', 'globex']);
  expect(found('id.globex')).toEqual(['globex']);
  expect(found('nothing like it')).toEqual([]);
});

test('no secret is told', () => {
  const text = JSON.stringify(listTenants(policyOf(['acme']), none, query({})));
  expect(text).not.toContain('xxxx');
  expect(JSON.parse(text).tenants[0]).toEqual({
    id: 'acme',
    mode: 'enforce',
    access: 'required',
    algorithms: ['HS256'],
    kids: [null],
    keyCount: 1,
    sources: [],
  });
});

test('of 10,000 tenants a page holds those that are asked for, and no more than 200', async () => {
  const policy = policyOf(ids(10_000));
  const parts = {
    list: (asked: TenantQuery) => listTenants(policy, none, asked),
    traffic: zeroTraffic(),
    history: createHistory(),
  };
  const rows = (text: string) => tenantRows(new URLSearchParams(text), parts);
  expect(await rows('search=t0423')).toMatchObject({ total: 10_000, found: 10, rows: { length: 10 } });
  expect((await rows('count=100000')).rows).toHaveLength(200);
  expect((await rows('from=9990')).rows.at(-1)?.id).toBe('t09999');
  expect((await rows('from=-1&count=x')).rows.map(({ id }) => id)).toEqual(ids(50));
});

test('a row has the rate of the last half minute and the totals since the start', async () => {
  const traffic = zeroTraffic();
  const history = createHistory();
  const policy = policyOf(['acme', 'idle']);
  const counts = { allow: 0, answer: 0, deny: [0], report: [0] };
  traffic.tenants.set('acme', counts);
  for (let step = 0; step < 12; step++) {
    counts.allow += step < 6 ? 1000 : 10;
    counts.deny[0] = (counts.deny[0] as number) + 5;
    history.take(traffic);
  }
  const list = (asked: TenantQuery) => listTenants(policy, none, asked);
  const { rows } = await tenantRows(new URLSearchParams(), { list, traffic, history });
  expect(rows[0]).toMatchObject({ id: 'acme', accepted: 6060, refused: 60, acceptedRate: 2, refusedRate: 1 });
  expect(rows[1]).toMatchObject({ id: 'idle', acceptedRate: 0, refusedRate: 0 });
  expect(rows[1]?.accepted).toBeUndefined();
});
