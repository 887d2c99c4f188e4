import { type Document, type ErrorCode, LineCounter } from 'yaml';
import { type Finding, type FindingText, findingAt, type Report } from './finding.ts';
import type { Pause } from './pacer.ts';
import type { Places, Plain } from './places.ts';
import type { Source } from './source.ts';
import { composeWhole, piecesOf, readTokens, type YamlPiece } from './yaml-pieces.ts';
import { createValueReader } from './yaml-values.ts';

export interface ParsedText {
  readonly source: Source;
  /** Undefined where the text is too broken to say anything about its content. */
  readonly value: Plain | undefined;
}

/** Reads one YAML 1.2 (or JSON) text strictly into plain values, noting where each came from. */
export async function parseYaml(
  file: string,
  text: string,
  places: Places,
  report: Report,
  pause: Pause,
): Promise<ParsedText> {
  const source: Source = { file, text, lines: new LineCounter() };
  try {
    const tokens = await readTokens(text, source.lines, pause);
    const pieces = await piecesOf(tokens, text.length, pause);
    const value = pieces && (await readPieces(pieces, source, places, report, pause));
    if (value !== undefined) return { source, value };
    // Something is wrong with it, or it can't be read in pieces.
    const document = composeWhole(tokens, text.length);
    if (!isSound(document, source, report)) return { source, value: undefined };
    // Nothing but comments: a file of tenants from which all were taken out.
    if (document.contents === null) return { source, value: {} };
    return { source, value: createValueReader(source, places, report.add).read(document) };
  } catch (error) {
    // The parser recurses; it has no limit of its own on nesting.
    if (!(error instanceof RangeError)) throw error;
    report.add(findingAt({ source, start: 0, end: 0 }, [], { message: 'is nested too deeply to be read' }));
    return { source, value: undefined };
  }
}

/** Undefined where a piece is faulty: how the parser stumbles on from there, only the whole text can say. */
async function readPieces(
  pieces: Iterable<YamlPiece>,
  source: Source,
  places: Places,
  report: Report,
  pause: Pause,
): Promise<Plain | undefined> {
  const found: Finding[] = [];
  const reader = createValueReader(source, places, (finding) => found.push(finding));
  for (const piece of pieces) {
    if (faultsOf(piece.document, source).length > 0) return undefined;
    reader.add(piece);
    await pause();
  }
  found.forEach(report.add);
  return reader.end();
}

function isSound(document: Document.Parsed, source: Source, report: Report): boolean {
  const faults = faultsOf(document, source);
  // One slip makes the parser stumble on and on: the first fault is the one to mend.
  for (const { code, pos } of faults.slice(0, 1)) {
    report.add(findingAt({ source, start: pos[0], end: pos[1] }, [], syntaxText(code)));
  }
  if (faults.length > 0) return false;
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    report.add(
      findingAt({ source, start: 0, end: 5 }, [], { message: 'only YAML 1.2 is read', hint: 'remove the %YAML line' }),
    );
    return false;
  }
  return true;
}

function faultsOf({ errors, warnings }: Document.Parsed, source: Source) {
  return [...errors, ...warnings].filter(({ code, pos }) => !isHarmless(code, pos[0], source));
}

/**
 * A list as a key of a block mapping (`["https://x/y", roles]: …`), but the first, leaves an empty item before it that
 * the parser then stumbles on; what it read is right all the same (eemeli/yaml issue 646).
 */
function isHarmless(code: ErrorCode, offset: number, { text }: Source): boolean {
  return code === 'IMPOSSIBLE' && text[offset] === '[';
}

/** The parser's codes in our words: its own messages may repeat what stands in the text, and that may be a secret. */
const syntaxTexts: Readonly<Partial<Record<ErrorCode, FindingText>>> = {
  BAD_INDENT: { message: 'a bracket is not closed, or a line is not indented enough' },
  BAD_SCALAR_START: {
    message: 'text may not begin with this character',
    hint: 'put the text in quotes',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second ": " on one line',
    hint: 'put the text in quotes, or the inner key on a line of its own',
  },
  BLOCK_IN_FLOW: { message: 'an indented block cannot stand inside brackets' },
  DUPLICATE_KEY: { message: 'the key stands twice' },
  MISSING_CHAR: { message: 'a character is missing here: a closing quote, or the ":" after a key' },
  MULTILINE_IMPLICIT_KEY: { message: 'a key must stand on one line; is the line before it complete?' },
  MULTIPLE_DOCS: { message: 'the file holds several documents ("---")', hint: 'use one file each, with include' },
  NON_STRING_KEY: { message: 'a key must be text' },
  TAB_AS_INDENT: { message: 'a tab is used as indentation', hint: 'indent with spaces' },
  TAG_RESOLVE_FAILED: { message: 'tags (!…) are not accepted' },
  UNEXPECTED_TOKEN: {
    message: 'this is not expected here',
    hint: 'check indentation, quotes and brackets; inside {…} and […] a "${…}" needs quotes',
  },
};

function syntaxText(code: ErrorCode): FindingText {
  return syntaxTexts[code] ?? { message: `is not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})` };
}
