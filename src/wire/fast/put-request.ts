import type { Allowed } from '../../gate/decision.ts';
import { isFieldName } from '../../gate/field-name.ts';
import type { RequestHead } from '../../gate/request-head.ts';
import { requestConnectionFields } from '../field-lists.ts';
import type { BodyFraming } from '../framing.ts';
import { colon, cr, lf, space } from './byte-classes.ts';
import type { Outgoing } from './outgoing.ts';

/** Methods for which a missing body is worth a word (RFC 9110 section 8.6). */
const expectContent: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Anything that is not HTAB, visible ASCII, space or obs-text: in a value it would end the line, or be cut to what does. */
const illegalInValue = /[^\t\x20-\x7e\x80-\xff]/;
const legalTarget = /^\/[\x21-\x7e]*$/;

/** A request as it came. */
export interface Inbound extends Pick<RequestHead, 'method' | 'target' | 'headers'> {
  /** Its field lines, as they came. */
  readonly fields: string;
}

/**
 * Puts together the request head for the upstream, of nothing but what the gate allowed and the framing. False where
 * something can't stand in a head: the gate promises that there is nothing of the kind. Fields that are still as the
 * client sent them were judged by the parser, byte for byte, and are not judged again; where their lines are written as
 * we write them, they go in runs. `trailerNames`: what is to be announced.
 */
export function putRequest(
  out: Outgoing,
  inbound: Inbound,
  { target, headers }: Pick<Allowed, 'target' | 'headers'>,
  body: BodyFraming,
  trailerNames: readonly string[] = [],
): boolean {
  if (target !== inbound.target && !legalTarget.test(target)) return false;
  out.begin().text(inbound.method).text(' ').text(target).text(' HTTP/1.1\r\n');
  const lines = new Lines(inbound);
  let hasTe = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    const isInbound = lines.find(name, value);
    const kind = nameKind(name);
    if (!isInbound && (kind === 'illegal' || illegalInValue.test(value))) return false;
    // A hop-by-hop field that the gate may give: nominated as such (RFC 9110 section 10.1.4).
    if (kind === 'te') hasTe = true;
    if (kind === 'framing' || (isInbound && lines.take(out))) continue;
    lines.putTaken(out);
    out.field(name, value);
  }
  lines.putTaken(out);
  if (hasTe) out.text('Connection: TE\r\n');
  if (body.kind === 'length') out.text(`Content-Length: ${body.bytes}\r\n`);
  else if (body.kind === 'chunked') out.text('Transfer-Encoding: chunked\r\n');
  else if (expectContent.has(inbound.method)) out.text('Content-Length: 0\r\n');
  if (trailerNames.length > 0) out.field('Trailer', trailerNames.join(', '));
  out.text('\r\n');
  return true;
}

/** A walk over the lines of a request as it came: what passes keeps its order. */
class Lines {
  private readonly headers: readonly string[];
  private readonly fields: string;
  /** Index of the next header, and offset of its line; -1 behind a line that is not written as we write them. */
  private next = 0;
  private at = 0;
  /** The line that was found last; its end is -1 where it is not written as we write it. */
  private foundAt = 0;
  private foundEnd = 0;
  private takenFrom = 0;
  private takenTo = 0;

  constructor({ headers, fields }: Inbound) {
    this.headers = headers;
    this.fields = fields;
  }

  /** Is this field, to the letter, one of those that are left? Those before it are not looked at any more. */
  find(name: string, value: string): boolean {
    const { headers } = this;
    let found = this.next;
    while (found < headers.length && (headers[found] !== name || headers[found + 1] !== value)) found += 2;
    if (found >= headers.length) return false;
    let { at } = this;
    for (let i = this.next; i < found && at !== -1; i += 2) at = this.lineEnd(i, at);
    this.foundAt = at;
    this.foundEnd = at === -1 ? -1 : this.lineEnd(found, at);
    this.next = found + 2;
    this.at = this.foundEnd;
    return true;
  }

  /** Takes the line that was found into a run, this one or the next; false where it has to be written anew. */
  take(out: Outgoing): boolean {
    if (this.foundEnd === -1) return false;
    if (this.foundAt !== this.takenTo) {
      this.putTaken(out);
      this.takenFrom = this.foundAt;
    }
    this.takenTo = this.foundEnd;
    return true;
  }

  putTaken(out: Outgoing): void {
    if (this.takenFrom !== this.takenTo) out.text(this.fields.slice(this.takenFrom, this.takenTo));
    this.takenFrom = this.takenTo;
  }

  /**
   * The offset behind the line of header `i`, which begins at `at`, where it is `name: value` and no more; else -1. A name
   * holds no colon and a value no line end, so that the four bytes around them settle it.
   */
  private lineEnd(i: number, at: number): number {
    const { headers, fields } = this;
    const nameEnd = at + (headers[i] as string).length;
    const valueEnd = nameEnd + 2 + (headers[i + 1] as string).length;
    const isOurs =
      fields.charCodeAt(nameEnd) === colon &&
      fields.charCodeAt(nameEnd + 1) === space &&
      fields.charCodeAt(valueEnd) === cr &&
      fields.charCodeAt(valueEnd + 1) === lf;
    return isOurs ? valueEnd + 2 : -1;
  }
}

/** What is to be known of a name: one that the lane writes itself, no name at all, or TE. */
type NameKind = 'plain' | 'framing' | 'te' | 'illegal';

/** Names are few, and the same for each request. */
const nameKinds = new Map<string, NameKind>();
const mostNameKinds = 1_000;
const mostNameBytes = 64;

function nameKind(name: string): NameKind {
  const known = nameKinds.get(name);
  if (known !== undefined) return known;
  const kind = findNameKind(name);
  if (nameKinds.size < mostNameKinds && name.length <= mostNameBytes) nameKinds.set(name, kind);
  return kind;
}

function findNameKind(name: string): NameKind {
  if (!isFieldName(name)) return 'illegal';
  const lower = name.toLowerCase();
  // The gate's list has none; where it had, there would be two of it.
  if (requestConnectionFields.has(lower)) return 'framing';
  return lower === 'te' ? 'te' : 'plain';
}
