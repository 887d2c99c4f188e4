import { isSameInAnyCase } from './letter-case.ts';

/**
 * The request target, read the way a strict upstream and a lenient one would both read it. Where the two could differ
 * (dot segments, encoded slashes, path parameters …) the target carries an `oddity`, and is refused unless a route
 * says `normalizePath`: the path that is matched is the path that is forwarded.
 */
export interface Target {
  readonly kind: 'target';
  /** Path as received, without query. */
  readonly rawPath: string;
  /** Without "?"; undefined where there was none. */
  readonly query: string | undefined;
  /** Percent-decoded segments of the normalised path; a trailing slash adds none. */
  readonly segments: readonly string[];
  /** Equal to `rawPath` unless there is an oddity. */
  readonly normalizedPath: string;
  /** What makes the raw path ambiguous; undefined for a plain one. */
  readonly oddity: string | undefined;
}

export interface TargetProblem {
  readonly kind: 'problem';
  readonly detail: string;
}

/** Every character a plain path needs no second look for: RFC 3986 pchar without "%" and ";". */
const plainPath = /^\/[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/;
const dotOrEmptySegment = /\/(?:\/|\.{1,2}(?:\/|$))/;
/** Visible ASCII: RFC 9112 section 3.2 allows no other byte in a target. "#" never belongs to one. */
const visibleAscii = /^[\x21-\x22\x24-\x7e]+$/;

/**
 * Takes an origin-form target (RFC 9112 section 3.2.1) apart. A problem means that no upstream could agree with us on
 * what it says: `requestRefused`.
 */
export function parseTarget(target: string): Target | TargetProblem {
  const question = target.indexOf('?');
  const rawPath = question === -1 ? target : target.slice(0, question);
  const query = question === -1 ? undefined : target.slice(question + 1);
  if (rawPath.charCodeAt(0) !== 0x2f) return problem('the target is not in origin form');
  if (query !== undefined && query !== '' && !visibleAscii.test(query)) {
    return problem('the query holds bytes that are not visible ASCII');
  }
  if (plainPath.test(rawPath) && !dotOrEmptySegment.test(rawPath)) {
    return {
      kind: 'target',
      rawPath,
      query,
      segments: splitPlain(rawPath),
      normalizedPath: rawPath,
      oddity: undefined,
    };
  }
  return parseOddPath(rawPath, query);
}

function splitPlain(path: string): readonly string[] {
  const segments: string[] = [];
  const end = path.endsWith('/') ? path.length - 1 : path.length;
  // `split` would leave generated code for this, and take three times as long.
  for (let start = 1; start < end; ) {
    const slash = path.indexOf('/', start);
    const next = slash === -1 ? end : slash;
    segments.push(path.slice(start, next));
    start = next + 1;
  }
  return segments;
}

function problem(detail: string): TargetProblem {
  return { kind: 'problem', detail };
}

const encodedSeparator = /%(?:2f|5c)/i;
const anySeparator = /\\|%2f|%5c/gi;
/**
 * Once decoded, still an escape that a second decoder would turn into structure, or into a character that nobody
 * escapes (RFC 3986 section 2.3) but to be read as another path: %2561dmin.
 */
const doubleEscape = /%(?:00|2[5d-f]|3[0-9b]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9ae])/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const controlCharacter = /[\x00-\x1f\x7f]/;

function parseOddPath(rawPath: string, query: string | undefined): Target | TargetProblem {
  if (!visibleAscii.test(rawPath)) return problem('the path holds bytes that are not visible ASCII');
  let oddity: string | undefined;
  if (rawPath.includes('\\')) oddity = 'a backslash in the path';
  if (encodedSeparator.test(rawPath)) oddity = 'an encoded slash or backslash in the path';

  const separated = rawPath.replaceAll(anySeparator, '/');
  const segments: string[] = [];
  const parts = separated.slice(1).split('/');
  let endsWithSlash = false;
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1;
    const decoded = decodeSegment(part);
    if (typeof decoded !== 'string') return decoded;
    if (doubleEscape.test(decoded)) return problem('a doubly encoded path separator, dot, letter or digit');
    const semicolon = decoded.indexOf(';');
    if (semicolon !== -1) oddity ??= 'a path parameter (";")';
    const name = semicolon === -1 ? decoded : decoded.slice(0, semicolon);
    endsWithSlash = last && (name === '' || name === '.' || name === '..');
    if (name === '') {
      if (!last || semicolon !== -1) oddity ??= 'an empty path segment ("//")';
    } else if (name === '.' || name === '..') {
      oddity ??= 'a dot segment in the path';
      if (name === '..') segments.pop();
    } else {
      segments.push(name);
    }
  }
  if (oddity === undefined) {
    return { kind: 'target', rawPath, query, segments, normalizedPath: rawPath, oddity };
  }
  const joined = `/${segments.map(encodeURIComponent).join('/')}`;
  const normalizedPath = endsWithSlash && segments.length > 0 ? `${joined}/` : joined;
  return { kind: 'target', rawPath, query, segments, normalizedPath, oddity };
}

