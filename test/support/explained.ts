import { loadConfig } from '../../src/config/load.ts';
import { type Explanation, explain } from '../../src/explain/explanation.ts';
import { placeToken } from '../../src/explain/place-token.ts';
import { type PlacedLadder, placeLadder } from '../../src/explain/placed.ts';
import { rehearse } from '../../src/explain/rehearse.ts';
import { describedRequest, type RequestDescription } from '../../src/explain/request-description.ts';
import { createReplayStores } from '../../src/state/replay-stores.ts';
import { createRevocationLists } from '../../src/state/revocation-lists.ts';
import { configFiles } from './config-files.ts';

export interface ExplainedRequest extends Partial<RequestDescription> {
  readonly token?: string;
}

export interface Explained {
  readonly ladder: PlacedLadder;
  readonly explanation: Explanation;
}

/** Explains one request by `config.yaml` of these files, at a fixed time. */
export async function explained(
  files: string | Readonly<Record<string, string>>,
  { token, ...request }: ExplainedRequest,
  nowMs: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Explained> {
  const world = configFiles(typeof files === 'string' ? { 'config.yaml': files } : files, env);
  const state = { revocations: createRevocationLists({ env: {} }), replays: createReplayStores() };
  const loaded = await loadConfig('config.yaml', { ...world, ...state }, { keepsPlaces: true });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  const described = describedRequest({ method: 'GET', url: '/', headers: [], ...request });
  if ('problem' in described) throw new Error(described.problem);
  const head = token === undefined ? described.head : placeToken(described.head, token, loaded.policy);
  const rehearsed = await rehearse(head, { policy: loaded.policy, nowMs, body: described.body, replay: 'ask' });
  const explanation = explain(rehearsed, { sourcesOf: () => [], nowMs });
  loaded.release();
  return { explanation, ladder: placeLadder(explanation.ladder, loaded.places) };
}
