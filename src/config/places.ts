import type { ConfigPath } from './config-path.ts';
import type { Source, Span } from './source.ts';

/** A parsed value: what YAML and JSON have in common. */
export type Plain = null | boolean | number | string | Plain[] | PlainObject;
export interface PlainObject {
  [key: string]: Plain;
}
export type Container = Plain[] | PlainObject;

export function isPlainObject(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

/** Where an entry's key and its value stand. A list item has no key of its own: both are the item. */
export interface Place {
  readonly key: Span;
  readonly value: Span;
}

/** Straight from a text; four offsets an entry (key start, key end, value start, value end), in the text's order. */
interface Parsed {
  readonly source: Source;
  readonly keys: readonly string[] | undefined;
  readonly at: readonly number[];
}

type Derived =
  /** Same keys as another container, some values filled in. */
  | { readonly kind: 'copied'; readonly from: Container }
  /** `over` on top of `base`. */
  | { readonly kind: 'merged'; readonly base: PlainObject; readonly over: PlainObject };

/**
 * Where every value of a config came from. Kept beside the values, in flat numbers, so that the YAML nodes (ten times
 * their size) can go as soon as a file is read; dropped as a whole when the load is over.
 */
export interface Places {
  parsed(container: Container, source: Source, keys: readonly string[] | undefined, at: readonly number[]): void;
  copied(container: Container, from: Container): void;
  merged(container: PlainObject, base: PlainObject, over: PlainObject): void;
  find(container: Container, key: string | number): Place | undefined;
  /** The entries of a parsed container that reach into a stretch of its text. */
  within(container: Container, stretch: { readonly start: number; readonly end: number }): [string | number, Place][];
}

/** From here on a table finds a key faster than looking at one after the other. */
const manyKeys = 32;

export function createPlaces(): Places {
  // Two, as a table that outgrows its place is moved in one go: half a million entries take 50 ms.
  const parsed = new Map<Container, Parsed>();
  const derived = new Map<Container, Derived>();
  /** Positions of keys, where there are many and one was asked for: 100,000 tenants may have a fault each. */
  const positions = new Map<readonly string[], ReadonlyMap<string, number>>();

  const positionOf = (key: string, keys: readonly string[]): number => {
    if (keys.length <= manyKeys) return keys.indexOf(key);
    const known = positions.get(keys) ?? new Map(keys.map((name, index) => [name, index]));
    positions.set(keys, known);
    return known.get(key) ?? -1;
  };

  const find = (container: Container, key: string | number): Place | undefined => {
    const text = parsed.get(container);
    if (text !== undefined) {
      return placeAt(text, text.keys === undefined ? Number(key) : positionOf(String(key), text.keys));
    }
    const origin = derived.get(container);
    switch (origin?.kind) {
      case 'copied':
        return find(origin.from, key);
      case 'merged':
        return find(Object.hasOwn(origin.over, key) ? origin.over : origin.base, key);
      case undefined:
        return undefined;
    }
  };

  return {
    parsed: (container, source, keys, at) => void parsed.set(container, { source, keys, at }),
    copied: (container, from) => void derived.set(container, { kind: 'copied', from }),
    merged: (container, base, over) => void derived.set(container, { kind: 'merged', base, over }),
    find,
    within(container, { start, end }) {
      const text = parsed.get(container);
      const found: [string | number, Place][] = [];
      if (text === undefined) return found;
      const { at, keys } = text;
      for (let index = firstReaching(at, start); (at[index * 4] ?? end) < end; index++) {
        found.push([keys?.[index] ?? index, placeAt(text, index) as Place]);
      }
      return found;
    },
  };
}

/** Index of the first entry whose value ends at an offset or behind it. */
function firstReaching(at: readonly number[], offset: number): number {
  let [from, to] = [0, at.length / 4];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((at[middle * 4 + 3] as number) < offset) from = middle + 1;
    else to = middle;
  }
  return from;
}

function placeAt({ source, at }: Parsed, index: number): Place | undefined {
  const offsets = at.slice(index * 4, index * 4 + 4) as [number, number, number, number];
  if (index < 0 || offsets.length < 4) return undefined;
  return {
    key: { source, start: offsets[0], end: offsets[1] },
    value: { source, start: offsets[2], end: offsets[3] },
  };
}

/**
 * The place of `path` below `root`; of the nearest value around it where it is not there. `on` says whether the key or
 * the value is to blame; what is missing is blamed on the key it is missing from.
 */
export function findSpan(places: Places, root: Container, path: ConfigPath, on: 'key' | 'value'): Span | undefined {
  let container: Plain = root;
  let nearest: Span | undefined;
  for (const [depth, part] of path.entries()) {
    const place = isContainer(container) ? places.find(container, part) : undefined;
    if (place === undefined) return nearest;
    const last = depth === path.length - 1;
    nearest = last && on === 'value' ? place.value : place.key;
    container = (container as PlainObject)[part] as Plain;
  }
  return nearest;
}
