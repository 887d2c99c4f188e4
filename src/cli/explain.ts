import { formatProblems } from '../config/format-problems.ts';
import { type Explanation, explain } from '../explain/explanation.ts';
import { formatExplanation } from '../explain/format-explanation.ts';
import { placeToken } from '../explain/place-token.ts';
import { type PlacedLadder, placeLadder } from '../explain/placed.ts';
import { rehearse } from '../explain/rehearse.ts';
import { describedRequest } from '../explain/request-description.ts';
import { findConfigPath, noConfigText } from './config-path.ts';
import { exitCodes } from './exit-codes.ts';
import { nameNear } from './explain/name-near.ts';
import { openWorld } from './explain/open-world.ts';
import { explainRecorded } from './explain/recorded-refusal.ts';
import { type RequestOptions, readRequestOptions } from './explain/request-options.ts';
import { parseTime } from './explain/time-option.ts';
import type { TokenIo } from './token-io.ts';
import { printableJson } from './token-json.ts';
import { wantsColor } from './wants-color.ts';

export interface ExplainOptions extends RequestOptions {
  readonly config?: string;
  readonly offline?: true;
  readonly jwks?: string;
  readonly at?: string;
  readonly requestId?: string;
  readonly admin?: string;
  readonly json?: true;
}

/** Has the gate judge a request as the config says, and prints each step: 0 allowed, 1 refused, 2 wrong usage, 78 no sound config. */
export async function explainRequest(url: string | undefined, options: ExplainOptions, io: TokenIo): Promise<number> {
  const tell = (text: string, exitCode: number) => {
    io.stderr(`jwtgate: ${text}\n`);
    return exitCode;
  };
  const { requestId } = options;
  if (requestId !== undefined) {
    if (url !== undefined || options.curl !== undefined || options.har !== undefined) {
      return tell('--request-id asks the running gate: it needs no request', exitCodes.usage);
    }
    return explainRecorded({ ...options, requestId }, io);
  }
  if (options.admin !== undefined) return tell('--admin goes with --request-id', exitCodes.usage);
  const nowMs = options.at === undefined ? Date.now() : parseTime(options.at, Date.now());
  if (nowMs === undefined) {
    return tell('--at must be a time such as 2026-11-22T06:33:00Z, seconds since 1970, or -5m', exitCodes.usage);
  }
  const read = await readRequestOptions(url, options, io);
  if (read.kind === 'problem') return tell(read.detail, exitCodes.usage);
  const described = describedRequest(read.request);
  if ('problem' in described) return tell(described.problem, exitCodes.usage);

  const path = findConfigPath(options.config, io.env);
  if (path === undefined) {
    io.stderr(noConfigText);
    return exitCodes.config;
  }
  const world = await openWorld(path, { env: io.env, offline: options.offline === true, jwks: options.jwks });
  if (world.kind === 'problem') return tell(world.detail, exitCodes.usage);
  try {
    const { loaded } = world;
    if (!loaded.ok) {
      io.stderr(formatProblems(loaded.problems, { color: wantsColor(process.stderr) }));
      return tell(`${path} cannot be used`, exitCodes.config);
    }
    const head = read.token === undefined ? described.head : placeToken(described.head, read.token, loaded.policy);
    const rehearsed = await rehearse(head, { policy: loaded.policy, nowMs, body: described.body, replay: 'skip' });
    const sourcesOf = (tenant: string) => (loaded.remoteKeys.get(tenant) ?? []).map(({ status }) => status());
    const explanation = explain(rehearsed, { sourcesOf, nowMs: Date.now() });
    const ladder = placeLadder(explanation.ladder, loaded.places);
    io.stdout(options.json ? `${explanationJson(ladder, explanation)}\n` : textOf(ladder, explanation));
    return ladder.verdict === 'allowed' || ladder.verdict === 'answered' ? exitCodes.ok : exitCodes.no;
  } finally {
    world.close();
  }
}

function explanationJson(ladder: PlacedLadder, { at, token, upstream, answer }: Explanation): string {
  return printableJson({ at, ...ladder, token, upstream, answer });
}

function textOf(ladder: PlacedLadder, explanation: Explanation): string {
  return formatExplanation(ladder, explanation, {
    color: wantsColor(process.stdout),
    nameOf: nameNear,
  });
}
