import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import type { ConfigPath } from './config-path.ts';
import { type Finding, type FindingText, findingAt } from './finding.ts';
import type { Places, Plain, PlainObject } from './places.ts';
import type { Source } from './source.ts';
import type { YamlPiece } from './yaml-pieces.ts';

/** Deeper nesting than any config has; it keeps every later walk's recursion short. */
const mostLevels = 50;
/** Values that aliases may add to a text: enough to share some lists, too few for a "billion laughs". */
const mostAliasedValues = 10_000;

/** Makes plain values of a text's nodes, noting where each came from. */
export interface ValueReader {
  /** The value of a whole document. */
  read(document: Document.Parsed): Plain;
  /** A document's next piece. */
  add(piece: YamlPiece): void;
  /** All that was added. */
  end(): PlainObject;
}

/** A mapping that is being put together: its entries, and four offsets for each. */
interface OpenObject {
  readonly object: PlainObject;
  readonly keys: string[];
  readonly seen: Set<string>;
  readonly at: number[];
}

const openObject = (): OpenObject => ({ object: {}, keys: [], seen: new Set(), at: [] });

export function createValueReader(source: Source, places: Places, complain: (finding: Finding) => void): ValueReader {
  let document: Document.Parsed | undefined;
  let aliased = 0;
  let inAlias = 0;
  let tooMany = false;

  const fault = (node: Node, path: ConfigPath, text: FindingText): null => {
    complain(findingAt({ source, start: node.range?.[0] ?? 0, end: node.range?.[1] ?? 0 }, path, text));
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
      const target = document && node.resolve(document);
      if (target === undefined) return fault(node, path, { message: 'no anchor of this name stands before it' });
      inAlias++;
      const value = visit(target, path);
      inAlias--;
      return value;
    }
    if (isScalar(node)) return scalar(node, path);
    if (isMap(node)) return mapping(node, path);
    return isCollection(node) ? list(node, path) : null;
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

  const list = (node: Node, path: ConfigPath): Plain => {
    const at: number[] = [];
    const values: Plain[] = [];
    for (const item of (node as { items?: readonly Node[] } & Node).items ?? []) {
      const [start, end] = item?.range ?? [0, 0];
      at.push(start, end, start, end);
      values.push(visit(item, [...path, values.length]));
    }
    places.parsed(values, source, undefined, at);
    return values;
  };

  const mapping = (node: YAMLMap, path: ConfigPath): Plain => {
    const open = openObject();
    for (const pair of node.items) entry(open, pair, path, visit);
    return close(open);
  };

  const close = ({ object, keys, at }: OpenObject): PlainObject => {
    places.parsed(object, source, keys, at);
    return object;
  };

  /** Adds an entry, unless its key is none. */
  const entry = (open: OpenObject, pair: Pair, path: ConfigPath, take: typeof visit): void => {
    const { object, keys, seen, at } = open;
    const keyNode = pair.key as Node;
    const key = keyText(keyNode);
    if (key === undefined) {
      fault(keyNode, path, { message: 'a key must be text, or a list of names' });
      return;
    }
    if (seen.has(key)) fault(keyNode, [...path, key], { message: 'the key stands twice', hint: 'keep one of the two' });
    // Assigning to it would change the object's prototype instead of adding a key.
    if (key === '__proto__') {
      fault(keyNode, [...path, key], { message: 'is not accepted as a key' });
      return;
    }
    seen.add(key);
    keys.push(key);
    const valueNode = pair.value as Node | null;
    const [keyStart, keyEnd] = keyNode.range ?? [0, 0];
    const [start, end] = valueNode?.range ?? [keyEnd, keyEnd];
    at.push(keyStart, keyEnd, start, end);
    object[key] = take(valueNode, [...path, key]);
  };

  const root = openObject();
  /** The member that comes in parts; undefined where there is none, or its key was none. */
  let inParts: { readonly open: OpenObject; readonly path: ConfigPath } | undefined;

  const addPart = (value: YAMLMap): void => {
    if (inParts === undefined) return;
    for (const pair of value.items) entry(inParts.open, pair, inParts.path, visit);
    // The value reaches as far as its last part that holds something.
    if (value.items.length > 0) root.at[root.at.length - 1] = value.range?.[1] ?? 0;
  };

  const closeParts = (): void => {
    if (inParts !== undefined) close(inParts.open);
    inParts = undefined;
  };

  return {
    read(whole) {
      document = whole;
      return visit(whole.contents, []);
    },
    add({ document: piece, part }) {
      const [pair] = (piece.contents as unknown as YAMLMap).items;
      if (part !== 'next') closeParts();
      if (pair === undefined) return;
      if (part === 'whole') {
        entry(root, pair, [], visit);
        return;
      }
      if (part === 'first') {
        const open = openObject();
        const openAt = (_: unknown, path: ConfigPath) => {
          inParts = { open, path };
          return open.object;
        };
        entry(root, pair, [], openAt);
      }
      addPart(pair.value as YAMLMap);
    },
    end() {
      closeParts();
      return close(root);
    },
  };
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
