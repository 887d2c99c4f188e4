import { didYouMean } from './did-you-mean.ts';
import type { FindingText, Report } from './finding.ts';
import { findSpan, isPlainObject, type Places, type PlainObject } from './places.ts';

/** A tenant or template as written, and the object (`tenants` or `templates` of some file) it stands in. */
export interface Named {
  readonly id: string;
  readonly value: PlainObject;
  /** Root of the file, for places. */
  readonly root: PlainObject;
}

/** `over` on top of `base`: objects merge, lists and scalars replace. Parts that only one side has stay shared. */
export function mergeDeep(base: PlainObject, over: PlainObject, places: Places): PlainObject {
  const merged: PlainObject = { ...base, ...over };
  for (const key of Object.keys(over)) {
    const [below, above] = [Object.hasOwn(base, key) ? base[key] : undefined, over[key]];
    if (isPlainObject(below) && isPlainObject(above)) merged[key] = mergeDeep(below, above, places);
  }
  places.merged(merged, base, over);
  return merged;
}

/** Resolves `template: NAME`, of templates too; undefined, with a problem, where the name leads nowhere or in a circle. */
export type TemplateResolver = (named: Named, section: 'tenants' | 'templates') => PlainObject | undefined;

export function createTemplateResolver(
  templates: ReadonlyMap<string, Named>,
  places: Places,
  report: Report,
): TemplateResolver {
  const resolved = new Map<string, PlainObject | undefined>();
  const underWay: string[] = [];

  const resolveTemplate = (template: Named): PlainObject | undefined => {
    if (!resolved.has(template.id)) {
      underWay.push(template.id);
      resolved.set(template.id, resolve(template, 'templates'));
      underWay.pop();
    }
    return resolved.get(template.id);
  };

  const resolve: TemplateResolver = ({ id, value, root }, section) => {
    const name = value.template;
    if (name === undefined) return value;
    const fault = (text: FindingText): undefined => {
      const path = [section, id, 'template'];
      const span = findSpan(places, root, path, 'value');
      report.add({ severity: 'error', span, file: span?.source.file ?? '', path, ...text });
      return undefined;
    };
    if (typeof name !== 'string') return fault({ message: 'must be the name of one template' });
    const template = templates.get(name);
    if (template === undefined) {
      const known =
        templates.size === 0 ? 'there are no templates' : `known: ${[...templates.keys()].slice(0, 10).join(', ')}`;
      return fault({ message: `there is no template "${name}"`, hint: didYouMean(name, templates.keys()) ?? known });
    }
    if (underWay.includes(name)) return fault({ message: `the template "${name}" leads back to itself` });
    const base = resolveTemplate(template);
    return base && mergeDeep(base, value, places);
  };
  return resolve;
}
