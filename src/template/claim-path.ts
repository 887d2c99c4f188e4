import type { Json, JsonObject } from '../gate/token.ts';

/** Member names from the payload's root inwards. */
export type ClaimPath = readonly string[];

const bareSegment = /^[^.[\]"']+/;
const quotedSegment = /^\[(?:"([^"]*)"|'([^']*)')\]/;

/**
 * Reads a claim path: dotted (`user.email`), with bracketed names for those that hold dots
 * (`["https://x/y"].roles`), or a whole JSON list (`["https://x/y", "roles"]`).
 */
export function parseClaimPath(text: string): ClaimPath | { readonly problem: string } {
  const list = text.trimStart().startsWith('[') ? parseList(text) : undefined;
  if (list !== undefined) return list;
  const path: string[] = [];
  let rest = text;
  while (rest !== '') {
    const quoted = quotedSegment.exec(rest);
    const bare = quoted === null ? bareSegment.exec(rest) : null;
    const match = quoted ?? bare;
    if (match === null)
      return { problem: `"${text}" is no claim path: write a.b, or ["a.b", "c"] for names with dots` };
    path.push(quoted === null ? match[0] : (quoted[1] ?? quoted[2] ?? ''));
    rest = rest.slice(match[0].length);
    if (rest === '') break;
    if (rest.startsWith('.') && rest.length > 1) rest = rest.slice(1);
    else if (!rest.startsWith('[')) return { problem: `"${text}" is no claim path: unexpected "${rest}"` };
  }
  return path.length === 0 ? { problem: 'a claim path names at least one claim' } : path;
}

/** `["a", b]`: names in double quotes, single quotes or none, as YAML's flow lists have them. */
function parseList(text: string): ClaimPath | undefined {
  const inner = /^\s*\[(.*)\]\s*$/.exec(text)?.[1];
  if (inner === undefined || !inner.includes(',')) return undefined;
  const names: string[] = [];
  for (const item of inner.match(/"[^"]*"|'[^']*'|[^,]+/g) ?? []) {
    const name = item.trim();
    if (name === '') continue;
    names.push(/^(["']).*\1$/.test(name) ? name.slice(1, -1) : name);
  }
  return names.length === 0 ? undefined : names;
}

/** The value at a path; undefined where a member is missing or something on the way is no object. */
export function findClaim(claims: JsonObject, path: ClaimPath): Json | undefined {
  let value: Json | undefined = claims;
  for (const name of path) {
    // hasOwn: "__proto__" and "constructor" name claims, never the object's machinery.
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) {
      return undefined;
    }
    value = (value as JsonObject)[name];
  }
  return value;
}
