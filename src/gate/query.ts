/**
 * Query parameters as the most lenient upstream could read them. Servers differ on "&" and ";" as separators, on
 * letter case (ASP.NET), on "[]" and on "." for "_" (PHP): a parameter that a rule reads must mean the same to all of
 * them, so its name, folded, must stand once.
 */
export type QueryLookup =
  | { readonly kind: 'absent' }
  | { readonly kind: 'value'; readonly value: string }
  /** Several readings are possible; the request is refused where a rule needs this parameter. */
  | { readonly kind: 'ambiguous' };

const absent: QueryLookup = { kind: 'absent' };
const ambiguous: QueryLookup = { kind: 'ambiguous' };

/** The one value of a parameter. `query` is without "?"; undefined where the target had none. */
export function findQueryParameter(query: string | undefined, name: string): QueryLookup {
  if (query === undefined || query === '') return absent;
  const wanted = foldQueryName(name);
  let found: QueryLookup = absent;
  for (const pair of query.split('&')) {
    if (pair.includes(';') && pair.split(';').some((part, index) => index > 0 && foldedNameOf(part) === wanted)) {
      return ambiguous;
    }
    if (foldedNameOf(pair) !== wanted) continue;
    if (found !== absent || pair.includes(';')) return ambiguous;
    const equals = pair.indexOf('=');
    const exactName = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = decode(equals === -1 ? '' : pair.slice(equals + 1));
    if (exactName === undefined || value === undefined) return ambiguous;
    // A folded name alone ("JWT" for "jwt") is not the parameter to us, but may be to the upstream.
    found = exactName === name ? { kind: 'value', value } : ambiguous;
  }
  return found;
}

/** The query without the parameters whose names fold to one of these; undefined when nothing is left. */
export function withoutQueryParameters(query: string | undefined, names: readonly string[]): string | undefined {
  if (query === undefined || names.length === 0) return query;
  const dropped = new Set(names.map(foldQueryName));
  const stays = (part: string) => {
    const folded = foldedNameOf(part);
    return folded === undefined || !dropped.has(folded);
  };
  const kept: string[] = [];
  for (const pair of query.split('&')) {
    if (!stays(pair)) continue;
    // Behind a ";" there may be a parameter of its own, to some.
    kept.push(pair.includes(';') ? pair.split(';').filter(stays).join(';') : pair);
  }
  return kept.length === 0 ? undefined : kept.join('&');
}

/** Each parameter, its name folded and its value decoded where it can be; also those behind a ";". */
export function* foldedParameters(query: string | undefined): Generator<{ name: string; value: string }> {
  for (const part of query?.split(/[&;]/) ?? []) {
    const name = foldedNameOf(part);
    const equals = part.indexOf('=');
    if (name === undefined || equals === -1) continue;
    const value = part.slice(equals + 1);
    yield { name, value: decode(value) ?? value };
  }
}

function foldedNameOf(pair: string): string | undefined {
  const equals = pair.indexOf('=');
  const name = equals === -1 ? pair : pair.slice(0, equals);
  return name === '' ? undefined : foldQueryName(decode(name) ?? decodeBytes(name));
}

/** Letter case, "[…]", what follows a NUL, a "?" in front and the characters PHP turns into "_" make no difference. */
export function foldQueryName(name: string): string {
  // PHP ends a name there, as C does.
  const [text = ''] = name.split('\0', 1);
  const bracket = text.indexOf('[');
  // A query that is handed to URLSearchParams without its first "?" loses a second one.
  return (bracket > 0 ? text.slice(0, bracket) : text)
    .trim()
    .replace(/^\?/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '-');
}

/** What can be decoded, byte by byte, and the rest as it is: as lenient servers do it, with ASP.NET's %uXXXX. */
export function decodeBytes(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replaceAll(/%(?:u([0-9a-f]{4})|([0-9a-f]{2}))/gi, (_, wide?: string, byte?: string) =>
      String.fromCharCode(Number.parseInt(wide ?? (byte as string), 16)),
    );
}

/** application/x-www-form-urlencoded decoding; undefined for a bad escape. */
function decode(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
