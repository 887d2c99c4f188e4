import {
  type Document,
  type ErrorCode,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from 'yaml';
import type { ConfigPath } from './config-path.ts';
import { type FindingText, findingAt, type Report } from './finding.ts';
import type { Places, Plain, PlainObject } from './places.ts';
import type { Source } from './source.ts';

/** Deeper nesting than any config has; it keeps every later walk's recursion short. */
const mostLevels = 50;
/** Values that aliases may add to a text: enough to share some lists, too few for a "billion laughs". */
const mostAliasedValues = 10_000;

export interface ParsedText {
  readonly source: Source;
  /** Undefined where the text is too broken to say anything about its content. */
  readonly value: Plain | undefined;
}

/** Reads one YAML 1.2 (or JSON) text strictly into plain values, noting where each came from. */
export function parseYaml(file: string, text: string, places: Places, report: Report): ParsedText {
  const source: Source = { file, text, lines: new LineCounter() };
  const document = readDocument(source, report);
  if (document === undefined) return { source, value: undefined };
  // Nothing but comments: a file of tenants from which all were taken out.
  if (document.contents === null) return { source, value: {} };
  return { source, value: convert(document, source, places, report) };
}

function readDocument(source: Source, report: Report): Document.Parsed | undefined {
  let document: Document.Parsed;
  try {
    document = parseDocument(source.text, {
      version: '1.2',
      strict: true,
      // Its own check compares each key with all others: 3 minutes for 100,000 tenants. `convert` uses a set.
      uniqueKeys: false,
      prettyErrors: false,
      lineCounter: source.lines,
    });
  } catch (error) {
    // The parser recurses; it has no limit of its own on nesting.
    if (!(error instanceof RangeError)) throw error;
    report.add(findingAt({ source, start: 0, end: 0 }, [], { message: 'is nested too deeply to be read' }));
    return undefined;
  }
  const faults = [...document.errors, ...document.warnings].filter(
    (fault) => !isHarmless(fault.code, fault.pos[0], source),
  );
  // One slip makes the parser stumble on and on: the first fault is the one to mend.
  for (const { code, pos } of faults.slice(0, 1)) {
    report.add(findingAt({ source, start: pos[0], end: pos[1] }, [], syntaxText(code)));
  }
  if (faults.length > 0) return undefined;
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    report.add(
      findingAt({ source, start: 0, end: 5 }, [], { message: 'only YAML 1.2 is read', hint: 'remove the %YAML line' }),
    );
    return undefined;
  }
  return document;
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

function convert(document: Document.Parsed, source: Source, places: Places, report: Report): Plain | undefined {
  let aliased = 0;
  let inAlias = 0;
  let tooMany = false;

  const fault = (node: Node, path: ConfigPath, text: FindingText): null => {
    report.add(findingAt({ source, start: node.range?.[0] ?? 0, end: node.range?.[1] ?? 0 }, path, text));
    return null;
  };

  const visit = (node: Node | null, path: ConfigPath): Plain => {
    if (node === null) return null;
    if (inAlias > 0 && ++aliased > mostAliasedValues) {
      if (!tooMany)
        fault(node, path, { message: `aliases add more than ${mostAliasedValues} values`, hint: 'use templates' });
      tooMany = true;
      return null;
    }
    if (path.length > mostLevels)
      return fault(node, path, { message: `is nested more than ${mostLevels} levels deep` });
    if (isAlias(node)) {
      const target = node.resolve(document);
      if (target === undefined) return fault(node, path, { message: 'no anchor of this name stands before it' });
      inAlias++;
      const value = visit(target, path);
      inAlias--;
      return value;
    }
    if (isScalar(node)) return scalar(node, path);
    return isCollection(node) ? collection(node, path) : null;
  };

  const scalar = (node: Node & { value: unknown; source?: string }, path: ConfigPath): Plain => {
    const { value } = node;
    if (
      typeof value === 'number' &&
      (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    ) {
      return fault(node, path, { message: 'the number is too large to be exact', hint: 'put it in quotes' });
    }
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null)
      return value;
    return fault(node, path, { message: 'must be text, a number, true or false, a list or an object' });
  };

  const collection = (node: Node, path: ConfigPath): Plain => {
    const at: number[] = [];
    if (!isMap(node)) {
      const list: Plain[] = [];
      for (const item of (node as { items?: readonly Node[] } & Node).items ?? []) {
        const [start, end] = item?.range ?? [0, 0];
        at.push(start, end, start, end);
        list.push(visit(item, [...path, list.length]));
      }
      places.parsed(list, source, undefined, at);
      return list;
    }
    const object: PlainObject = {};
    const keys: string[] = [];
    const seen = new Set<string>();
    for (const pair of node.items) {
      const keyNode = pair.key as Node;
      const key = keyText(keyNode);
      if (key === undefined) {
        fault(keyNode, path, { message: 'a key must be text, or a list of names' });
        continue;
      }
      if (seen.has(key))
        fault(keyNode, [...path, key], { message: 'the key stands twice', hint: 'keep one of the two' });
      // Assigning to it would change the object's prototype instead of adding a key.
      if (key === '__proto__') {
        fault(keyNode, [...path, key], { message: 'is not accepted as a key' });
        continue;
      }
      seen.add(key);
      keys.push(key);
      const valueNode = pair.value as Node | null;
      const [keyStart, keyEnd] = keyNode.range ?? [0, 0];
      const [start, end] = valueNode?.range ?? [keyEnd, keyEnd];
      at.push(keyStart, keyEnd, start, end);
      object[key] = visit(valueNode, [...path, key]);
    }
    places.parsed(object, source, keys, at);
    return object;
  };

  return visit(document.contents, []);
}

/** Claim paths may be lists (`["https://x/y", roles]: …`): their key is the list's JSON text. */
function keyText(node: Node | null): string | undefined {
  if (isScalar(node)) return scalarText(node);
  if (node === null || isAlias(node) || isMap(node) || !isCollection(node)) return undefined;
  const names = nameList(node.items as Node[]);
  return names === undefined ? undefined : JSON.stringify(names);
}

/** As written: the tenant `007` is not the tenant `7`. */
function scalarText({ value, source }: Scalar): string {
  return typeof value === 'string' ? value : (source ?? '');
}

type NameList = readonly (string | NameList)[];

function nameList(nodes: readonly Node[]): NameList | undefined {
  const names: (string | NameList)[] = [];
  for (const node of nodes) {
    if (isScalar(node)) names.push(scalarText(node));
    else if (isCollection(node) && !isMap(node)) {
      const inner = nameList(node.items as Node[]);
      if (inner === undefined) return undefined;
      names.push(inner);
    } else return undefined;
  }
  return names;
}
