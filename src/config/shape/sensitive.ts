import * as z from 'zod';
import { Secret } from '../secret.ts';

/**
 * Schemas whose values must never be shown. A registry of its own and not zod's metadata, which would end up in the
 * JSON Schema.
 */
const sensitive = z.registry();

export function isSensitive(schema: z.core.$ZodType): boolean {
  return sensitive.has(schema);
}

export function markSensitive<T extends z.ZodType>(schema: T): T {
  sensitive.add(schema);
  return schema;
}

/** Text that is, or may be, a secret. */
export function secretText() {
  return markSensitive(z.string({ error: 'must be text' }).min(1, { error: 'must not be empty' })).transform(
    (text) => new Secret(text),
  );
}
