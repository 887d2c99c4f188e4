// config.schema.json → docs/config-reference.md: every key, once, with what the schema says of it.
import { join } from 'node:path';
import { configSchemaText } from '../src/config/schema.ts';

export const referencePath = join(import.meta.dirname, '..', 'docs', 'config-reference.md');

/** As much of JSON Schema (draft-07) as the config's has. */
interface Schema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const opening = `# Every key of the config

Made of the config's schema by \`npm run reference\`; a test holds them together. [Get started](get-started.md) leads to the
first config, \`config.schema.json\` tells your editor all of this.

Durations are \`500ms\`, \`30s\`, \`5m\`, \`24h\`; sizes \`64KiB\`, \`1MiB\`. \`\${NAME}\`, \`\${NAME:-default}\` and \`\${NAME:?message}\` in any text
are environment variables, filled in after parsing; \`$$\` is a dollar.
`;

/** The text of docs/config-reference.md. */
export function buildReference(): string {
  const schema = JSON.parse(configSchemaText()) as Schema;
  const definitions = schema.definitions ?? {};
  const sections = [
    section('The file', schema, ''),
    ...Object.entries(definitions).map(([name, one]) => section(titleOf(name), one, name)),
  ];
  return `${[opening, ...sections.filter((text) => text !== '')].join('\n')}`;
}

function section(title: string, schema: Schema, name: string): string {
  const rows = keysOf(schema, '');
  const said = schema.description === undefined ? '' : `${schema.description}\n\n`;
  if (rows.length === 0) return name === '' || said === '' ? '' : `## ${title}\n\n${said}${kindOf(schema)}\n`;
  return [`## ${title}`, '', `${said}| key | value | |`, '|---|---|---|', ...rows, ''].join('\n');
}

function titleOf(name: string): string {
  return `\`${name}\``;
}

/** A row each, those of small objects in place: `timeouts.idle`. */
function keysOf(schema: Schema, prefix: string): string[] {
  const properties = objectsIn(schema).flatMap((one) => Object.entries(one.properties ?? {}));
  const seen = new Set<string>();
  return properties.flatMap(([name, value]) => {
    const path = `${prefix}${name}`;
    if (seen.has(path)) return [];
    seen.add(path);
    const row = `| \`${path}\` | ${cell(kindOf(value))} | ${cell(value.description ?? '')} |`;
    return [row, ...keysOf(value, `${path}.`)];
  });
}

/** The objects that a value may be, without following references: those have a section of their own. */
function objectsIn(schema: Schema): readonly Schema[] {
  if (schema.$ref !== undefined) return [];
  const parts = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  return schema.properties === undefined ? parts.flatMap(objectsIn) : [schema, ...parts.flatMap(objectsIn)];
}

/** What a value may be, in a few words. */
function kindOf(schema: Schema): string {
  const { $ref, anyOf, oneOf, allOf, enum: values, type, items, additionalProperties, properties } = schema;
  if ($ref !== undefined) return linkTo($ref);
  const parts = anyOf ?? oneOf;
  if (parts !== undefined) return unique(parts.filter((part) => !isVariable(part)).map(kindOf)).join(' or ');
  if (allOf !== undefined) return unique(allOf.map(kindOf)).join(' and ');
  if (values !== undefined) return values.map((value) => `\`${String(value)}\``).join(' ');
  if ('const' in schema) return `\`${String(schema.const)}\``;
  if (type === 'array') return items === undefined ? 'list' : `list of ${kindOf(items)}`;
  if (type === 'object') {
    if (properties !== undefined) return 'object';
    return typeof additionalProperties === 'object' ? `map of ${kindOf(additionalProperties)}` : 'object';
  }
  if (Array.isArray(type)) return type.join(' or ');
  if (type === 'string') return 'text';
  if (type === 'boolean') return '`true` `false`';
  return typeof type === 'string' ? type : 'any value';
}

/** Text that is there for `${NAME}` alone, which may stand anywhere. */
function isVariable({ type, pattern, anyOf }: Schema): boolean {
  if (anyOf?.every((part) => isVariable(part) || isWordOfBoolean(part))) return true;
  return type === 'string' && pattern !== undefined && /^(?:\^\\d\{1,15\}\$\|)?\\\$\\\{$/.test(pattern);
}

function isWordOfBoolean({ enum: values }: Schema): boolean {
  return values?.every((value) => value === 'true' || value === 'false') === true;
}

function linkTo(reference: string): string {
  const name = reference.split('/').at(-1) as string;
  return `[${name}](#${name.toLowerCase()})`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
