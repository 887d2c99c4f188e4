import { createShapeCheck, type ShapeCheck } from './check-shape.ts';
import type { ConfigPath } from './config-path.ts';
import type { ConfigDeps } from './deps.ts';
import { didYouMean } from './did-you-mean.ts';
import { type FindingText, findingAt, type Report, type Severity } from './finding.ts';
import { type Gathered, gather } from './gather.ts';
import { fillPending } from './interpolate.ts';
import { findSpan, isPlainObject, type Places, type PlainObject } from './places.ts';
import { type ConfigFile, readFiles } from './read-files.ts';
import { type GlobalConfig, globalFields } from './shape/config.ts';
import { type TenantConfig, tenantFields } from './shape/tenant.ts';
import type { Span } from './source.ts';
import { createTemplateResolver, mergeDeep, type Named, type TemplateResolver } from './templates.ts';

/** A part of a config that fits its shape, together with what it was read from, so that checks can point at it. */
export interface Section<T> {
  readonly config: T;
  /** Merged and filled, but in the config's own words. */
  readonly raw: PlainObject;
  readonly path: ConfigPath;
}

export interface TenantSection extends Section<TenantConfig> {
  readonly id: string;
}

/** A whole config that fits its shape. */
export interface Model {
  readonly globals: Section<GlobalConfig>;
  readonly tenants: readonly TenantSection[];
}

/** What a load carries from step to step. */
export interface Load {
  readonly deps: ConfigDeps;
  readonly places: Places;
  readonly report: Report;
}

/** Says something about a place of a section. */
export function complainIn(
  { places, report }: Load,
  section: Pick<Section<unknown>, 'raw' | 'path'>,
  path: ConfigPath,
  text: FindingText,
  severity: Severity = 'error',
  on: 'key' | 'value' = 'value',
): void {
  const span = findSpan(places, section.raw, path, on);
  const full = [...section.path, ...path];
  if (span === undefined) report.add({ severity, span, file: '', path: full, ...text });
  else report.add(findingAt(span, full, text, severity));
}

/** Place of a value of a section, for `related`. */
export function spanIn({ places }: Load, { raw }: Pick<Section<unknown>, 'raw'>, path: ConfigPath): Span | undefined {
  return findSpan(places, raw, path, 'key');
}

export interface ReadConfig {
  readonly files: readonly ConfigFile[];
  /** Undefined where something does not fit: the report says what. */
  readonly model: Model | undefined;
}

/** Reads, merges, fills and shapes: everything up to the point where a config's parts are held against each other. */
export async function readModel(main: string, load: Load): Promise<ReadConfig> {
  const files = await readFiles(main, load.deps, load.places, load.report);
  const first = files[0];
  // Without the main file there is nothing to hold the others against.
  if (first === undefined || first.source.file !== main) return { files, model: undefined };
  const gathered = gather(files, load.places, load.report);
  const check = createShapeCheck(load.places, load.report);
  const globals = shapeGlobals(gathered.globals, check, load);
  const tenants = shapeTenants(gathered, check, load);
  if (globals === undefined || load.report.hasErrors()) return { files, model: undefined };
  return { files, model: { globals, tenants } };
}

function shapeGlobals(raw: PlainObject, check: ShapeCheck, load: Load): Section<GlobalConfig> | undefined {
  const filled = fillSection(raw, undefined, [], load);
  const config = check(filled, globalFields, []);
  return config && { config, raw: filled, path: [] };
}

function shapeTenants(gathered: Gathered, check: ShapeCheck, load: Load): TenantSection[] {
  const resolve = createTemplateResolver(gathered.templates, load.places, load.report);
  for (const template of gathered.templates.values()) shapeOne(template, 'templates', gathered, resolve, check, load);
  const tenants: TenantSection[] = [];
  for (const tenant of gathered.tenants.values()) {
    const section = shapeOne(tenant, 'tenants', gathered, resolve, check, load);
    if (section !== undefined) tenants.push({ id: tenant.id, ...section });
  }
  return tenants;
}

function shapeOne(
  named: Named,
  sectionName: 'tenants' | 'templates',
  { globals }: Gathered,
  resolve: TemplateResolver,
  check: ShapeCheck,
  load: Load,
): Section<TenantConfig> | undefined {
  const path = [sectionName, named.id];
  // Where the template is missing, what the tenant says itself is judged all the same.
  const merged = withGlobalErrors(resolve(named, sectionName) ?? named.value, globals, load.places);
  const raw = fillSection(merged, named.id, path, load);
  const config = check(raw, tenantFields, path);
  return config && { config, raw, path };
}

/** The top-level `errors` lie under each tenant's own. */
function withGlobalErrors(tenant: PlainObject, globals: PlainObject, places: Places): PlainObject {
  const { errors } = globals;
  if (errors === undefined || !isPlainObject(errors)) return tenant;
  const own = tenant.errors;
  if (own !== undefined && !isPlainObject(own)) return tenant;
  const base: PlainObject = { errors };
  places.copied(base, globals);
  return mergeDeep(base, tenant, places);
}

/** Headers and error bodies keep their placeholders: the gate fills those, a request. */
function keepsPlaceholders([section, member]: ConfigPath): boolean {
  return section === 'headers' || (section === 'errors' && member === 'body');
}

function fillSection(raw: PlainObject, tenant: string | undefined, path: ConfigPath, load: Load): PlainObject {
  return fillPending(raw, {
    tenant,
    keeps: keepsPlaceholders,
    places: load.places,
    unknown: (inner, name) => {
      const message = name === '' ? '"${" is not closed' : `\${${name}} is not filled here`;
      complainIn(load, { raw, path }, inner, { message, hint: unfilledHint(name) });
    },
  });
}

function unfilledHint(name: string): string | undefined {
  if (name === 'tenant') return 'only values of tenants and templates know it';
  if (/^(?:claims|path|request)[.[]/.test(name)) return 'only values of headers know it';
  if (/^(?:message|code|reason)$/.test(name)) return 'only errors.body knows it';
  return didYouMean(name, ['tenant']) ?? 'environment variables are in capitals; $$ is a dollar';
}
