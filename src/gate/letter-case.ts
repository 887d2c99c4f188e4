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

/** Are there two members in one object whose names differ in letter case alone? Some readers know the last one only. */
export function hasCaseTwins(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasCaseTwins);
  const names = Object.keys(value);
  return new Set(names.map(foldCase)).size < names.length || Object.values(value).some(hasCaseTwins);
}
