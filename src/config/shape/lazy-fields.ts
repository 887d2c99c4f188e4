import * as z from 'zod';

// zod would else compile the check of each object with `new Function`, which costs more than it saves at a start.
z.config({ jitless: true });

/*
 * Building all schemas takes longer than all else at a start, and a config uses few of them: each is built when it is
 * first asked for.
 */

/** Schemas by key. */
export type Fields = Readonly<Record<string, z.ZodType>>;

type Builder<T extends z.ZodType = z.ZodType> = (() => T) & { readonly isOptional?: true };
type Builders = Readonly<Record<string, Builder>>;
type Built<B extends Builders> = { readonly [K in keyof B]: ReturnType<B[K]> };

/** A field that may be missing, and then is undefined: nothing is built to find that out. */
export function optional<T extends z.ZodType>(build: () => T): Builder<z.ZodOptional<T>> {
  return Object.assign(() => build().optional(), { isOptional: true } as const);
}

/** Schemas by key; each is built once, when it is first read. */
export function lazyFields<B extends Builders>(builders: B): Built<B> {
  const fields = {};
  const optionalKeys = new Set<string>();
  for (const [key, build] of Object.entries(builders)) {
    let schema: z.ZodType | undefined;
    Object.defineProperty(fields, key, {
      enumerable: true,
      get() {
        schema ??= build();
        return schema;
      },
    });
    if (build.isOptional) optionalKeys.add(key);
  }
  optionalKeysOf.set(fields, optionalKeys);
  return fields as Built<B>;
}

const optionalKeysOf = new WeakMap<object, ReadonlySet<string>>();

/** Is what is missing there undefined? The others have defaults. */
export function isOptionalField(fields: Fields, key: string): boolean {
  return optionalKeysOf.get(fields)?.has(key) === true;
}

/** All of both, still unbuilt. */
export function joinFields<A extends object, B extends object>(a: A, b: B): A & B {
  const descriptors = { ...Object.getOwnPropertyDescriptors(a), ...Object.getOwnPropertyDescriptors(b) };
  return Object.defineProperties({}, descriptors) as A & B;
}

/** A strict object whose members are built when it is first held against a value. */
export function lazyObject<B extends Builders>(builders: B, params?: Parameters<typeof z.strictObject>[1]) {
  return z.strictObject(lazyFields(builders), params);
}
