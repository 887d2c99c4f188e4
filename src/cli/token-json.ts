import { parseStrictJson } from '../gate/strict-json.ts';

/** A JSON object whose numbers print as they were written, however long. */
export type ExactObject = { readonly [name: string]: unknown };

/** JSON.rawJSON and the reviver's third argument (ECMA-262, JSON.parse source text access), not in the library types yet. */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown;

const keepNumber: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && source !== undefined && String(value) !== source ? rawJson(source) : value;

/** Parses any JSON text; undefined where it is none. */
export function parseExactJson(text: string): unknown {
  try {
    return JSON.parse(text, keepNumber as (this: unknown, key: string, value: unknown) => unknown);
  } catch {
    return undefined;
  }
}

export type ParsedObject =
  | { readonly kind: 'object'; readonly object: ExactObject }
  /** `detail` holds no text of the input. */
  | { readonly kind: 'problem'; readonly detail: string };

/** Parses an object as strictly as the gate does. */
export function parseExactObject(text: string): ParsedObject {
  const strict = parseStrictJson(text);
  if (strict.kind === 'problem') return strict;
  const object = parseExactJson(text);
  return isObject(object) ? { kind: 'object', object } : { kind: 'problem', detail: 'not a JSON object' };
}

export function isObject(value: unknown): value is ExactObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Everything that a terminal would act on, or show in another order than it stands. */
const unprintable = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** JSON for a terminal: what a token holds can neither move the cursor nor turn the text around. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
