import { type BodyFraming, type HeadLimits, isHost, parseContentLength, targetShare } from '../framing.ts';
import { cr, lf, slash, space, targetBytes, tokenBytes } from './byte-classes.ts';
import { newFieldLine, readFieldLine } from './field-line.ts';
import { fieldName } from './field-names.ts';
import { watchNames } from './watched-names.ts';

/** A request in canonical form: the only form that the fast lane serves. */
export interface CanonicalHead {
  readonly kind: 'head';
  readonly method: string;
  /** Origin form (RFC 9112 section 3.2.1), visible ASCII without a fragment. */
  readonly target: string;
  /** Flat name, value list as received, values without outer white space. */
  readonly headers: readonly string[];
  /** The field lines as received. */
  readonly fields: string;
  readonly body: BodyFraming;
  /** The client wants the connection closed after the answer (RFC 9112 section 9.6). */
  readonly close: boolean;
  /** Offset behind the head. */
  readonly end: number;
}

/** What no reading of RFC 9112 allows, or what exceeds a limit: answered with `status`, and trusted no further. */
export interface IllegalHead {
  readonly kind: 'illegal';
  readonly status: 400 | 414 | 431;
  /** For the log; holds nothing that the client sent. */
  readonly detail: string;
}

/** `incomplete`: more bytes are needed. `odd`: perhaps legal, and for the node lane to judge. */
export type ParsedHead = CanonicalHead | IllegalHead | { readonly kind: 'incomplete' } | { readonly kind: 'odd' };

const incomplete = { kind: 'incomplete' } as const;
const odd = { kind: 'odd' } as const;

function illegal(detail: string, status: IllegalHead['status'] = 400): IllegalHead {
  return { kind: 'illegal', status, detail };
}

/** The methods whose bearing on framing and retries is plain (RFC 9110 section 9.3, RFC 5789); others are odd. */
const canonicalMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function mayBecomeMethod(beginning: string): boolean {
  for (const method of canonicalMethods) if (method.startsWith(beginning)) return true;
  return false;
}

/** What is known of a head while it is read. */
interface Draft {
  method: string;
  target: string;
  readonly headers: string[];
  fields: string;
  host: string | undefined;
  length: string | undefined;
  chunked: boolean;
  connection: 'keep-alive' | 'close' | undefined;
}

type Fault = IllegalHead | { readonly kind: 'odd' };

/**
 * Reads the request head at `from` (RFC 9112 sections 3 and 5). Pure: a head that comes in pieces is read again from
 * its start, which its caller does only for pieces that bring a line end.
 */
export function parseRequestHead(bytes: Buffer, from: number, limits: HeadLimits): ParsedHead {
  // One byte more than a head may have is enough to know that it has.
  const to = Math.min(bytes.length, from + limits.headerBytes + 1);
  const draft: Draft = {
    method: '',
    target: '',
    headers: [],
    fields: '',
    host: undefined,
    length: undefined,
    chunked: false,
    connection: undefined,
  };
  const fieldsAt = readRequestLine(bytes, from, to, limits, draft);
  const read = typeof fieldsAt === 'number' ? readFields(bytes, fieldsAt, to, limits, draft) : fieldsAt;
  if (typeof read === 'number') {
    return read - from > limits.headerBytes ? tooLong(limits) : conclude(draft, read);
  }
  return read.kind === 'incomplete' && to - from > limits.headerBytes ? tooLong(limits) : read;
}

function tooLong(limits: HeadLimits): IllegalHead {
  return illegal(`a head of more than ${limits.headerBytes} bytes`, 431);
}

const versionAndLineEnd = Buffer.from('HTTP/1.1\r\n', 'latin1');

/** RFC 9112 section 3: `method SP request-target SP HTTP-version CRLF`. The number is the offset behind it. */
function readRequestLine(
  bytes: Buffer,
  from: number,
  to: number,
  limits: HeadLimits,
  draft: Draft,
): number | typeof incomplete | Fault {
  // Section 2.2: an empty line may stand before a request. The node lane knows how many.
  if (from < to && (bytes[from] === cr || bytes[from] === lf)) return odd;
  let i = from;
  while (i < to && tokenBytes[bytes[i] as number] === 1) i++;
  if (i === to) return mayBecomeMethod(bytes.toString('latin1', from, Math.min(i, from + 16))) ? incomplete : odd;
  if (i === from || bytes[i] !== space) return illegal('the request line does not begin with a method and a space');
  draft.method = fieldName(bytes, from, i);
  if (!canonicalMethods.has(draft.method)) return odd;

  i++;
  if (i === to) return incomplete;
  // Absolute, authority and asterisk form: sections 3.2.2 to 3.2.4.
  if (bytes[i] !== slash) return odd;
  const targetStart = i;
  while (i < to && targetBytes[bytes[i] as number] === 1) i++;
  if (i - targetStart > limits.headerBytes * targetShare) return illegal('the target is too long', 414);
  if (i === to) return incomplete;
  if (bytes[i] !== space) return illegal('the target holds a fragment, or a byte that is not visible ASCII');
  draft.target = bytes.toString('latin1', targetStart, i);

  i++;
  // By index: an iterator of bytes makes an object for each of them.
  for (let expected = 0; expected < versionAndLineEnd.length; expected++) {
    if (i === to) return incomplete;
    // HTTP/1.0 is for the node lane to serve, and anything else for it to refuse.
    if (bytes[i] !== versionAndLineEnd[expected]) return odd;
    i++;
  }
  return i;
}

