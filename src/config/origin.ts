import type { ConfigPath } from './config-path.ts';
import { type Container, findSpan, isContainer, type Places, type PlainObject } from './places.ts';
import type { ConfigFile } from './read-files.ts';
import { lineColumn, type Source, type Span } from './source.ts';

/** Where a value of the effective config comes from. */
export type Origin =
  | {
      readonly from: 'file';
      readonly file: string;
      readonly line: number;
      /** The template that it was inherited from. */
      readonly template: string | undefined;
      /** Environment variables that were filled into it. */
      readonly variables: readonly string[];
    }
  | { readonly from: 'default' };

/** Finds what of which file stands behind a value. */
export interface OriginsOf {
  readonly places: Places;
  readonly roots: ReadonlyMap<Source, PlainObject>;
}

export function originsOf(files: readonly ConfigFile[], places: Places): OriginsOf {
  return { places, roots: new Map(files.map(({ source, value }) => [source, value])) };
}

/** The origin of the value at a path of a part of the config; a part as a whole stands where its first value does. */
export function findOrigin({ places, roots }: OriginsOf, raw: PlainObject, path: ConfigPath): Origin {
  const span = path.length === 0 ? firstSpan(places, raw) : findSpan(places, raw, path, 'value');
  if (span === undefined) return { from: 'default' };
  const written = span.source.text.slice(span.start, span.end);
  const isLong = isContainer(valueAt(raw, path));
  return {
    from: 'file',
    file: span.source.file,
    line: lineColumn(span).line,
    template: templateAround(places, roots.get(span.source), span),
    variables: isLong ? [] : [...written.matchAll(/\$\$|\$\{([A-Z_][A-Z0-9_]*)/g)].flatMap(([, name]) => name ?? []),
  };
}

function firstSpan(places: Places, raw: PlainObject): Span | undefined {
  for (const key of Object.keys(raw)) {
    const place = places.find(raw, key);
    if (place !== undefined) return place.key;
  }
  return undefined;
}

function valueAt(raw: PlainObject, path: ConfigPath): unknown {
  return path.reduce<unknown>((value, part) => (value as Readonly<Record<string, unknown>> | undefined)?.[part], raw);
}

/** The template in whose text a stretch stands. */
function templateAround(places: Places, root: PlainObject | undefined, span: Span): string | undefined {
  const templates = root?.templates;
  if (root === undefined || !isContainer(templates)) return undefined;
  if (entryAround(places, root, span) !== 'templates') return undefined;
  const id = entryAround(places, templates, span);
  return id === undefined ? undefined : String(id);
}

function entryAround(places: Places, container: Container, span: Span): string | number | undefined {
  const around = places
    .within(container, span)
    .find(([, { value }]) => value.start <= span.start && span.end <= value.end);
  return around?.[0];
}