function decodeSegment(segment: string): string | TargetProblem {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch {
    // Bad escapes and overlong UTF-8 (%c0%ae for ".") end here: decoders disagree on them.
    return problem('a percent-escape in the path is not valid UTF-8');
  }
  if (controlCharacter.test(decoded)) return problem('an encoded control character in the path');
  return decoded;
}

type Piece =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'any' };

/** `/a/{name}/**` compiled: literal segments, captured ones, and whether anything may follow. */
export interface PathPattern {
  readonly text: string;
  readonly pieces: readonly Piece[];
  /** True for a trailing `/**`: zero or more further segments. */
  readonly rest: boolean;
  readonly variables: readonly string[];
}

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Compiles a path pattern: whole segments that are literal, `{name}` (captured), `*` (any one), and `**` at the end.
 * A trailing slash in pattern or path makes no difference.
 */
export function compilePathPattern(text: string): PathPattern | { readonly problem: string } {
  if (!text.startsWith('/')) return { problem: `a path pattern begins with "/": "/${text}"?` };
  const parts = text.slice(1).split('/');
  if (parts.at(-1) === '' && parts.length > 0) parts.pop();
  const rest = parts.at(-1) === '**';
  if (rest) parts.pop();
  const pieces: Piece[] = [];
  const variables: string[] = [];
  for (const part of parts) {
    const piece = compilePiece(part);
    if ('problem' in piece) return piece;
    if (piece.kind === 'variable') {
      if (variables.includes(piece.name)) return { problem: `{${piece.name}} stands twice in the pattern` };
      variables.push(piece.name);
    }
    pieces.push(piece);
  }
  return { text, pieces, rest, variables };
}

function compilePiece(part: string): Piece | { readonly problem: string } {
  if (part === '') return { problem: 'a path pattern has no empty segments ("//")' };
  if (part === '*') return { kind: 'any' };
  if (part.includes('*')) return { problem: `"${part}": "*" stands for one whole segment, "**" only at the end` };
  if (part.startsWith('{') && part.endsWith('}')) {
    const name = part.slice(1, -1);
    if (variableName.test(name)) return { kind: 'variable', name };
    return { problem: `"${part}": a variable is {name}, of letters, digits and "_"` };
  }
  if (/[{}]/.test(part)) return { problem: `"${part}": {name} stands for one whole segment` };
  const decoded = parseTarget(`/${part}`);
  if (decoded.kind === 'problem') return { problem: `"${part}": ${decoded.detail}` };
  if (decoded.oddity !== undefined) return { problem: `"${part}": ${decoded.oddity} can never match a request` };
  return { kind: 'literal', text: decoded.segments[0] ?? '' };
}

export type Captures = ReadonlyMap<string, string>;
const noCaptures: Captures = new Map();

/** The captured variables where the pattern matches the decoded segments, else undefined. */
export function matchPath(pattern: PathPattern, segments: readonly string[]): Captures | undefined {
  const { pieces, rest } = pattern;
  if (rest ? segments.length < pieces.length : segments.length !== pieces.length) return undefined;
  let captures: Map<string, string> | undefined;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i] as Piece;
    const segment = segments[i] as string;
    if (piece.kind === 'literal') {
      if (piece.text !== segment) return undefined;
    } else if (piece.kind === 'variable') {
      captures ??= new Map();
      captures.set(piece.name, segment);
    }
  }
  return captures ?? noCaptures;
}

/** Would an upstream to which letter case is nothing take this path for one that the pattern matches? */
export function matchesInAnyCase({ pieces, rest }: PathPattern, segments: readonly string[]): boolean {
  if (rest ? segments.length < pieces.length : segments.length !== pieces.length) return false;
  return pieces.every((piece, i) => piece.kind !== 'literal' || isSameInAnyCase(piece.text, segments[i] as string));
}
