import { type Denial, deny } from './denial.ts';
import type { RequestBody } from './gate.ts';
import { hasTwins } from './letter-case.ts';
import { announcesBody, headerValues, type RequestHead } from './request-head.ts';
import { parseStrictJson } from './strict-json.ts';
import type { Json } from './token.ts';

export type JsonBody =
  | { readonly kind: 'json'; readonly value: Json; readonly bytes: Uint8Array }
  | { readonly kind: 'none' }
  | Denial;

/** RFC 8259 and RFC 6839 section 3.1; JSON is UTF-8 whatever a charset says, so any other is not believed. */
const jsonMediaType = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json(?:\s*;\s*charset="?utf-8"?)?\s*$/i;

/**
 * Reads and parses a body that a rule must see: requestRefused with 415 for what does not call itself plain JSON, 413
 * over `maxBytes`, 400 for what is no JSON or JSON of more than one reading (a member name twice, in any letter case).
 */
export async function readJsonBody(head: RequestHead, body: RequestBody, maxBytes: number): Promise<JsonBody> {
  // Before all else: whether there is a body is as unknown as what it says.
  if (body.withheld !== undefined) return deny('requestRefused', `a rule reads the body, and ${body.withheld}`);
  if (!announcesBody(head)) return { kind: 'none' };
  const types = headerValues(head, 'content-type');
  if (types.length !== 1 || !jsonMediaType.test(types[0] as string)) {
    return deny('requestRefused', 'a rule reads the body, and its Content-Type is not application/json', {
      status: 415,
    });
  }
  if (headerValues(head, 'content-encoding').some((encoding) => encoding.trim().toLowerCase() !== 'identity')) {
    return deny('requestRefused', 'a rule reads the body, and it is compressed', { status: 415 });
  }
  const read = await body.read(maxBytes);
  if (read.kind === 'tooLarge') {
    return deny('requestRefused', `a rule reads the body, and it is over limits.bodyBytes (${maxBytes})`, {
      status: 413,
    });
  }
  if (read.kind === 'broken') return deny('requestRefused', 'the body broke off');
  if (read.bytes.length === 0) return { kind: 'none' };
  const parsed = parseStrictJson(read.bytes);
  if (parsed.kind === 'problem') return deny('requestRefused', `a rule reads the body: ${parsed.detail}`);
  if (hasTwins(parsed.value)) {
    return deny('requestRefused', 'a rule reads the body: two member names of one object are one but for letter case');
  }
  return { kind: 'json', value: parsed.value, bytes: read.bytes };
}
