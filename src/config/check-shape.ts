import type * as z from 'zod';
import type { ConfigPath } from './config-path.ts';
import { didYouMean } from './did-you-mean.ts';
import { type Finding, type FindingText, findingAt, type Report } from './finding.ts';
import { isPlanned, notYetText } from './not-yet.ts';
import { type Container, findSpan, isContainer, type Places, type PlainObject } from './places.ts';
import { config } from './shape/config.ts';
import { flattenIssues, issueText, nearestValue } from './shape/issue-text.ts';
import { keysAt } from './shape/walk.ts';

type Fields = Readonly<Record<string, z.ZodType>>;
type Output<F extends Fields> = { [K in keyof F]: z.output<F[K]> };

/** Checks objects key by key against their schemas. Undefined, with problems, where something does not fit. */
export type ShapeCheck = <F extends Fields>(value: PlainObject, fields: F, path: ConfigPath) => Output<F> | undefined;

/**
 * Values that several objects share, by templates, are checked once and their outcome shared too: 100,000 tenants with
 * one template keep one list of routes.
 */
export function createShapeCheck(places: Places, report: Report): ShapeCheck {
  const checked = new Map<z.ZodType, Map<Container, { output: unknown } | undefined>>();
  const defaults = new Map<Fields, Readonly<Record<string, unknown>>>();

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
    flattenIssues(result.error.issues)
      .flatMap((issue) => describeIssue(issue, owner, [key, ...(issue.path as ConfigPath)], path.slice(0, -1)))
      // A value that an earlier step could not read or fill is no news.
      .filter(({ span }) => span === undefined || !report.hasErrorAt(span))
      .forEach(report.add);
    return undefined;
  };

  /** `inner` leads from `owner` to the place, `outer` from the config's root to `owner`. */
  const describeIssue = (
    issue: z.core.$ZodIssue,
    owner: PlainObject,
    inner: ConfigPath,
    outer: ConfigPath,
  ): Finding[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.flatMap((key) => {
        return find(owner, [...inner, key], outer, 'key', unknownKeyText([...outer, ...inner, key]));
      });
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
    return span === undefined ? [] : [findingAt(span, [...outer, ...inner], text)];
  };

  const defaultsOf = (fields: Fields): Readonly<Record<string, unknown>> => {
    let values = defaults.get(fields);
    if (values === undefined) {
      values = Object.fromEntries(Object.entries(fields).map(([key, schema]) => [key, schema.parse(undefined)]));
      defaults.set(fields, values);
    }
    return values;
  };

  return <F extends Fields>(value: PlainObject, fields: F, path: ConfigPath): Output<F> | undefined => {
    const output: Record<string, unknown> = { ...defaultsOf(fields) };
    let sound = true;
    for (const key of Object.keys(value)) {
      const schema = Object.hasOwn(fields, key) ? fields[key] : undefined;
      const keyPath = [...path, key];
      if (schema === undefined) {
        find(value, [key], path, 'key', unknownKeyText(keyPath)).forEach(report.add);
        sound = false;
        continue;
      }
      const result = checkValue(schema, value, key, keyPath);
      if (result === undefined) sound = false;
      else output[key] = result.output;
    }
    return sound ? (output as Output<F>) : undefined;
  };
}

function unknownKeyText(path: ConfigPath): FindingText {
  if (isPlanned(path)) return { message: notYetText };
  return { message: 'unknown key', hint: didYouMean(String(path.at(-1)), keysAt(config, path.slice(0, -1))) };
}

function valueAt(owner: PlainObject, path: ConfigPath): unknown {
  let value: unknown = owner;
  for (const part of path) value = isContainer(value) ? (value as PlainObject)[part] : undefined;
  return value;
}
