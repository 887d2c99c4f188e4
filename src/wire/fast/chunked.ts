import { requestConnectionFields } from '../field-lists.ts';
import { cr, hexDigitValues, lf, notHex, zero } from './byte-classes.ts';
import { newFieldLine, readFieldLine } from './field-line.ts';
import type { BodyReader } from './framing.ts';

/** What goes out in place of what came in: bytes as they came, or text (latin1) of our own. */
export type BodyPiece = Buffer | string;

/** An extension has no use that we know of; one that is longer than this is no accident. */
const mostSizeLineChars = 1_024;
const mostTrailerBytes = 8_192;
/** Digits that stay exact in a double. */
const mostSizeDigits = 13;

/** RFC 9112 section 7.1.1, without the white space that nobody may send. */
const sizeLine =
  /^([0-9A-Fa-f]{1,16})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*\r\n$/;

type State = 'size' | 'data' | 'dataCr' | 'dataLf' | 'trailers' | 'done' | 'broken';

/**
 * Follows a chunked body (RFC 9112 section 7.1) through the buffers it comes in. What it has judged goes on untouched
 * where it is canonical already, in one run for each buffer, since copying megabytes to change nothing would be the
 * most expensive part of relaying them. Whatever is not canonical is written anew: a size line with extensions or
 * leading zeros, one that came in pieces, and the trailer section. So no byte goes on that was not parsed, and what goes
 * on reads the same to every parser.
 *
 * `keepTrailer` is asked with each trailer field's name; those that it refuses are dropped (RFC 9110 section 6.5.1).
 */
export function createChunkedReader(keepTrailer: (name: string) => boolean): BodyReader {
  return new Reader(keepTrailer);
}

const line = newFieldLine();

class Reader implements BodyReader {
  problem: string | undefined;
  bodyBytes = 0;
  readonly trailers: string[] = [];
  private state: State = 'size';
  /** Bytes of the chunk at hand that are still to come. */
  private remaining = 0;
  /** A size line or trailer that did not come whole: withheld until it can be judged. */
  private partial = '';
  private trailerBytes = 0;
  private readonly keepTrailer: (name: string) => boolean;

  constructor(keepTrailer: (name: string) => boolean) {
    this.keepTrailer = keepTrailer;
  }

  get done(): boolean {
    return this.state === 'done';
  }

  read(bytes: Buffer, from: number, pieces: BodyPiece[]): number {
    let at = from;
    /** From here on everything is judged and canonical, and goes on as it is. */
    let runStart = from;
    while (at < bytes.length && this.state !== 'done' && this.state !== 'broken') {
      const end = this.passOver(bytes, at);
      if (end > at) {
        at = end;
      } else {
        if (runStart < at) pieces.push(bytes.subarray(runStart, at));
        at = this.state === 'size' ? this.rewriteSize(bytes, at, pieces) : this.rewriteTrailers(bytes, at, pieces);
        runStart = at;
      }
    }
    if (runStart < at && this.state !== 'broken') {
      pieces.push(runStart === 0 && at === bytes.length ? bytes : bytes.subarray(runStart, at));
    }
    return at;
  }

  readData(bytes: Buffer, from: number, data: Buffer[]): number {
    let at = from;
    while (at < bytes.length && this.state !== 'done' && this.state !== 'broken') {
      const isData = this.state === 'data';
      const end = this.passOver(bytes, at);
      if (isData) data.push(bytes.subarray(at, end));
      if (end > at) at = end;
      else at = this.state === 'size' ? this.rewriteSize(bytes, at, nowhere) : this.rewriteTrailers(bytes, at, nowhere);
    }
    nowhere.length = 0;
    return at;
  }

