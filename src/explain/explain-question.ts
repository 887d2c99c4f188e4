import * as z from 'zod';
import type { Policy } from '../gate/policy.ts';
import { type Explanation, explain } from './explanation.ts';
import type { KeysAtHand } from './facts.ts';
import { placeToken } from './place-token.ts';
import { rehearse } from './rehearse.ts';
import { describedRequest } from './request-description.ts';

const text = z.string().max(200_000);

/** What an operator may ask of a running gate: a request, and a token that came by itself. */
const question = z.strictObject({
  method: text.default('GET'),
  url: text,
  headers: z.union([z.record(text, text), z.array(z.tuple([text, text]))]).default([]),
  body: text.optional(),
  token: text.optional(),
  peer: text.optional(),
  /** ISO 8601; default: now. */
  at: z.iso.datetime({ offset: true }).optional(),
});

/** Explains the request that a JSON text describes; a problem where it describes none. Nothing of it is kept or logged. */
export async function explainQuestion(
  json: string,
  { policy, keys, nowMs }: { readonly policy: Policy; readonly keys: KeysAtHand; readonly nowMs: number },
): Promise<Explanation | { readonly problem: string }> {
  const parsed = question.safeParse(parseJson(json));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { problem: `${issue?.path.join('.') || 'the question'}: ${issue?.message}` };
  }
  const { method, url, headers, body, token, peer, at } = parsed.data;
  const described = describedRequest({
    method,
    url,
    headers: Array.isArray(headers) ? headers : Object.entries(headers),
    body: body === undefined ? undefined : Buffer.from(body),
    peer,
  });
  if ('problem' in described) return described;
  const head = token === undefined ? described.head : placeToken(described.head, token.trim(), policy);
  const atMs = at === undefined ? nowMs : Date.parse(at);
  return explain(await rehearse(head, { policy, nowMs: atMs, body: described.body, replay: 'ask' }), keys);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
