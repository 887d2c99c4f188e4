import type * as z from 'zod';
import type { ConfigPath } from './config-path.ts';
import { type Container, isContainer, type Places, type PlainObject } from './places.ts';
import { config } from './shape/config.ts';
import { isHarmlessKey, isKeyShowable, isKnownKey, isShowable } from './shape/walk.ts';
import { lineAround, type Source, type Span } from './source.ts';
import { withoutUrlSecrets } from './url-secrets.ts';

/** One source line as it may be shown, and the part of it that is meant, in columns from 0. */
export interface Excerpt {
  readonly text: string;
  readonly column: number;
  readonly length: number;
}

export type ExcerptOf = (span: Span) => Excerpt;

const redacted = '[redacted]';
const mostColumns = 160;

/**
 * Makes excerpts that hold no secret. Of a line only that is shown which is known to be harmless: keys, punctuation,
 * and scalars whose place the schema knows and does not call secret. So neither a mistyped key (`secrte: hunter2`) nor a
 * comment gives away what stands beside it.
 */
export function createExcerpts(
  files: readonly { source: Source; value: Container }[],
  places: Places,
  schema: z.core.$ZodType = config,
): ExcerptOf {
  const roots = new Map(files.map(({ source, value }) => [source, value]));
  const known = new Map<Source, Map<number, readonly Part[]>>();

  /** A config in JSON may be one long line with every problem in it: its parts are found once. */
  const partsOf = (source: Source, line: Stretch): readonly Part[] => {
    const ofSource = known.get(source) ?? new Map<number, readonly Part[]>();
    known.set(source, ofSource);
    const root = roots.get(source);
    const parts =
      ofSource.get(line.start) ??
      (root === undefined
        ? unparsedParts(source.text.slice(line.start, line.end), schema)
        : parsedParts(line, root, places, schema));
    ofSource.set(line.start, parts);
    return parts;
  };

  return ({ source, start, end }) => {
    const line = lineAround(source, start);
    return assemble(source.text, line, partsOf(source, line), start, Math.min(end, line.end));
  };
}

interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** A stretch of the line, in offsets from its beginning; what no part covers is shown only if it is punctuation. */
interface Part extends Stretch {
  readonly shown: boolean;
}

function parsedParts(line: Stretch, root: Container, places: Places, schema: z.core.$ZodType): Part[] {
  const parts: Part[] = [];
  const cover = ({ start, end }: Stretch, shown: boolean) => {
    if (start < line.end && end > line.start) parts.push({ start: start - line.start, end: end - line.start, shown });
  };
  const visit = (container: Container, path: ConfigPath) => {
    for (const [key, place] of places.within(container, line)) {
      if (typeof key === 'string') cover(place.key, isKeyShowable(schema, path, key));
      const value = (container as PlainObject)[key];
      if (isContainer(value)) visit(value, [...path, key]);
      else cover(place.value, isShowable(schema, [...path, key], value));
    }
  };
  visit(root, []);
  return parts.toSorted((a, b) => a.start - b.start || b.end - a.end);
}

const keyInText = /(?:^|[\s{,[-])["']?([A-Za-z_][\w-]*)["']?\s*:(?=\s|$)/g;

/** Of text that could not be parsed: all of it where each key on the line is known and harmless, else known keys alone. */
function unparsedParts(text: string, schema: z.core.$ZodType): Part[] {
  const keys = [...text.matchAll(keyInText)];
  const comment = text.search(/(?:^|\s)#/);
  const end = comment === -1 ? text.length : comment;
  if (keys.length > 0 && keys.every(([, key]) => isHarmlessKey(schema, key as string)))
    return [{ start: 0, end, shown: true }];
  const known = keys.filter(([, key]) => isKnownKey(schema, key as string));
  return known.map((match) => {
    const start = match.index + match[0].indexOf(match[1] as string);
    return { start, end: start + (match[1] as string).length, shown: true };
  });
}

const punctuation = /[\s[\]{},:?|>&*!'"-]/;

function assemble(text: string, line: Stretch, parts: readonly Part[], from: number, to: number): Excerpt {
  // Of a long line the stretch around the problem.
  const isLong = line.end - line.start > mostColumns;
  const begin = isLong ? Math.max(line.start, from - mostColumns / 2) : line.start;
  let shown = begin > line.start ? '… ' : '';
  let column = 0;
  let length = 0;
  let hiding = false;
  for (let offset = begin; offset < line.end && shown.length < mostColumns; offset++) {
    const inLine = offset - line.start;
    const part = parts.findLast(({ start, end }) => inLine >= start && inLine < end);
    const character = text[offset] as string;
    // A comment, to the end of the line.
    if (part === undefined && character === '#') break;
    const visible = part?.shown ?? punctuation.test(character);
    const before = shown.length;
    if (visible) shown += printable(character);
    else if (!hiding) shown += part === undefined ? '…' : redacted;
    hiding = !visible;
    if (offset < from) column = shown.length;
    else if (offset < to) length += shown.length - before;
  }
  return { text: withoutUrlSecrets(shown.trimEnd(), stars), column, length: Math.max(1, length) };
}

/** A config may come from anywhere: no escape sequence in it reaches the terminal. */
function printable(character: string): string {
  if (character === '\t') return ' ';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  return /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.test(character) ? '·' : character;
}

/** In the same length, so that the caret stays where it is. */
function stars(part: string): string {
  return '*'.repeat(Math.max(part.length, 3));
}
