import type { Allowed } from '../../gate/decision.ts';
import { isFieldName } from '../../gate/field-name.ts';
import type { RequestHead } from '../../gate/request-head.ts';
import { requestConnectionFields } from '../field-lists.ts';
import type { BodyFraming } from '../framing.ts';

/** Methods for which a missing body is worth a word (RFC 9110 section 8.6). */
const expectContent: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Anything that is not HTAB, visible ASCII, space or obs-text: in a value it would end the line, or be cut to what does. */
const illegalInValue = /[^\t\x20-\x7e\x80-\xff]/;
const legalTarget = /^\/[\x21-\x7e]*$/;

/**
 * The request head for the upstream, of nothing but what the gate allowed and the framing (latin1). Undefined where
 * something can't stand in a head: the gate promises that there is nothing of the kind. Fields that are still as the
 * client sent them were judged by the parser, byte for byte, and are not judged again.
 */
export function requestText(
  inbound: Pick<RequestHead, 'method' | 'target' | 'headers'>,
  { target, headers }: Allowed,
  body: BodyFraming,
): string | undefined {
  if (target !== inbound.target && !legalTarget.test(target)) return undefined;
  let text = `${inbound.method} ${target} HTTP/1.1\r\n`;
  let next = 0;
  let hasTe = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    // What passes keeps its order: one walk over both lists finds it.
    const known = indexOfField(inbound.headers, next, name, value);
    if (known !== -1) next = known + 2;
    else if (!isLegalName(name) || illegalInValue.test(value)) return undefined;
    // A hop-by-hop field that the gate may give: nominated as such (RFC 9110 section 10.1.4).
    if (name.length === 2 && name.toLowerCase() === 'te') hasTe = true;
    if (!isFraming(name)) text += `${name}: ${value}\r\n`;
  }
  if (hasTe) text += 'Connection: TE\r\n';
  if (body.kind === 'length') text += `Content-Length: ${body.bytes}\r\n`;
  else if (body.kind === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  else if (expectContent.has(inbound.method)) text += 'Content-Length: 0\r\n';
  return `${text}\r\n`;
}

function indexOfField(list: readonly string[], from: number, name: string, value: string): number {
  for (let i = from; i < list.length; i += 2) if (list[i] === name && list[i + 1] === value) return i;
  return -1;
}

/** The names that are added are few, and the same for each request. */
const legalNames = new Set<string>();
const mostLegalNames = 1_000;

function isLegalName(name: string): boolean {
  if (legalNames.has(name)) return true;
  if (!isFieldName(name)) return false;
  if (legalNames.size < mostLegalNames) legalNames.add(name);
  return true;
}

const framingLengths = new Uint8Array(64);
for (const name of requestConnectionFields) framingLengths[name.length] = 1;

/** Is this a name that the lane writes itself? The gate's list has none; where it had, there would be two of it. */
function isFraming(name: string): boolean {
  return framingLengths[name.length] === 1 && requestConnectionFields.has(name.toLowerCase());
}
