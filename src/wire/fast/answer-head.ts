import { responseConnectionFields } from '../field-lists.ts';
import { interimFields, responseFields } from '../response-fields.ts';
import { cr, fieldValueBytes, lf, one, space, zero } from './byte-classes.ts';
import { type FieldLine, newFieldLine, readFieldLine } from './field-line.ts';
import type { Outgoing } from './outgoing.ts';
import { watchNames } from './watched-names.ts';

/** The head of an upstream's answer, as far as the lane has to understand it. */
export interface AnswerHead {
  readonly kind: 'head';
  readonly version: '1.0' | '1.1';
  readonly status: number;
  /** Where the reason phrase lies. */
  readonly reasonStart: number;
  readonly reasonEnd: number;
  /** Offsets, from and to in turn, of the lines that pass as they came; of use only where `isPlain`. */
  readonly runs: readonly number[];
  /** False where which fields pass depends on more than their names, or one is to be written anew: all are then judged. */
  readonly isPlain: boolean;
  readonly hasDate: boolean;
  readonly chunked: boolean;
  readonly length: number | undefined;
  /** The upstream means to keep the connection (RFC 9112 section 9.3). */
  readonly keepAlive: boolean;
  /** For how long it is going to keep it unused, where it says so. */
  readonly keepAliveMs: number | undefined;
  readonly fieldsStart: number;
  /** Offset behind the head. */
  readonly end: number;
}

/** `broken`: no answer that a careful client would accept; `detail` holds nothing that the upstream sent. */
export type ParsedAnswer =
  | AnswerHead
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'broken'; readonly detail: string };

const incomplete: ParsedAnswer = { kind: 'incomplete' };

function broken(detail: string): ParsedAnswer {
  return { kind: 'broken', detail };
}

/** Cookies make some upstreams' heads longer than the usual 16 KiB. */
export const mostAnswerHeadBytes = 64 * 1024;

interface Draft {
  chunked: boolean;
  length: number | undefined;
  hasDate: boolean;
  connection: 'keep-alive' | 'close' | undefined;
  keepAliveMs: number | undefined;
  isPlain: boolean;
  problem: string | undefined;
  readonly runs: number[];
}

const line = newFieldLine();
const statusLineBytes = Buffer.byteLength('HTTP/1.1 200');
const versionStart = Buffer.from('HTTP/1.', 'latin1');

/** Reads the answer's head at `from` (RFC 9112 sections 4 and 5), interim ones included. Pure. */
export function parseAnswerHead(bytes: Buffer, from: number): ParsedAnswer {
  const to = Math.min(bytes.length, from + mostAnswerHeadBytes);
  const parsed = parseWithin(bytes, from, to);
  return parsed.kind === 'incomplete' && to - from === mostAnswerHeadBytes ? broken('the head is too long') : parsed;
}

function parseWithin(bytes: Buffer, from: number, to: number): ParsedAnswer {
  const isShort = to - from < statusLineBytes;
  // What is not HTTP may end here, and wait for a request.
  if (isShort && beginsLikeStatusLine(bytes, from, to)) return incomplete;
  const status = isShort ? undefined : readStatus(bytes, from);
  if (status === undefined) return broken('the answer does not begin with an HTTP/1 status line');
  let at = from + statusLineBytes;
  // Section 4: the space has to be there, though not all send it; the phrase may be empty.
  if (bytes[at] === space) at++;
  else if (at < to && bytes[at] !== cr) return broken('the status is not a number of three digits');
  const reasonStart = at;
  while (at < to && fieldValueBytes[bytes[at] as number] === 1) at++;
  if (at + 1 >= to) return incomplete;
  if (bytes[at] !== cr || bytes[at + 1] !== lf) return broken('the status line does not end with CRLF');
  const reasonEnd = at;
  const version = bytes[from + versionStart.length] === zero ? '1.0' : '1.1';

  const fieldsStart = at + 2;
  const draft: Draft = {
    chunked: false,
    length: undefined,
    hasDate: false,
    connection: undefined,
    keepAliveMs: undefined,
    // What a 204 or an interim answer may carry is another matter than for the rest.
    isPlain: status >= 200 && status !== 204,
    problem: undefined,
    runs: [],
  };
  const isWhole = readFields(bytes, fieldsStart, to, draft);
  if (draft.problem !== undefined) return broken(draft.problem);
  if (!isWhole) return incomplete;
  const { chunked, length, hasDate, connection, keepAliveMs, isPlain, runs } = draft;
  // Section 6.3: one of the two is a lie, and nobody can say which.
  if (chunked && length !== undefined) return broken('Transfer-Encoding beside Content-Length');
  const keepAlive = version === '1.1' ? connection !== 'close' : connection === 'keep-alive';
  const end = line.next;
  return {
    kind: 'head',
    version,
    status,
    reasonStart,
    reasonEnd,
    runs,
    isPlain,
    hasDate,
    chunked,
    length,
    keepAlive,
    keepAliveMs,
    fieldsStart,
    end,
  };
}

