import type { ConfigPlaces } from '../config/config-places.ts';
import { problemsToJson } from '../config/format-problems.ts';
import type { Explanation } from '../explain/explanation.ts';
import { placeLadder } from '../explain/placed.ts';
import type { RecordedRefusal, RefusalList } from '../explain/refusals.ts';
import { type AdminAnswer, type AdminRoute, adminProblem, jsonAnswer } from '../ops/admin-listener.ts';
import type { ReloadOutcome } from './reloads.ts';

/** What the admin listener tells of; promises, as another process may have to be asked. */
export interface AdminSources {
  readonly refusals: () => Promise<RefusalList>;
  readonly refusal: (id: string) => Promise<RecordedRefusal | undefined>;
  /** Explains the request that a JSON text describes, by the config that is served. */
  readonly explain: (question: string) => Promise<Explanation | { readonly problem: string }>;
  /** Loads the config anew, as SIGHUP does. */
  readonly reload: () => Promise<ReloadOutcome>;
  /** Lines of the config with this hash; undefined where they can't be told. */
  readonly places: (configHash?: string) => Promise<ConfigPlaces | undefined>;
}

/** Everything the admin listener answers. */
export function adminRoutes({ refusals, refusal, explain, reload, places }: AdminSources): readonly AdminRoute[] {
  return [
    { method: 'GET', path: '/api/refusals', answer: async () => jsonAnswer(200, await refusals()) },
    {
      method: 'GET',
      path: '/api/refusals/{id}',
      async answer({ params }) {
        const found = await refusal(params.id as string);
        if (found === undefined) return adminProblem(404, 'no refusal with this id is remembered');
        const { ladder, ...summary } = found;
        return jsonAnswer(200, { ...summary, ladder: placeLadder(ladder, await places(found.configHash)) });
      },
    },
    {
      method: 'POST',
      path: '/api/explain',
      async answer({ body }) {
        const explanation = await explain(body);
        if ('problem' in explanation) return adminProblem(400, explanation.problem);
        return jsonAnswer(200, { ...explanation, ladder: placeLadder(explanation.ladder, await places()) });
      },
    },
    { method: 'POST', path: '/api/reload', answer: async () => reloadAnswer(await reload()) },
  ];
}

/** 422 where the config has problems, and the one before it is still served. */
function reloadAnswer(outcome: ReloadOutcome): AdminAnswer {
  const { kind, ...rest } = outcome;
  switch (outcome.kind) {
    case 'stopping':
      return adminProblem(503, 'it is stopping: nothing is loaded any more');
    case 'refused':
      return jsonAnswer(422, { result: kind, ...rest, problems: problemsToJson(outcome.problems) });
    default:
      return jsonAnswer(200, { result: kind, ...rest });
  }
}
