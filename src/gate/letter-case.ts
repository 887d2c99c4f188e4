import type { Json } from './token.ts';

/**
 * One text for all spellings that readers take for each other where letter case is nothing to them: Go's encoding/json
 * and ASP.NET with members of JSON, Express and ASP.NET with paths. To Go "ſ" is an "s", and the Kelvin sign a "k".
 */
export function foldCase(text: string): string {
  return text.toUpperCase().toLowerCase();
}

export function isSameInAnyCase(a: string, b: string): boolean {
  return a === b || (a.length === b.length && foldCase(a) === foldCase(b));
}

/** As `foldCase`, and without what stands behind a NUL, where readers in C end a name. */
export function foldMemberName(name: string): string {
  return foldCase(name.split('\0', 1)[0] as string);
}

/** Are there two members in one object whose names some readers take for one? They know the last one only. */
export function hasTwins(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasTwins);
  const names = Object.keys(value);
  return new Set(names.map(foldMemberName)).size < names.length || Object.values(value).some(hasTwins);
}
