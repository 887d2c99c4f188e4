import { Composer, type CST, type Document, Lexer, type LineCounter, Parser, YAMLParseError } from 'yaml';
import type { Pause } from './pacer.ts';

const options = {
  version: '1.2',
  strict: true,
  // Its own check compares each key with all others: 3 minutes for 100,000 tenants. A set does it while converting.
  uniqueKeys: false,
  prettyErrors: false,
} as const;

/** A text's tokens, as the library's parser nests them; nothing is made of them yet. */
export interface YamlTokens {
  readonly tokens: readonly CST.Token[];
  /** There may be anchors and aliases: what an alias means can't be told from a piece. */
  readonly mayHaveAliases: boolean;
}

/** Lexemes between two looks at the clock. */
const lexemesAtOnce = 64;

/** What the library does in one go, in turns with whatever else waits. Throws a RangeError where nesting is too deep. */
export async function readTokens(text: string, lines: LineCounter, pause: Pause): Promise<YamlTokens> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  let mayHaveAliases = false;
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme.startsWith('&') || lexeme.startsWith('*')) mayHaveAliases = true;
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (++count % lexemesAtOnce === 0) await pause();
  }
  for (const token of parser.end()) tokens.push(token);
  return { tokens, mayHaveAliases };
}

/** The text's document, as the library's `parseDocument` makes it. */
export function composeWhole({ tokens }: YamlTokens, textLength: number): Document.Parsed {
  const [document, second] = compose(tokens, textLength);
  if (second !== undefined) {
    const { range } = second as Document.Parsed;
    document?.errors.push(new YAMLParseError([range[0], range[1]], 'MULTIPLE_DOCS', 'several documents'));
  }
  return document as Document.Parsed;
}

function compose(tokens: readonly CST.Token[], textLength: number): Document.Parsed[] {
  return [...new Composer(options).compose(tokens, true, textLength)] as Document.Parsed[];
}

/** Some of a document's members, each at its place in the text: a mapping with one member at most. */
export interface YamlPiece {
  readonly document: Document.Parsed;
  /** `whole`: a member with its value; else its value is a mapping, and this the `first` part of that, or a `next` one. */
  readonly part: 'whole' | 'first' | 'next';
}

/** Entries of a mapping that are composed at once. */
const entriesAtOnce = 8;

/**
 * The document of a block mapping, member by member, and what is large of it in slices: entries of a mapping bear on one
 * another in nothing but their keys. Undefined where the text is anything else.
 */
export async function piecesOf(
  { tokens, mayHaveAliases }: YamlTokens,
  textLength: number,
  pause: Pause,
): Promise<Iterable<YamlPiece> | undefined> {
  const documents = tokens.filter((token) => token.type === 'document');
  const isPlain = tokens.every(({ type }) => plainTokens.has(type));
  const [document] = documents;
  if (mayHaveAliases || !isPlain || documents.length !== 1 || document?.value?.type !== 'block-map') return undefined;
  const root = document.value;
  const maps = [root, ...root.items.flatMap(({ value }) => (value?.type === 'block-map' ? [value] : []))];
  for (const { items } of maps) {
    for (const item of items) {
      await pause();
      if (!hasPlainKey(item)) return undefined;
    }
  }
  return composePieces(document, root, textLength);
}

/** Behind any other key the library goes by offsets that it would not have in a piece (its issue 646, for one). */
function hasPlainKey({ explicitKey, key, sep }: Item): boolean {
  if (explicitKey === true) return false;
  return key ? plainKeys.has(key.type) : sep === undefined;
}

const plainKeys: ReadonlySet<CST.Token['type']> = new Set(['scalar', 'single-quoted-scalar', 'double-quoted-scalar']);

/** What a stream may have beside its document without bearing on it. */
const plainTokens: ReadonlySet<CST.Token['type']> = new Set([
  'document',
  'byte-order-mark',
  'comment',
  'newline',
  'space',
]);

type BlockMap = CST.BlockMap;
type Item = BlockMap['items'][number];

function* composePieces(document: CST.Document, root: BlockMap, textLength: number): Generator<YamlPiece> {
  const { start, end, ...bare } = document;
  let isFirst = true;
  const composed = (item: Item, isLast: boolean): Document.Parsed => {
    const value: BlockMap = { ...root, offset: isFirst ? root.offset : offsetOf(item), items: [item] };
    const piece: CST.Document = { ...bare, start: isFirst ? start : [], value, ...(isLast && end && { end }) };
    isFirst = false;
    return compose([piece], textLength)[0] as Document.Parsed;
  };
  for (const [index, item] of root.items.entries()) {
    const isLast = index === root.items.length - 1;
    const { value } = item;
    if (value?.type !== 'block-map' || value.items.length <= entriesAtOnce) {
      yield { document: composed(item, isLast), part: 'whole' };
      continue;
    }
    for (let from = 0; from < value.items.length; from += entriesAtOnce) {
      const items = value.items.slice(from, from + entriesAtOnce);
      const slice: BlockMap = { ...value, offset: from === 0 ? value.offset : offsetOf(items[0] as Item), items };
      const isEnd = isLast && from + entriesAtOnce >= value.items.length;
      yield { document: composed({ ...item, value: slice } as Item, isEnd), part: from === 0 ? 'first' : 'next' };
    }
  }
}

function offsetOf({ start, key, sep }: Item): number {
  return (start[0] ?? key ?? sep?.[0])?.offset ?? 0;
}
