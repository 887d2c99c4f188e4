import * as z from 'zod';
import { config } from './shape/config.ts';

const placeholder = '\\$\\{';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * The config's JSON Schema, for editors: draft-07, which is what they understand. It describes what may be written, so
 * that wherever text is bound to a form, a `${…}` that is yet to be filled will do.
 */
export function configSchema(): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(config, {
    target: 'draft-07',
    io: 'input',
    override: ({ jsonSchema, path }) => {
      if (path.includes('propertyNames')) return;
      allowPlaceholder(jsonSchema);
    },
  });
  return { $schema, title: 'jwtgate config', ...rest } as JsonSchema;
}

function allowPlaceholder(schema: JsonSchema): void {
  // Called again for the wrappers around a schema (optional, described …).
  if (schema.pattern?.endsWith(placeholder) === false) schema.pattern += `|${placeholder}`;
  if (schema.enum !== undefined) {
    schema.anyOf = [{ enum: schema.enum }, { type: 'string', pattern: placeholder }];
    delete schema.enum;
    delete schema.type;
  }
}

/** What `jwtgate schema` prints, and config.schema.json holds. */
export function configSchemaText(): string {
  return `${JSON.stringify(configSchema(), null, 2)}\n`;
}
