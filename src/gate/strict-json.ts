import { isUtf8 } from 'node:buffer';
import { decodeBase64urlText } from '../keys/base64url.ts';
import type { Json } from './token.ts';

/** Deeper than any token or API body that a person wrote; shallow enough for every walk over the value. */
const maxDepth = 64;

/** The longest run of digits that is certain to be a safe integer: 2^53 has sixteen. */
const safeDigits = 15;

export type StrictJson =
  | { readonly kind: 'value'; readonly value: Json }
  /** `detail` holds no text of the input, so that it may be logged. */
  | { readonly kind: 'problem'; readonly detail: string };

/**
 * Parses JSON that can be understood in one way only (RFC 8259 section 4, RFC 7493 section 2): no duplicate member
 * names at any depth, no invalid UTF-8, no lone surrogates, no number beyond a double, at most 64 levels deep.
 * An integer that a double can't hold exactly becomes its digits as text: two different ids must stay different.
 */
export function parseStrictJson(input: Uint8Array | string): StrictJson {
  if (typeof input === 'string') return parseText(input);
  return isUtf8(input) ? parseText(asBuffer(input).toString('utf8')) : notUtf8;
}

/** As `parseStrictJson`, for JSON in canonical base64url; undefined where it is spelled otherwise. */
export function parseStrictBase64urlJson(encoded: string): StrictJson | undefined {
  const text = decodeBase64urlText(encoded);
  if (text === undefined) return undefined;
  // Where bytes are no UTF-8 the decoder writes U+FFFD, which is a character like any other where the bytes are one.
  if (text.indexOf(replacementCharacter) !== -1 && !isUtf8(Buffer.from(encoded, 'base64url'))) return notUtf8;
  return parseText(text);
}

const replacementCharacter = '\ufffd';

function parseText(text: string): StrictJson {
  const scan = scanJson(text);
  if (scan.depth > maxDepth) return problem(`nested deeper than ${maxDepth} levels`);
  let value: Json;
  try {
    value = scan.longNumber ? parseKeepingDigits(text) : (JSON.parse(text) as Json);
  } catch {
    return problem('not JSON');
  }
  const walk = walkJson(value, scan.escapes);
  if (walk.fault !== undefined) return problem(walk.fault);
  // JSON.parse keeps the last of two members with one name, so a lost member is a duplicate, however it was escaped.
  if (walk.members !== scan.members) return problem('a member name occurs twice in one object');
  return { kind: 'value', value };
}

function problem(detail: string): StrictJson {
  return { kind: 'problem', detail };
}

const notUtf8 = problem('not valid UTF-8');

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface Scan {
  readonly depth: number;
  /** Colons outside strings: in valid JSON, exactly the number of members. */
  readonly members: number;
  /** A number long enough to lose digits in a double. */
  readonly longNumber: boolean;
  /** There may be a \u escape: the only way for a lone surrogate into valid UTF-8. */
  readonly escapes: boolean;
}

/** One pass over text that may not be JSON at all: whatever is found counts only once JSON.parse has agreed. */
function scanJson(text: string): Scan {
  const hasBackslash = text.indexOf('\\') !== -1;
  let level = 0;
  let depth = 0;
  let members = 0;
  let digits = 0;
  let longNumber = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0x30 && c <= 0x39) {
      if (++digits > safeDigits) longNumber = true;
      continue;
    }
    digits = 0;
    if (c === 0x22) {
      i = hasBackslash ? endOfString(text, i + 1) : text.indexOf('"', i + 1);
      if (i === -1) break;
    } else if (c === 0x3a) members++;
    else if (c === 0x7b || c === 0x5b) {
      if (++level > depth) depth = level;
    } else if (c === 0x7d || c === 0x5d) level--;
  }
  return { depth, members, longNumber, escapes: hasBackslash && text.indexOf('\\u') !== -1 };
}

/** The index of the quote that ends the string whose first character is at `from`; -1: none does. */
function endOfString(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) return i;
    if (c === 0x5c) i++;
  }
  return -1;
}

/** The reviver's third argument (ECMA-262, JSON.parse source text access), not in the library types yet. */
type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown;

function parseKeepingDigits(text: string): Json {
  const keepDigits: Reviver = (_key, value, { source }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source)
      ? source
      : value;
  return JSON.parse(text, keepDigits as (this: unknown, key: string, value: unknown) => unknown) as Json;
}

interface Walk {
  members: number;
  fault: string | undefined;
}

function walkJson(value: Json, checkStrings: boolean): Walk {
  const walk: Walk = { members: 0, fault: undefined };
  visit(value, checkStrings, walk);
  return walk;
}

/** Recursion is bounded: the scan refused anything deeper than `maxDepth`. */
function visit(value: Json, checkStrings: boolean, walk: Walk): void {
  if (typeof value === 'object') {
    if (value === null) return;
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) visit(value[i], checkStrings, walk);
      return;
    }
    const members = value as { readonly [name: string]: Json };
    // All of them are its own: nothing here gives objects a prototype with more.
    for (const name in members) {
      walk.members++;
      // JSON.parse makes it an own member, but a later Object.assign would make it the prototype.
      if (name === '__proto__') walk.fault = 'a member is named __proto__';
      else if (checkStrings && !name.isWellFormed()) walk.fault = 'a member name holds a lone surrogate';
      visit(members[name] as Json, checkStrings, walk);
    }
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) walk.fault = 'a number is too large';
  } else if (checkStrings && typeof value === 'string' && !value.isWellFormed()) {
    walk.fault = 'a string holds a lone surrogate';
  }
}
