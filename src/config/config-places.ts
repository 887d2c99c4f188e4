import { createHash } from 'node:crypto';
import { type ConfigPath, formatPath } from './config-path.ts';
import type { ConfigDeps } from './deps.ts';
import { createExcerpts, type Excerpt } from './excerpt.ts';
import { beginLoad, type Model, readModel } from './model.ts';
import type { Pause } from './pacer.ts';
import { findSpan, isContainer, type Places, type Plain, type PlainObject } from './places.ts';
import type { ProblemPlace } from './problem.ts';
import type { ConfigFile } from './read-files.ts';
import { lineColumn, type Span } from './source.ts';

/** Where something of the effective config was written, fit for a terminal or a page: the line holds no secret. */
export interface ConfigPlace extends ProblemPlace {
  readonly line: number;
  readonly column: number;
  readonly excerpt: Excerpt;
}

/** Finds its way from the effective config back to the text, through templates, includes and defaults of all tenants. */
export interface ConfigPlaces {
  /**
   * The first of these paths that the config has; undefined where it has none, so that a default holds. A number names
   * an item of a list, or the entry of an object at that position.
   */
  find(candidates: readonly ConfigPath[]): ConfigPlace | undefined;
}

export function createConfigPlaces(model: Model, files: readonly ConfigFile[], places: Places): ConfigPlaces {
  const sections = new Map(model.tenants.map((section) => [section.id, section]));
  const excerptOf = createExcerpts(files, places);

  function findOne(path: ConfigPath): ConfigPlace | undefined {
    // The tenants together stand in the main file as far as they stand in one.
    if (path.length === 1 && path[0] === 'tenants')
      return describe(findSpan(places, model.globals.root, path, 'key'), path);
    const section = path[0] === 'tenants' ? sections.get(String(path[1])) : model.globals;
    if (section === undefined) return undefined;
    const inner = named(section.raw, path.slice(section.path.length));
    if (inner === undefined) return undefined;
    // A tenant as a whole stands where its id does.
    const span =
      inner.length === 0
        ? findSpan(places, section.root, section.path, 'key')
        : findSpan(places, section.raw, inner, 'key');
    return describe(span, [...section.path, ...inner]);
  }

  function describe(span: Span | undefined, path: ConfigPath): ConfigPlace | undefined {
    if (span === undefined) return undefined;
    return { file: span.source.file, ...lineColumn(span), path: formatPath(path), excerpt: excerptOf(span) };
  }

  return {
    find(candidates) {
      for (const path of candidates) {
        const place = findOne(path);
        if (place !== undefined) return place;
      }
      return undefined;
    },
  };
}

/** The path with names for positions in objects; undefined where it leads nowhere. */
function named(root: PlainObject, path: ConfigPath): ConfigPath | undefined {
  const names: (string | number)[] = [];
  let value: Plain | undefined = root;
  for (const part of path) {
    if (!isContainer(value)) return undefined;
    const key: string | number | undefined =
      typeof part === 'number' && !Array.isArray(value) ? Object.keys(value)[part] : part;
    if (key === undefined || !Object.hasOwn(value, key)) return undefined;
    names.push(key);
    value = (value as PlainObject)[key];
  }
  return names;
}

/** Characters of a text that are hashed in one go. */
const charsAtOnce = 1 << 18;

/** What tells whether the texts of a config's files are those that were loaded, and what reading them again takes. */
export interface ConfigTexts {
  /** SHA-256, hex. */
  readonly digest: string;
  readonly chars: number;
}

export async function describeTexts(files: readonly ConfigFile[], pause: Pause): Promise<ConfigTexts> {
  const all = createHash('sha256');
  let chars = 0;
  for (const { source } of files) {
    const { file, text } = source;
    all.update(`${file}\0${text.length}\0`);
    for (let from = 0; from < text.length; from += charsAtOnce) {
      await pause();
      all.update(text.slice(from, from + charsAtOnce));
    }
    chars += text.length;
  }
  return { digest: all.digest('hex'), chars };
}

/** Reads a config's texts again, for the places alone. Undefined where they are not those that were loaded. */
export async function readConfigPlaces(
  path: string,
  deps: Pick<ConfigDeps, 'env' | 'readFile' | 'glob'>,
  loaded: Pick<ConfigTexts, 'digest'>,
): Promise<ConfigPlaces | undefined> {
  const load = beginLoad(deps);
  const { files, model } = await readModel(path, load);
  if (model === undefined || (await describeTexts(files, load.pause)).digest !== loaded.digest) return undefined;
  return createConfigPlaces(model, files, load.places);
}