  /** The offset behind what is canonical and can be passed at once; `at` where it has to be written anew. */
  private passOver(bytes: Buffer, at: number): number {
    switch (this.state) {
      case 'size':
        return this.partial === '' ? this.passSize(bytes, at) : at;
      case 'data': {
        const taken = Math.min(this.remaining, bytes.length - at);
        this.remaining -= taken;
        this.bodyBytes += taken;
        if (this.remaining === 0) this.state = 'dataCr';
        return at + taken;
      }
      case 'dataCr':
        if (bytes[at] !== cr) return this.fail('a chunk is longer than its size', at + 1);
        this.state = 'dataLf';
        return at + 1;
      case 'dataLf':
        if (bytes[at] !== lf) return this.fail('a chunk does not end with CRLF', at + 1);
        this.state = 'size';
        return at + 1;
      default:
        if (this.trailerBytes > 0 || bytes[at] !== cr || bytes[at + 1] !== lf) return at;
        this.state = 'done';
        return at + 2;
    }
  }

  private passSize(bytes: Buffer, from: number): number {
    let size = 0;
    let at = from;
    for (; at < from + mostSizeDigits; at++) {
      const digit = hexDigitValues[bytes[at] ?? 0] as number;
      if (digit === notHex) break;
      size = size * 16 + digit;
    }
    const hasLeadingZero = bytes[from] === zero && at > from + 1;
    if (at === from || hasLeadingZero || bytes[at] !== cr || bytes[at + 1] !== lf) return from;
    this.startChunk(size);
    return at + 2;
  }

  private rewriteSize(bytes: Buffer, at: number, pieces: BodyPiece[]): number {
    const lineEnd = bytes.indexOf(lf, at);
    const end = lineEnd === -1 ? bytes.length : lineEnd + 1;
    this.partial += bytes.toString('latin1', at, Math.min(end, at + mostSizeLineChars + 1));
    if (this.partial.length > mostSizeLineChars) return this.fail('a chunk size line is too long', end);
    if (lineEnd === -1) return end;
    const size = Number.parseInt(sizeLine.exec(this.partial)?.[1] ?? '', 16);
    if (!Number.isSafeInteger(size)) return this.fail('a chunk size line is malformed', end);
    this.partial = '';
    pieces.push(`${size.toString(16)}\r\n`);
    this.startChunk(size);
    return end;
  }

  private startChunk(size: number): void {
    this.remaining = size;
    this.state = size === 0 ? 'trailers' : 'data';
  }

  /** RFC 9112 section 7.1.2: line by line, so that no line is read twice however small the pieces are. */
  private rewriteTrailers(bytes: Buffer, from: number, pieces: BodyPiece[]): number {
    let at = from;
    while (at < bytes.length) {
      const lineEnd = bytes.indexOf(lf, at);
      const end = lineEnd === -1 ? bytes.length : lineEnd + 1;
      this.trailerBytes += end - at;
      if (this.trailerBytes > mostTrailerBytes) return this.fail('the trailer section is too long', end);
      this.partial += bytes.toString('latin1', at, end);
      at = end;
      if (lineEnd === -1) break;
      const section = Buffer.from(this.partial, 'latin1');
      const result = readFieldLine(section, 0, section.length, line);
      this.partial = '';
      if (result === 'end') {
        this.state = 'done';
        pieces.push(`${fieldLines(this.trailers)}\r\n`);
        break;
      }
      if (result !== 'field') return this.fail('a line of the trailer section is not a field', at);
      const name = section.toString('latin1', 0, line.nameEnd);
      // Section 6.5.1 of RFC 9110; and whoever merged it would frame this message or the next one anew.
      if (requestConnectionFields.has(name.toLowerCase())) return this.fail('a trailer of one connection', at);
      if (!this.keepTrailer(name)) continue;
      this.trailers.push(name, section.toString('latin1', line.valueStart, line.valueEnd));
    }
    return at;
  }

  private fail(problem: string, at: number): number {
    this.state = 'broken';
    this.problem = problem;
    return at;
  }
}

/** For what is framed otherwise. */
const nowhere: BodyPiece[] = [];

function fieldLines(list: readonly string[]): string {
  let lines = '';
  for (let i = 0; i < list.length; i += 2) lines += `${list[i]}: ${list[i + 1]}\r\n`;
  return lines;
}
