import { createShapeCheck, type ShapeCheck } from './check-shape.ts';
import type { ConfigPath } from './config-path.ts';
import type { ConfigDeps } from './deps.ts';
import { didYouMean } from './did-you-mean.ts';
import { createReport, type FindingText, findingAt, type Report, type Severity } from './finding.ts';
import { type Gathered, gather } from './gather.ts';
import { fillPending, type Kept } from './interpolate.ts';
import { createPacer, type Pause } from './pacer.ts';
import { createPlaces, findSpan, isPlainObject, type Places, type PlainObject } from './places.ts';
import { type ConfigFile, readFiles } from './read-files.ts';
import { type GlobalConfig, globalFields } from './shape/config.ts';
import { type TenantConfig, tenantFields } from './shape/tenant.ts';
import type { Span } from './source.ts';
import { createTemplateResolver, mergeDeep, type Named } from './templates.ts';

/** A part of a config that fits its shape, together with what it was read from, so that checks can point at it. */
export interface Section<T> {
  readonly config: T;
  /** Merged and filled, but in the config's own words. */
  readonly raw: PlainObject;
  /** From the config's root to this part. */
  readonly path: ConfigPath;
  /** Root of the file that `path` leads through. */
  readonly root: PlainObject;
}

export interface TenantSection extends Section<TenantConfig> {
  readonly id: string;
}

/** What of a config fits its shape: all of it, unless the report holds errors. */
export interface Model {
  /** With defaults in place of what does not fit. */
  readonly globals: Section<GlobalConfig>;
  readonly globalsFit: boolean;
  readonly tenants: readonly TenantSection[];
  /** Tenants that the config has, those that do not fit included. */
  readonly declaredTenants: number;
}

/** What a load carries from step to step. */
export interface Load {
  readonly deps: ConfigDeps;
  readonly places: Places;
  readonly report: Report;
  /** Asked after each tenant, and whatever else there may be 100,000 of. */
  readonly pause: Pause;
}

/** A load with nothing read, and nothing to say, so far. */
export function beginLoad(deps: ConfigDeps, pause = createPacer()): Load {
  return { deps, places: createPlaces(), report: createReport(), pause };
}

/** Says something about a place of a section. */
export function complainIn(
  { places, report }: Load,
  section: Pick<Section<unknown>, 'raw' | 'path' | 'root'>,
  path: ConfigPath,
  text: FindingText,
  severity: Severity = 'error',
  on: 'key' | 'value' = 'value',
): void {
  // What is missing is blamed on the section as a whole.
  const span = findSpan(places, section.raw, path, on) ?? findSpan(places, section.root, section.path, 'key');
  const full = [...section.path, ...path];
  if (span === undefined) report.add({ severity, span, file: '', path: full, ...text });
  else report.add(findingAt(span, full, text, severity));
}

/** Place of a value of a section, for `related`. */
export function spanIn({ places }: Load, { raw }: Pick<Section<unknown>, 'raw'>, path: ConfigPath): Span | undefined {
  return findSpan(places, raw, path, 'value');
}

export interface ReadConfig {
  readonly files: readonly ConfigFile[];
  /** Undefined where there is no main file to speak of: the report says why. */
  readonly model: Model | undefined;
}

/** Reads, merges, fills and shapes: everything up to the point where a config's parts are held against each other. */
export async function readModel(main: string, load: Load): Promise<ReadConfig> {
  const files = await readFiles(main, load);
  const first = files[0];
  // Without the main file there is nothing to hold the others against.
  if (first === undefined || first.source.file !== main) return { files, model: undefined };
  const gathered = await gather(files, load);
  const check = createShapeCheck(load.places, load.report);
  const globals = shapeGlobals(gathered.globals, first.value, check, load);
  const model: Model = {
    globals: globals ?? {
      config: check.whole({}, globalFields, []) as GlobalConfig,
      raw: {},
      path: [],
      root: first.value,
    },
    globalsFit: globals !== undefined,
    tenants: await shapeTenants(gathered, check, load),
    declaredTenants: gathered.tenants.size,
  };
  return { files, model };
}

