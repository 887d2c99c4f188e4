import type { LineCounter } from 'yaml';

/** The text of one config file, kept while a config is loaded so that problems can point into it. */
export interface Source {
  /** As shown to people: the path they gave, or one relative to it. */
  readonly file: string;
  readonly text: string;
  readonly lines: LineCounter;
}

/** A stretch of a source, in UTF-16 offsets; `end` is exclusive. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** One-based, as editors count. */
export interface LineColumn {
  readonly line: number;
  readonly column: number;
}

export function lineColumn({ source, start }: Span): LineColumn {
  const { line, col } = source.lines.linePos(start);
  // An empty file has no line starts: linePos answers 0.
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Offsets of the line that holds `offset`, without its line break. */
export function lineAround(source: Source, offset: number): { readonly start: number; readonly end: number } {
  const start = offset === 0 ? 0 : source.text.lastIndexOf('\n', offset - 1) + 1;
  const lineBreak = source.text.indexOf('\n', offset);
  let end = lineBreak === -1 ? source.text.length : lineBreak;
  if (end > start && source.text[end - 1] === '\r') end--;
  return { start, end };
}
