import { isUtf8 } from 'node:buffer';
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
  if (typeof input !== 'string' && !isUtf8(input)) return problem('not valid UTF-8');
  const text = typeof input === 'string' ? input : asBuffer(input).toString('utf8');
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

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface Scan {
  readonly depth: number;
  /** Colons outside strings: in valid JSON, exactly the number of members. */
  readonly members: number;
  /** A number long enough to lose digits in a double. */
  readonly longNumber: boolean;
  /** A \u escape: the only way for a lone surrogate into valid UTF-8. */
  readonly escapes: boolean;
}

/** One pass over text that may not be JSON at all: whatever is found counts only once JSON.parse has agreed. */
function scanJson(text: string): Scan {
  let level = 0;
  let depth = 0;
  let members = 0;
  let digits = 0;
  let longNumber = false;
  let escapes = false;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) {
        if (text.charCodeAt(++i) === 0x75) escapes = true;
      } else if (c === 0x22) inString = false;
    } else if (c >= 0x30 && c <= 0x39) {
      if (++digits > safeDigits) longNumber = true;
    } else {
      digits = 0;
      if (c === 0x22) inString = true;
      else if (c === 0x3a) members++;
      else if (c === 0x7b || c === 0x5b) {
        if (++level > depth) depth = level;
      } else if (c === 0x7d || c === 0x5d) level--;
    }
  }
  return { depth, members, longNumber, escapes };
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
    const names = Object.keys(members);
    walk.members += names.length;
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
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
