import { decodeBytes } from './query.ts';
import { hasTokenForm } from './token-form.ts';

/** One `name=value` of a Cookie line. */
export interface Cookie {
  readonly name: string;
  /** Without its quotes, which RFC 6265 section 4.1.1 allows. */
  readonly value: string;
}

export function readPair(pair: string): Cookie | undefined {
  const equals = pair.indexOf('=');
  if (equals === -1) return undefined;
  const value = pair.slice(equals + 1).trim();
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  return { name: pair.slice(0, equals).trim(), value: isQuoted ? value.slice(1, -1) : value };
}

const plainName = /^[a-z0-9_-]*$/;

/**
 * What of a name makes no difference to some servers: letter case (ASP.NET), escapes (ASP.NET, Rack, PHP once), and
 * the characters that PHP turns into "_".
 */
export function foldCookieName(name: string): string {
  if (plainName.test(name)) return name;
  return decodeBytes(name).toLowerCase().replaceAll(/[ .[]/g, '_');
}

/** Could a server that folds names find a token here? What else stands under such a name is a cookie of its own. */
export function isRespelled({ name, value }: Cookie, foldedName: string): boolean {
  return foldCookieName(name) === foldedName && hasTokenForm(value);
}

/** What stands behind white space (Python ends a cookie there) or a comma (RFC 2109, and so older Java) within a pair. */
export function pairsWithin(pair: string): readonly Cookie[] {
  const trimmed = pair.trim();
  if (!/[\s,]/.test(trimmed)) return [];
  const [, ...within] = trimmed.split(/[\s,]+/);
  return within.flatMap((part) => readPair(part) ?? []);
}

/** A Cookie line without these cookies, and without tokens in other spellings of them; undefined when none is left. */
export function withoutCookies(line: string, names: ReadonlySet<string>): string | undefined {
  const folded = new Set([...names].map(foldCookieName));
  const kept = line.split(';').filter((pair) => {
    if (pair.trim() === '') return false;
    const cookie = readPair(pair);
    if (cookie !== undefined && names.has(cookie.name)) return false;
    const read = [...(cookie === undefined ? [] : [cookie]), ...pairsWithin(pair)];
    return !read.some(({ name, value }) => folded.has(foldCookieName(name)) && hasTokenForm(value));
  });
  return kept.length === 0 ? undefined : kept.join(';').trim();
}