function beginsLikeStatusLine(bytes: Buffer, from: number, to: number): boolean {
  const length = Math.min(to - from, versionStart.length);
  return bytes.compare(versionStart, 0, length, from, from + length) === 0;
}

/** RFC 9112 section 4: `HTTP/1.0 SP 3DIGIT` or `HTTP/1.1 SP 3DIGIT`. */
function readStatus(bytes: Buffer, from: number): number | undefined {
  for (let i = 0; i < versionStart.length; i++) if (bytes[from + i] !== versionStart[i]) return undefined;
  const at = from + versionStart.length;
  if ((bytes[at] !== zero && bytes[at] !== one) || bytes[at + 1] !== space) return undefined;
  let status = 0;
  for (let i = at + 2; i < from + statusLineBytes; i++) {
    const digit = (bytes[i] as number) - zero;
    if (digit < 0 || digit > 9) return undefined;
    status = status * 10 + digit;
  }
  return status < 100 ? undefined : status;
}

/** False while incomplete. */
function readFields(bytes: Buffer, from: number, to: number, draft: Draft): boolean {
  const { runs } = draft;
  let runStart = from;
  let at = from;
  for (;;) {
    const result = readFieldLine(bytes, at, to, line);
    if (result === 'incomplete') return false;
    if (result === 'illegal') draft.problem = 'a line of the head is not a header field';
    if (result !== 'field') {
      if (runStart < at) runs.push(runStart, at);
      return true;
    }
    const watched = watchedFields.find(bytes, at, line.nameEnd);
    watched?.take?.(draft, bytes, line);
    if (draft.problem !== undefined) return false;
    if (watched?.passes === false) {
      if (runStart < at) runs.push(runStart, at);
      runStart = line.next;
    } else if (!isCanonical(bytes, line)) {
      draft.isPlain = false;
    }
    at = line.next;
  }
}

/** One space behind the colon and none at the end, as all lines go out. */
function isCanonical(bytes: Buffer, { nameEnd, valueStart, valueEnd, next }: FieldLine): boolean {
  return valueStart === nameEnd + 2 && bytes[nameEnd + 1] === space && valueEnd + 2 === next;
}

function textOfValue(bytes: Buffer, { valueStart, valueEnd }: FieldLine): string {
  return bytes.toString('latin1', valueStart, valueEnd);
}

type Take = (draft: Draft, bytes: Buffer, line: FieldLine) => void;

const takers: ReadonlyMap<string, Take> = new Map<string, Take>([
  ['connection', takeConnection],
  ['content-length', takeLength],
  ['transfer-encoding', takeCoding],
  ['keep-alive', takeKeepAlive],
  ['trailer', takeTrailer],
  ['date', takeDate],
]);

/** Fields that say something of the connection, or don't pass, or both. */
const watchedFields = watchNames(
  [...new Set([...takers.keys(), ...responseConnectionFields])].map((name) => {
    return [name, { take: takers.get(name), passes: !responseConnectionFields.has(name) }] as const;
  }),
);

function takeConnection(draft: Draft, bytes: Buffer, line: FieldLine): void {
  const value = textOfValue(bytes, line);
  if (value === 'keep-alive') {
    draft.connection ??= 'keep-alive';
    return;
  }
  for (const part of value.toLowerCase().split(',')) {
    const option = part.trim();
    if (option === 'close') draft.connection = 'close';
    else if (option === 'keep-alive') draft.connection ??= 'keep-alive';
    // Nominates a field of its own (RFC 9110 section 7.6.1).
    else draft.isPlain = false;
  }
}

/** Digits that stay exact in a double. */
const mostLengthDigits = 15;

