import { type AdminRoute, jsonAnswer } from '../ops/admin-listener.ts';
import type { History } from '../status/history.ts';
import { describeOverview, type OverviewSources } from '../status/overview.ts';
import { pageDocument, pagePolicy } from '../status/page-document.ts';
import type { TenantPage, TenantQuery } from '../status/tenant-facts.ts';
import { tenantRows } from '../status/tenant-rows.ts';

/** What the status page shows; promises, as other processes may have to be asked. */
export interface StatusSources {
  readonly overview: () => OverviewSources | Promise<OverviewSources>;
  readonly tenants: (query: TenantQuery) => TenantPage | Promise<TenantPage>;
  readonly history: History;
}

/** The page and what it asks for every other second. */
export function statusRoutes({ overview, tenants, history }: StatusSources): readonly AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/',
      answer: () => ({
        status: 200,
        contentType: 'text/html; charset=utf-8',
        body: pageDocument,
        headers: { 'Content-Security-Policy': pagePolicy },
      }),
    },
    {
      method: 'GET',
      path: '/api/status',
      answer: async () => jsonAnswer(200, describeOverview(await overview(), history, Date.now())),
    },
    {
      method: 'GET',
      path: '/api/tenants',
      async answer({ query }) {
        const { traffic } = (await overview()).measured;
        return jsonAnswer(200, await tenantRows(query, { list: tenants, traffic, history }));
      },
    },
  ];
}
