import type { RefusalList } from '../../explain/refusals.ts';
import type { AdminSources } from '../admin-routes.ts';
import type { StatusSources } from '../status-routes.ts';
import type { Worker } from './worker-process.ts';

/** An operator waits for a worker no longer than this. */
const answerMs = 5_000;

/** What the admin listener tells of the workers: each knows of the requests that it served. */
export function askedAdminSources(serving: () => readonly Worker[]): Omit<AdminSources, 'reload' | 'places'> {
  return {
    async refusals() {
      const lists = await Promise.all(serving().map(({ channel }) => channel.ask('refusals', undefined, answerMs)));
      return mergeRefusals(lists.filter((list) => list !== undefined));
    },
    async refusal(id) {
      const found = await Promise.all(serving().map(({ channel }) => channel.ask('refusal', id, answerMs)));
      return found.find((refusal) => refusal !== undefined);
    },
    async explain(question) {
      // All would say the same.
      const [worker] = serving();
      return (await worker?.channel.ask('explain', question, answerMs)) ?? { problem: 'no worker answers' };
    },
  };
}

/** A page of the tenants that are served: the same in every worker. */
export function askedTenants(serving: () => readonly Worker[]): StatusSources['tenants'] {
  return async (query) => {
    const [worker] = serving();
    return (await worker?.channel.ask('tenants', query, answerMs)) ?? { total: 0, found: 0, tenants: [] };
  };
}

function mergeRefusals(lists: readonly RefusalList[]): RefusalList {
  return {
    refusals: lists.flatMap(({ refusals }) => refusals).toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)),
    recordedPerSecond: lists.reduce((sum, { recordedPerSecond }) => sum + recordedPerSecond, 0),
    notRecorded: lists.reduce((sum, { notRecorded }) => sum + notRecorded, 0),
  };
}
