import { foldMemberName } from './letter-case.ts';
import type { Json } from './token.ts';

/** The reference tokens of an RFC 6901 JSON Pointer. */
export type JsonPointer = readonly string[];

/** Reads "/a/b~1c/0"; "" is the whole document. */
export function parseJsonPointer(text: string): JsonPointer | { readonly problem: string } {
  if (text === '') return [];
  if (!text.startsWith('/')) return { problem: `"${text}": a JSON pointer begins with "/" (RFC 6901)` };
  if (/~(?![01])/.test(text)) return { problem: `"${text}": "~" is written ~0, and "/" inside a name ~1 (RFC 6901)` };
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const arrayIndex = /^(?:0|[1-9]\d{0,8})$/;

/** The value a pointer leads to; undefined where it leads nowhere. */
export function findByPointer(document: Json, pointer: JsonPointer): Json | undefined {
  return follow(document, pointer, (names, name) => (names.includes(name) ? name : undefined));
}

/** Does a pointer lead anywhere for who reads member names without regard to letter case, and ends them at a NUL? */
export function leadsInAnyCase(document: Json, pointer: JsonPointer): boolean {
  const findName = (names: readonly string[], name: string) => {
    const folded = foldMemberName(name);
    return names.find((one) => foldMemberName(one) === folded);
  };
  return follow(document, pointer, findName) !== undefined;
}

function follow(
  document: Json,
  pointer: JsonPointer,
  findName: (names: readonly string[], name: string) => string | undefined,
): Json | undefined {
  let value: Json | undefined = document;
  for (const token of pointer) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value)) {
      value = arrayIndex.test(token) ? (value as readonly Json[])[Number(token)] : undefined;
    } else {
      const name = findName(Object.keys(value), token);
      value = name === undefined ? undefined : (value as { readonly [name: string]: Json })[name];
    }
  }
  return value;
}