const line = newFieldLine();

/** RFC 9112 section 5: field lines up to the empty one. The number is the offset behind that. */
function readFields(
  bytes: Buffer,
  from: number,
  to: number,
  limits: HeadLimits,
  draft: Draft,
): number | typeof incomplete | Fault {
  const { headers } = draft;
  // One text, of which all values are parts: what is to outlive the request has to be copied out of it.
  const text = bytes.toString('latin1', from, endOfText(bytes, from, to));
  let at = from;
  for (;;) {
    const result = readFieldLine(bytes, at, to, line);
    if (result !== 'field') {
      if (result === 'end') {
        draft.fields = text.slice(0, at - from);
        return line.next;
      }
      return result === 'incomplete' ? incomplete : illegal('a line of the head is not a header field');
    }
    if (headers.length === 2 * limits.headerCount) return illegal(`more than ${limits.headerCount} headers`, 431);
    const value = text.slice(line.valueStart - from, line.valueEnd - from);
    const fault = takers.find(bytes, at, line.nameEnd)?.(draft, value);
    if (fault !== undefined) return fault;
    headers.push(fieldName(bytes, at, line.nameEnd), value);
    at = line.next;
  }
}

const headEnd = Buffer.from('\r\n\r\n', 'latin1');

/** Where there is much, most of it is a body, and not to be made text of. */
function endOfText(bytes: Buffer, from: number, to: number): number {
  if (to - from <= mostUnsearched) return to;
  const end = bytes.indexOf(headEnd, from);
  return end === -1 ? to : Math.min(to, end + headEnd.length);
}

const mostUnsearched = 4_096;

type Take = (draft: Draft, value: string) => Fault | undefined;

const isOdd: Take = () => odd;

/** Fields that bear on the connection or on the framing; the rest is end-to-end, and the gate's business. */
const takers = watchNames<Take>([
  ['host', takeHost],
  ['content-length', takeLength],
  ['transfer-encoding', takeCoding],
  ['connection', takeConnection],
  ['expect', isOdd],
  ['upgrade', isOdd],
  ['http2-settings', isOdd],
  ['te', isOdd],
  ['trailer', isOdd],
]);

/** RFC 9112 section 3.2: exactly one, and a host. */
function takeHost(draft: Draft, value: string): Fault | undefined {
  if (draft.host !== undefined) return illegal('more than one Host');
  if (!isHost(value)) return illegal('Host is not a host and optional port');
  draft.host = value;
  return undefined;
}

/** RFC 9112 section 6.3: twice is once too often, even where both agree. */
function takeLength(draft: Draft, value: string): Fault | undefined {
  if (draft.length !== undefined) return illegal('more than one Content-Length');
  if (parseContentLength(value) === undefined) return illegal('Content-Length is not a plain decimal number');
  draft.length = value;
  return undefined;
}

/** RFC 9112 section 6.1: only the one coding that frames, once, in its own letters. */
function takeCoding(draft: Draft, value: string): Fault | undefined {
  if (draft.chunked || value !== 'chunked') return illegal('Transfer-Encoding is not exactly one "chunked"');
  draft.chunked = true;
  return undefined;
}

/** A Connection that nominates fields of its own (RFC 9110 section 7.6.1) is odd. */
function takeConnection(draft: Draft, value: string): Fault | undefined {
  const option = value.toLowerCase();
  if (draft.connection !== undefined || (option !== 'keep-alive' && option !== 'close')) return odd;
  draft.connection = option;
  return undefined;
}

const noBody: BodyFraming = { kind: 'none' };
const chunkedBody: BodyFraming = { kind: 'chunked' };

function conclude(draft: Draft, end: number): ParsedHead {
  const { method, target, headers, fields, host, length, chunked, connection } = draft;
  if (host === undefined) return illegal('no Host');
  // RFC 9112 section 6.1: what carries both may be an attempt at smuggling.
  if (chunked && length !== undefined) return illegal('Transfer-Encoding beside Content-Length');
  const bytes = length === undefined ? 0 : (parseContentLength(length) as number);
  const body = chunked ? chunkedBody : bytes === 0 ? noBody : ({ kind: 'length', bytes } as const);
  return { kind: 'head', method, target, headers, fields, body, close: connection === 'close', end };
}
