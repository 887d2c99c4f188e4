import { colon, cr, fieldValueBytes, lf, space, tab, tokenBytes } from './byte-classes.ts';

/** Where the parts of one field line lie in its buffer. One object is used again for every line. */
export interface FieldLine {
  nameEnd: number;
  /** The value without outer white space; equal to `valueEnd` where it is empty. */
  valueStart: number;
  valueEnd: number;
  /** Behind the line's CRLF. */
  next: number;
}

export function newFieldLine(): FieldLine {
  return { nameEnd: 0, valueStart: 0, valueEnd: 0, next: 0 };
}

export type LineResult = 'field' | 'end' | 'incomplete' | 'illegal';

/**
 * Reads the line at `from` of a header or trailer section (RFC 9112 section 5): a field, or the empty line that ends
 * it. CRLF and nothing else ends a line (section 2.2 lets a recipient accept a bare LF: this one doesn't), nothing
 * stands between name and colon (section 5.1), and no line goes on in the next (obs-fold, section 5.2).
 */
export function readFieldLine(bytes: Uint8Array, from: number, to: number, line: FieldLine): LineResult {
  let i = from;
  while (i < to && tokenBytes[bytes[i] as number] === 1) i++;
  if (i === to) return 'incomplete';
  if (i === from) return readEmptyLine(bytes, from, to, line);
  if (bytes[i] !== colon) return 'illegal';
  line.nameEnd = i;
  i++;
  while (i < to && (bytes[i] === space || bytes[i] === tab)) i++;
  line.valueStart = i;
  while (i < to && fieldValueBytes[bytes[i] as number] === 1) i++;
  let end = i;
  while (end > line.valueStart && (bytes[end - 1] === space || bytes[end - 1] === tab)) end--;
  line.valueEnd = end;
  return readLineEnd(bytes, i, to, line, 'field');
}

function readEmptyLine(bytes: Uint8Array, from: number, to: number, line: FieldLine): LineResult {
  return readLineEnd(bytes, from, to, line, 'end');
}

function readLineEnd<T extends LineResult>(bytes: Uint8Array, at: number, to: number, line: FieldLine, found: T) {
  if (at === to) return 'incomplete';
  if (bytes[at] !== cr) return 'illegal';
  if (at + 1 === to) return 'incomplete';
  if (bytes[at + 1] !== lf) return 'illegal';
  line.next = at + 2;
  return found;
}
