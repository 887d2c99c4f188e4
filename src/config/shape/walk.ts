import type * as z from 'zod';
import type { ConfigPath } from '../config-path.ts';
import { isSensitive } from './sensitive.ts';

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
 * May the scalar at `path` be shown? Only where the schema knows the place and does not call it a secret: behind a
 * mistyped key anything may stand.
 */
export function isShowable(root: Schema, path: ConfigPath): boolean {
  const schemas = schemasAt(root, path).flatMap(coresOf);
  return schemas.length > 0 && !schemas.some(isSensitive);
}

/** Is a key of this name, wherever it stands, known and without secrets? For text that could not be parsed. */
export function keyIsHarmless(root: Schema, name: string): boolean {
  let names = harmlessKeys.get(root);
  if (names === undefined) {
    const [known, secret] = [new Set<string>(), new Set<string>()];
    collectKeys(root, { known, secret, holdsSecret: new Map() });
    names = known.difference(secret);
    harmlessKeys.set(root, names);
  }
  return names.has(name);
}

const harmlessKeys = new WeakMap<Schema, ReadonlySet<string>>();

interface KeyCollection {
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