function takeLength(draft: Draft, bytes: Buffer, { valueStart, valueEnd }: FieldLine): void {
  if (draft.length !== undefined) draft.problem = 'more than one Content-Length';
  let length = valueStart < valueEnd && valueEnd - valueStart <= mostLengthDigits ? 0 : Number.NaN;
  for (let i = valueStart; i < valueEnd; i++) {
    const digit = (bytes[i] as number) - zero;
    length = digit >= 0 && digit <= 9 ? length * 10 + digit : Number.NaN;
  }
  if (Number.isNaN(length)) draft.problem = 'Content-Length is not a number';
  draft.length = length;
}

function takeCoding(draft: Draft, bytes: Buffer, line: FieldLine): void {
  if (draft.chunked || textOfValue(bytes, line).toLowerCase() !== 'chunked') {
    draft.problem = 'Transfer-Encoding is not exactly one "chunked"';
  }
  draft.chunked = true;
}

function takeKeepAlive(draft: Draft, bytes: Buffer, line: FieldLine): void {
  const seconds = /(?:^|[,;\s])timeout=(\d{1,6})(?:$|[,;\s])/i.exec(textOfValue(bytes, line))?.[1];
  if (seconds !== undefined) draft.keepAliveMs = Number(seconds) * 1000;
}

function takeTrailer(draft: Draft): void {
  draft.isPlain = false;
}

function takeDate(draft: Draft): void {
  draft.hasDate = true;
}

/** How the client has to be answered, beside what the upstream said. */
export interface AnswerContext {
  readonly method: string;
  /** End the client's connection after this answer. */
  readonly close: boolean;
  /** Flat list from the gate: replaces fields of the same names, but adds to Vary. */
  readonly set: readonly string[];
  /** For an answer that has no Date (RFC 9110 section 6.6.1). */
  readonly date: () => string;
}

/** Does this answer have a body (RFC 9112 section 6.3, rule 1)? */
export function hasBody({ status }: AnswerHead, method: string): boolean {
  return method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304;
}

/** Puts together the whole head for the client, of the answer that was read from `bytes`. */
export function putAnswer(
  out: Outgoing,
  answer: AnswerHead,
  bytes: Buffer,
  { method, close, set, date }: AnswerContext,
): void {
  const { status, version, length, runs } = answer;
  putStatusLine(out, answer, bytes);
  if (answer.isPlain && set.length === 0) {
    for (let i = 0; i < runs.length; i += 2) out.copy(bytes, runs[i] as number, runs[i + 1] as number);
    out.text(version === '1.1' ? 'Via: 1.1 jwtgate\r\n' : 'Via: 1.0 jwtgate\r\n');
    if (close) out.text('Connection: close\r\n');
  } else {
    const list = { statusCode: status, httpVersion: version, rawHeaders: listFields(answer, bytes) };
    putFields(out, responseFields(list, { method, clientVersion: '1.1', close, set }));
  }
  if (!answer.hasDate) out.field('Date', date());
  // What has no length, or ends with its connection, goes on in chunks.
  if (length === undefined && hasBody(answer, method)) out.text('Transfer-Encoding: chunked\r\n');
  out.text('\r\n');
}

/** Puts together an interim answer (RFC 9110 section 15.2) for the client. */
export function putInterim(out: Outgoing, answer: AnswerHead, bytes: Buffer): void {
  putStatusLine(out, answer, bytes);
  putFields(out, interimFields(listFields(answer, bytes)));
  out.text('\r\n');
}

function putStatusLine(out: Outgoing, { status, reasonStart, reasonEnd }: AnswerHead, bytes: Buffer): void {
  out.begin();
  if (status === 200) out.text('HTTP/1.1 200 ');
  else out.text(`HTTP/1.1 ${status} `);
  out.copy(bytes, reasonStart, reasonEnd).text('\r\n');
}

/** The fields of the head that was read from `bytes`, as a flat name, value list. */
export function listFields({ fieldsStart, end }: AnswerHead, bytes: Buffer): string[] {
  const list: string[] = [];
  let at = fieldsStart;
  while (readFieldLine(bytes, at, end, line) === 'field') {
    list.push(bytes.toString('latin1', at, line.nameEnd), bytes.toString('latin1', line.valueStart, line.valueEnd));
    at = line.next;
  }
  return list;
}

function putFields(out: Outgoing, list: readonly string[]): void {
  for (let i = 0; i < list.length; i += 2) out.field(list[i] as string, list[i + 1] as string);
}
