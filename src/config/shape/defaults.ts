import { deepFreeze } from '../deep-freeze.ts';
import { globalFields } from './config.ts';
import { type Fields, isOptionalField } from './lazy-fields.ts';
import { tenantFields } from './tenant.ts';

/** Of every key that has a default: what its schema makes of it. */
export type Defaults = Readonly<Record<string, unknown>>;

// Put in by the bundler, because asking for them builds a third of all schemas; absent when the sources run as they are.
declare const __DEFAULTS__: Readonly<Record<'globals' | 'tenant', Defaults>> | undefined;

const known = new Map<Fields, Defaults>(
  typeof __DEFAULTS__ === 'object'
    ? [
        [globalFields, deepFreeze(__DEFAULTS__.globals)],
        [tenantFields, deepFreeze(__DEFAULTS__.tenant)],
      ]
    : [],
);

/** What is served where a config says nothing; optional fields are not in it. */
export function defaultsOf(fields: Fields): Defaults {
  let values = known.get(fields);
  if (values === undefined) {
    values = deepFreeze(computeDefaults(fields));
    known.set(fields, values);
  }
  return values;
}

function computeDefaults(fields: Fields): Defaults {
  const keys = Object.keys(fields).filter((key) => !isOptionalField(fields, key));
  const values = keys.map((key) => [key, fields[key]?.parse(undefined)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** For the bundler. */
export function allDefaults(): Readonly<Record<'globals' | 'tenant', Defaults>> {
  return { globals: computeDefaults(globalFields), tenant: computeDefaults(tenantFields) };
}
