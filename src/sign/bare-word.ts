import { randomUUID } from 'node:crypto';
import type { Json } from '../gate/token.ts';

/** What a whole string of a payload can stand for; the same text inside a longer string is just text. */
export interface BareWord {
  /** True where every token gets another value, so that no token can be used twice. */
  readonly once: boolean;
  /** `nowS`: whole seconds since the epoch (RFC 7519 NumericDate). */
  readonly value: (nowS: number) => Json;
}

const laterForm = /^\+(?:\d{1,9}[smh])+$/;
const unitSeconds = { s: 1, m: 60, h: 3600 } as const;
/** A word that is meant as text stands in single quotes of its own; each further pair is one pair in the text. */
const quotedForm = /^'(.*)'$/s;

/** `now`, `+5m` (also `+1h30m`, `+90s`) or `uuid`; undefined for any other text. */
export function findBareWord(text: string): BareWord | undefined {
  if (text === 'now') return { once: false, value: (nowS) => nowS };
  if (text === 'uuid') return { once: true, value: () => randomUUID() };
  if (!laterForm.test(text)) return undefined;
  const seconds = readSeconds(text);
  return { once: false, value: (nowS) => nowS + seconds };
}

/** `'now'` as the text `now`, and so on: only what would be a bare word can be quoted. */
export function unquoteBareWord(text: string): string | undefined {
  const inner = quotedForm.exec(text)?.[1];
  if (inner === undefined) return undefined;
  return findBareWord(inner) !== undefined || unquoteBareWord(inner) !== undefined ? inner : undefined;
}

function readSeconds(text: string): number {
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([smh])/g)) {
    seconds += Number(count) * unitSeconds[unit as keyof typeof unitSeconds];
  }
  return seconds;
}
