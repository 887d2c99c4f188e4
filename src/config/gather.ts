import type { ConfigPath } from './config-path.ts';
import { type FindingText, findingAt } from './finding.ts';
import type { Load } from './model.ts';
import { findSpan, isPlainObject, type Places, type PlainObject } from './places.ts';
import type { ConfigFile } from './read-files.ts';
import { config, sharedFields } from './shape/config.ts';
import { tenantId } from './shape/tenant.ts';
import type { Named } from './templates.ts';
import { unknownKeyText } from './unknown-key.ts';

/** What all files say together, each id once. */
export interface Gathered {
  /** The main file's own keys, without tenants, templates and include. */
  readonly globals: PlainObject;
  readonly tenants: ReadonlyMap<string, Named>;
  readonly templates: ReadonlyMap<string, Named>;
}

/** Brings the files together: tenants and templates from all of them, everything else from the main file, the first. */
export async function gather(files: readonly ConfigFile[], { places, report, pause }: Load): Promise<Gathered> {
  const tenants = new Map<string, Named>();
  const templates = new Map<string, Named>();
  let globals: PlainObject = {};
  for (const [index, { source, value: root }] of files.entries()) {
    const complain = (path: ConfigPath, on: 'key' | 'value', text: FindingText) =>
      report.add(findingAt(findSpan(places, root, path, on) ?? { source, start: 0, end: 0 }, path, text));
    const take = async (section: 'tenants' | 'templates', into: Map<string, Named>) => {
      if (root[section] === undefined) return;
      const entries = root[section];
      if (!isPlainObject(entries)) {
        complain([section], 'value', { message: 'must be an object: ids, each with its settings' });
        return;
      }
      for (const id of Object.keys(entries)) {
        await pause();
        takeOne(section, into, id, entries[id]);
      }
    };
    const takeOne = (section: string, into: Map<string, Named>, id: string, value: unknown) => {
      const idProblem = tenantId.safeParse(id).error?.issues[0];
      if (idProblem !== undefined) complain([section, id], 'key', { message: idProblem.message });
      const before = into.get(id);
      if (before !== undefined) {
        const path = [section, id];
        const related = [{ span: findSpan(places, before.root, path, 'key'), path }];
        complain(path, 'key', { message: 'stands in two files', related });
      } else if (!isPlainObject(value)) {
        complain([section, id], 'value', {
          message: 'must be an object',
          hint: 'write {} where there is nothing to say',
        });
      } else into.set(id, { id, value, root });
    };
    await take('templates', templates);
    await take('tenants', tenants);
    if (index === 0) globals = own(root, places);
    else refuseGlobals(root, complain);
  }
  return { globals, tenants, templates };
}

function own(root: PlainObject, places: Places): PlainObject {
  const globals = Object.fromEntries(Object.entries(root).filter(([key]) => !Object.hasOwn(sharedFields, key)));
  places.copied(globals, root);
  return globals;
}

function refuseGlobals(root: PlainObject, complain: (path: ConfigPath, on: 'key', text: FindingText) => void): void {
  for (const key of Object.keys(root)) {
    if (Object.hasOwn(sharedFields, key)) continue;
    if (Object.hasOwn(config.shape, key))
      complain([key], 'key', { message: 'belongs in the main file, not in an included one' });
    else complain([key], 'key', unknownKeyText(key, Object.keys(sharedFields), root[key], true));
  }
}
