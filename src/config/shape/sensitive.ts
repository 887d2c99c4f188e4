import * as z from 'zod';
import { Secret } from '../secret.ts';

/**
 * Schemas whose values must never be shown. A registry of its own and not zod's metadata, which would end up in the
 * JSON Schema.
 */
const sensitive = z.registry<{ readonly mayShow: (value: unknown) => boolean }>();

export function isSensitive(schema: z.core.$ZodType): boolean {
  return sensitive.has(schema);
}

/** Is this value of such a schema harmless, for its own sake? */
export function isHarmless(schema: z.core.$ZodType, value: unknown): boolean {
  return sensitive.get(schema)?.mayShow(value) ?? true;
}

export function markSensitive<T extends z.ZodType>(schema: T, mayShow: (value: unknown) => boolean = () => false): T {
  sensitive.add(schema, { mayShow });
  return schema;
}

/** Text that is, or may be, a secret. */
export function secretText() {
  return markSensitive(z.string({ error: 'must be text' }).min(1, { error: 'must not be empty' })).transform(
    (text) => new Secret(text),
  );
}