function shapeGlobals(
  raw: PlainObject,
  root: PlainObject,
  check: ShapeCheck,
  load: Load,
): Section<GlobalConfig> | undefined {
  const filled = fillSection({ raw, path: [], root }, undefined, load);
  const config = check.whole(filled, globalFields, []);
  return config && { config, raw: filled, path: [], root };
}

async function shapeTenants(gathered: Gathered, check: ShapeCheck, load: Load): Promise<TenantSection[]> {
  const resolve = createTemplateResolver(gathered.templates, load.places, load.report);
  const withErrors = createErrorsMerge(gathered.globals, load.places);
  const prepare = (named: Named, section: 'tenants' | 'templates') => {
    const path = [section, named.id];
    const resolved = resolve(named, section);
    // Where the template is missing, what the tenant says itself is judged all the same.
    const merged = withErrors(resolved ?? named.value);
    const raw = fillSection({ raw: merged, path, root: named.root }, named.id, load);
    return { raw, path, root: named.root, isWhole: resolved !== undefined };
  };
  for (const template of gathered.templates.values()) {
    const { raw, path } = prepare(template, 'templates');
    check.partial(raw, tenantFields, path);
  }
  const tenants: TenantSection[] = [];
  for (const tenant of gathered.tenants.values()) {
    await load.pause();
    const { raw, path, root, isWhole } = prepare(tenant, 'tenants');
    const config = check.whole(raw, tenantFields, path);
    if (config !== undefined && isWhole) tenants.push({ id: tenant.id, config, raw, path, root });
  }
  return tenants;
}

/** Lays the top-level `errors` under each tenant's own; what many tenants have by a template is merged once. */
function createErrorsMerge(globals: PlainObject, places: Places): (tenant: PlainObject) => PlainObject {
  const { errors } = globals;
  if (errors === undefined || !isPlainObject(errors)) return (tenant) => tenant;
  const base: PlainObject = { errors };
  places.copied(base, globals);
  const merged = new Map<PlainObject, PlainObject>();
  return (tenant) => {
    const own = tenant.errors;
    if (own !== undefined && !isPlainObject(own)) return tenant;
    const result = { ...base, ...tenant };
    if (own !== undefined) {
      const known = merged.get(own) ?? mergeDeep(errors, own, places);
      merged.set(own, known);
      result.errors = known;
    }
    places.merged(result, base, tenant);
    return result;
  };
}

/** Headers, error bodies and what is signed or sent on our own account keep their placeholders: filled a request. */
function keptPlaceholders([section, member, ...rest]: ConfigPath): Kept {
  if ((section === 'upstream' || section === 'provision') && member === 'sign') {
    return keptPlaceholders([member, ...rest]);
  }
  const sent =
    (section === 'sign' && (member === 'payload' || member === 'header')) ||
    (section === 'provision' && (member === 'body' || member === 'headers' || member === 'subject'));
  if (sent) return 'all';
  return section === 'headers' || (section === 'errors' && member === 'body') ? 'allButTenant' : 'none';
}

function fillSection(
  section: Pick<Section<unknown>, 'raw' | 'path' | 'root'>,
  tenant: string | undefined,
  load: Load,
): PlainObject {
  return fillPending(section.raw, {
    tenant,
    keeps: keptPlaceholders,
    places: load.places,
    unknown: (inner, name) => {
      const message = name === '' ? '"${" is not closed' : `\${${name}} is not filled here`;
      complainIn(load, section, inner, { message, hint: unfilledHint(name) });
    },
  });
}

function unfilledHint(name: string): string | undefined {
  if (name === 'tenant') return 'only values of tenants and templates know it';
  if (/^(?:claims|path|client|request)[.[]/.test(name)) return 'only headers, and what is signed or sent, know it';
  if (/^(?:message|code|reason)$/.test(name)) return 'only errors.body knows it';
  return didYouMean(name, ['tenant']) ?? 'environment variables are in capitals; $$ is a dollar';
}
