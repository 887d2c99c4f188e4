import type * as z from 'zod';
import type { ConfigPath } from './config-path.ts';
import type { Finding, FindingText, Report } from './finding.ts';
import { type Container, findSpan, isContainer, type Places, type PlainObject } from './places.ts';
import { config } from './shape/config.ts';
import { defaultsOf } from './shape/defaults.ts';
import { flattenIssues, issueText, nearestValue } from './shape/issue-text.ts';
import type { Fields } from './shape/lazy-fields.ts';
import { isKeyShowable, keysAt } from './shape/walk.ts';
import { unknownKeyText } from './unknown-key.ts';

type Output<F extends Fields> = { [K in keyof F]: z.output<F[K]> };

export interface ShapeCheck {
  /** Checks an object key by key against its schemas. Undefined, with problems, where something does not fit. */
  whole<F extends Fields>(value: PlainObject, fields: F, path: ConfigPath): Output<F> | undefined;
  /** The same for a template: what is missing in it, its tenants may add. */
  partial(value: PlainObject, fields: Fields, path: ConfigPath): void;
}

/**
 * Values that several objects share, by templates, are checked once and their outcome shared too: 100,000 tenants with
 * one template keep one list of routes.
 */
export function createShapeCheck(places: Places, report: Report, root: z.core.$ZodType = config): ShapeCheck {
  const checked = new Map<z.ZodType, Map<Container, { output: unknown } | undefined>>();

  const checkValue = (
    schema: z.ZodType,
    owner: PlainObject,
    key: string,
    path: ConfigPath,
  ): { output: unknown } | undefined => {
    const value = owner[key];
    if (!isContainer(value)) return parse(schema, owner, key, path);
    let known = checked.get(schema);
    if (known === undefined) {
      known = new Map();
      checked.set(schema, known);
    }
    if (!known.has(value)) known.set(value, parse(schema, owner, key, path));
    return known.get(value);
  };

  const parse = (
    schema: z.ZodType,
    owner: PlainObject,
    key: string,
    path: ConfigPath,
  ): { output: unknown } | undefined => {
    const result = schema.safeParse(owner[key], { error: issueText });
    if (result.success) return { output: result.data };
    reportAll(flattenIssues(result.error.issues), owner, key, path);
    return undefined;
  };

  const reportAll = (issues: readonly z.core.$ZodIssue[], owner: PlainObject, key: string, path: ConfigPath): void => {
    issues
      .flatMap((issue) => describeIssue(issue, owner, [key, ...(issue.path as ConfigPath)], path.slice(0, -1)))
      // A value that an earlier step could not read or fill is no news.
      .filter(({ span }) => span === undefined || !report.hasErrorAt(span))
      .forEach(report.add);
  };

  /** `inner` leads from `owner` to the place, `outer` from the config's root to `owner`. */
  const describeIssue = (
    issue: z.core.$ZodIssue,
    owner: PlainObject,
    inner: ConfigPath,
    outer: ConfigPath,
  ): Finding[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.flatMap((key) => unknownKey(owner, inner, outer, key));
    }
    if (issue.code === 'invalid_key') {
      return find(owner, inner, outer, 'key', { message: issue.issues[0]?.message ?? issue.message });
    }
    const nearest = nearestValue(issue, valueAt(owner, inner));
    const hint = nearest === undefined ? undefined : `did you mean "${nearest}"?`;
    return find(owner, inner, outer, 'value', { message: issue.message, hint });
  };

  const find = (
    owner: PlainObject,
    inner: ConfigPath,
    outer: ConfigPath,
    on: 'key' | 'value',
    text: FindingText,
  ): Finding[] => {
    const span = findSpan(places, owner, inner, on);
    return [{ severity: 'error', span, file: span?.source.file ?? '', path: [...outer, ...inner], ...text }];
  };

  const unknownKey = (owner: PlainObject, inner: ConfigPath, outer: ConfigPath, key: string): Finding[] => {
    const path = [...outer, ...inner];
    const text = unknownKeyText(key, keysAt(root, path), valueAt(owner, [...inner, key]), path.length === 0);
    const found = find(owner, [...inner, key], outer, 'key', text);
    // What stands where a key should may be the secret itself: `secret: {hunter2}`.
    if (key === '<<' || isKeyShowable(root, path, key)) return found;
    return found.map((finding) => ({ ...finding, path: [...path, '…'] }));
  };

  /** Calls `each` with the keys that have a schema; says what others are. */
  const known = (
    value: PlainObject,
    fields: Fields,
    path: ConfigPath,
    each: (key: string, schema: z.ZodType) => void,
  ): boolean => {
    let allKnown = true;
    for (const key of Object.keys(value)) {
      const schema = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (schema !== undefined) each(key, schema);
      else {
        unknownKey(value, [], path, key).forEach(report.add);
        allKnown = false;
      }
    }
    return allKnown;
  };

  return {
    whole<F extends Fields>(value: PlainObject, fields: F, path: ConfigPath): Output<F> | undefined {
      const output: Record<string, unknown> = { ...defaultsOf(fields) };
      let sound = true;
      const allKnown = known(value, fields, path, (key, schema) => {
        const result = checkValue(schema, value, key, [...path, key]);
        if (result === undefined) sound = false;
        else output[key] = result.output;
      });
      return sound && allKnown ? (output as Output<F>) : undefined;
    },
    partial(value, fields, path) {
      known(value, fields, path, (key, schema) => {
        const result = schema.safeParse(value[key], { error: issueText });
        const issues = flattenIssues(result.error?.issues ?? []).filter(
          (issue) => !isIncomplete(issue, valueAt(value, [key, ...(issue.path as ConfigPath)])),
        );
        reportAll(issues, value, key, [...path, key]);
      });
    },
  };
}

/** Something is missing: a member, or one of several of which an object must have one. */
function isIncomplete(issue: z.core.$ZodIssue, value: unknown): boolean {
  return value === undefined || (issue.code === 'custom' && isContainer(value));
}

function valueAt(owner: PlainObject, path: ConfigPath): unknown {
  let value: unknown = owner;
  for (const part of path) value = isContainer(value) ? (value as PlainObject)[part] : undefined;
  return value;
}
