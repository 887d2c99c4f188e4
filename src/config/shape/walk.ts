import type * as z from 'zod';
import type { ConfigPath } from '../config-path.ts';
import { findNearest } from '../did-you-mean.ts';
import { isHarmless, isSensitive } from './sensitive.ts';

/*
 * Finding one's way in a schema by a config path: which keys an object may have, and whether what stands at a path
 * may be shown.
 */

type Schema = z.core.$ZodType;

/** The schemas a value is really held against: without optional, default and transform; all members of a union. */
function coresOf(schema: Schema): Schema[] {
  const definition = (schema as z.core.$ZodTypes)._zod.def;
  // A mark on an outer schema must not be lost with it.
  if (isSensitive(schema)) return [schema];
  switch (definition.type) {
    case 'optional':
    case 'prefault':
    case 'default':
      return coresOf(definition.innerType);
    case 'pipe':
      return coresOf(definition.in);
    case 'union':
      return definition.options.flatMap(coresOf);
    default:
      return [schema];
  }
}

/** What may stand at `part` of a value that `schema` describes; empty where nothing may. */
function stepInto(schema: Schema, part: string | number): Schema[] {
  return coresOf(schema).flatMap((core) => {
    const definition = (core as z.core.$ZodTypes)._zod.def;
    // All of a secret list or object is secret; secret text has no inside.
    if (isSensitive(core)) return definition.type === 'string' ? [] : [core];
    switch (definition.type) {
      case 'object': {
        if (typeof part === 'number') return [];
        const member = Object.hasOwn(definition.shape, part) ? definition.shape[part] : definition.catchall;
        // A strict object's catch-all is "never".
        return member === undefined || (member as z.core.$ZodTypes)._zod.def.type === 'never' ? [] : [member];
      }
      case 'record':
        return typeof part === 'number' ? [] : [definition.valueType];
      case 'array':
        return typeof part === 'number' ? [definition.element] : [];
      // Any JSON: what stands in it is as showable as the whole.
      case 'unknown':
        return [core];
      default:
        return [];
    }
  });
}

function schemasAt(root: Schema, path: ConfigPath): Schema[] {
  return path.reduce<Schema[]>((schemas, part) => schemas.flatMap((schema) => stepInto(schema, part)), [root]);
}

/** Keys that an object at `path` may have. */
export function keysAt(root: Schema, path: ConfigPath): string[] {
  return schemasAt(root, path)
    .flatMap(coresOf)
    .flatMap((core) => {
      const definition = (core as z.core.$ZodTypes)._zod.def;
      return definition.type === 'object' ? Object.keys(definition.shape) : [];
    });
}

/**
 * What the schema puts in place of keys that the object at `path` does not have, in the config's own words. Of several
 * shapes that may stand there it is the first that has all of the object's keys.
 */
export function defaultsAt(root: Schema, path: ConfigPath, keys: readonly string[]): Readonly<Record<string, unknown>> {
  const shapes = schemasAt(root, path)
    .flatMap(coresOf)
    .flatMap((core) => {
      const definition = (core as z.core.$ZodTypes)._zod.def;
      return definition.type === 'object' && !isSensitive(core) ? [definition.shape] : [];
    });
  const shape = shapes.find((one) => keys.every((key) => Object.hasOwn(one, key))) ?? {};
  const defaults: Record<string, unknown> = {};
  for (const key of Object.keys(shape)) {
    if (keys.includes(key)) continue;
    const definition = (shape[key] as z.core.$ZodTypes)._zod.def;
    if (definition.type === 'prefault') defaults[key] = definition.defaultValue;
  }
  return defaults;
}

/**
 * May the scalar at `path` be shown? Only where the schema wants a scalar there and does not call it a secret: behind a
 * mistyped key, or in the place of an object, anything may stand. Of a list of words only what is one, or nearly.
 */
export function isShowable(root: Schema, path: ConfigPath, value: unknown): boolean {
  const cores = schemasAt(root, path).flatMap(coresOf);
  if (!cores.every((core) => isHarmless(core, value))) return false;
  const scalars = cores.map((core) => (core as z.core.$ZodTypes)._zod.def).filter(({ type }) => !containers.has(type));
  const words = scalars.flatMap((definition) => (definition.type === 'enum' ? Object.values(definition.entries) : []));
  if (scalars.length === 0 || words.length === 0 || scalars.some(({ type }) => type !== 'enum'))
    return scalars.length > 0;
  return findNearest(String(value), words.map(String)) !== undefined;
}

const containers: ReadonlySet<string> = new Set(['object', 'record', 'array', 'never']);

/**
 * May this key of the object at `path` be shown? One that the schema knows, or nearly; a name that is the user's to
 * choose; and elsewhere plain words, as long as no secret could have slipped into the place of a key (`secret: {hunter2}`).
 */
export function isKeyShowable(root: Schema, path: ConfigPath, key: string): boolean {
  const known = keysAt(root, path);
  if (known.includes(key) || findNearest(key, known) !== undefined) return true;
  const cores = schemasAt(root, path).flatMap(coresOf);
  if (cores.length === 0 || cores.some(isSensitive)) return false;
  return cores.some((core) => (core as z.core.$ZodTypes)._zod.def.type === 'record') || /^[A-Za-z]{1,24}$/.test(key);
}

/** Is a key of this name, wherever it stands, known and without secrets? For text that could not be parsed. */
export function isHarmlessKey(root: Schema, name: string): boolean {
  const { known, secret } = keyNames(root);
  return known.has(name) && !secret.has(name);
}

/** Does the schema have a key of this name anywhere? */
export function isKnownKey(root: Schema, name: string): boolean {
  const { known, secret } = keyNames(root);
  return known.has(name) || secret.has(name);
}

function keyNames(root: Schema): KeyCollection {
  let names = collected.get(root);
  if (names === undefined) {
    names = { known: new Set(), secret: new Set(), holdsSecret: new Map() };
    collectKeys(root, names);
    collected.set(root, names);
  }
  return names;
}

const collected = new WeakMap<Schema, KeyCollection>();

interface KeyCollection {
  /** Keys that somewhere lead to no secret. */
  readonly known: Set<string>;
  /** Keys that anywhere lead to a secret, however deep. */
  readonly secret: Set<string>;
  readonly holdsSecret: Map<Schema, boolean>;
}

function collectKeys(schema: Schema, into: KeyCollection): boolean {
  let holdsSecret = false;
  for (const core of coresOf(schema)) {
    if (!into.holdsSecret.has(core)) {
      into.holdsSecret.set(core, isSensitive(core));
      for (const [name, member] of membersOf(core)) {
        const memberHolds = collectKeys(member, into);
        if (name !== undefined) (memberHolds ? into.secret : into.known).add(name);
        if (memberHolds) into.holdsSecret.set(core, true);
      }
    }
    holdsSecret ||= into.holdsSecret.get(core) === true;
  }
  return holdsSecret;
}

function membersOf(core: Schema): (readonly [string | undefined, Schema])[] {
  const definition = (core as z.core.$ZodTypes)._zod.def;
  switch (definition.type) {
    case 'object':
      return Object.entries(definition.shape);
    case 'record':
      return [[undefined, definition.valueType]];
    case 'array':
      return [[undefined, definition.element]];
    default:
      return [];
  }
}
