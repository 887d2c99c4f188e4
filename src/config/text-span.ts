import type { Span } from './source.ts';

/**
 * The place in a source of a stretch of a YAML scalar's text, e.g. of one name in an expression of several lines. A
 * scalar's text and what stands in the file differ in white space, in the first line of a block (`|`, `>-`), in escapes
 * and where placeholders were filled. Undefined where they differ in more.
 */
export function spanInText(scalar: Span, text: string, start: number, end: number): Span | undefined {
  const { source } = scalar;
  const written = source.text.slice(scalar.start, scalar.end);
  const style = /^["']/.exec(written)?.[0];
  const begin = blockHeader.exec(written)?.[0].length ?? (style === undefined ? 0 : 1);
  const offsets = align({ written, text, style, triesLeft: mostTries }, begin, 0);
  // Of an empty stretch, at the end of the text as a rule, what stands before it.
  const first = offsets?.[Math.min(start, text.length - 1)];
  const last = offsets?.[Math.min(Math.max(end - 1, start), text.length - 1)];
  if (first === undefined || last === undefined) return undefined;
  return { source, start: scalar.start + first, end: scalar.start + last + 1 };
}

const blockHeader = /^[|>][^\n]*\n/;
const placeholder = /\$\{[^}]*\}/y;
/** Many placeholders could be divided over a text in more ways than anyone wants to wait for. */
const mostTries = 2000;

interface Pair {
  readonly written: string;
  readonly text: string;
  /** The scalar's quotes, if it has any. */
  readonly style: string | undefined;
  triesLeft: number;
}

/** For each character of the text from `index` its offset in what is written from `from`. */
function align(pair: Pair, from: number, index: number): readonly number[] | undefined {
  const { written, text } = pair;
  const offsets: number[] = [];
  let at = from;
  for (let next = index; next < text.length; next++) {
    const character = text[next] as string;
    if (isSpace(character)) {
      // Folded lines: one space here, a line break and an indentation there.
      offsets.push(Math.min(at, written.length - 1));
      if (isSpace(written[at])) at++;
      continue;
    }
    while (isSpace(written[at])) at++;
    const length = lengthOf(pair, at, character);
    if (length === undefined) {
      const rest = alignFilled(pair, at, next);
      return rest && [...offsets, ...rest];
    }
    offsets.push(at + length - 1);
    at += length;
  }
  return offsets;
}

/** Where a placeholder is written, the text has its value: as long as makes all that follows agree. */
function alignFilled(pair: Pair, at: number, index: number): readonly number[] | undefined {
  placeholder.lastIndex = at;
  const length = placeholder.exec(pair.written)?.[0].length;
  if (length === undefined) return undefined;
  for (let filled = 0; index + filled <= pair.text.length && pair.triesLeft-- > 0; filled++) {
    const rest = align(pair, at + length, index + filled);
    if (rest !== undefined) return [...new Array<number>(filled).fill(at), ...rest];
  }
  return undefined;
}

/** How many characters of the file stand for this one; undefined where something else stands there. */
function lengthOf({ written, style }: Pair, at: number, character: string): number | undefined {
  if (character === '$' && written.startsWith('$$', at)) return 2;
  if (style === "'" && character === "'" && written.startsWith("''", at)) return 2;
  if (style === '"' && written[at] === '\\') return written[at + 1] === character ? 2 : undefined;
  return written[at] === character ? 1 : undefined;
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && /\s/.test(character);
}
