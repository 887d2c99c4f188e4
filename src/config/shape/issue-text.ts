import type * as z from 'zod';
import { findNearest } from '../did-you-mean.ts';

type RawIssue = z.core.$ZodRawIssue;

const kindWords: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object (keys with values)',
  record: 'an object (keys with values)',
  null: 'empty',
};

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** zod's issues in our words; what a schema says of its own accord goes before this. No value is ever repeated. */
export function issueText(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing'
        : `must be ${kindWords[issue.expected] ?? issue.expected}, and is ${kindWords[kindOf(issue.input)] ?? kindOf(issue.input)}`;
    case 'invalid_value':
      return `must be ${issue.values
        .map(String)
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1')}`;
    case 'unrecognized_keys':
      return 'unknown key';
    default:
      return genericText;
  }
}

/** The nearest word that an enumeration has for what was written. */
export function nearestValue(issue: z.core.$ZodIssue, written: unknown): string | undefined {
  if (issue.code !== 'invalid_value' || typeof written !== 'string') return undefined;
  return findNearest(
    written,
    issue.values.filter((value) => typeof value === 'string'),
  );
}

/**
 * A union's issues come as one list an option. Of use are those of the option that the value was meant for: the one
 * that at least has its kind, and complains least.
 */
export function flattenIssues(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  const mistyped = issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => path.join('\0'));
  return issues.flatMap((issue) => {
    // "must have one of …" says nothing new where that key is there, but mistyped.
    if (issue.code === 'custom' && mistyped.includes(issue.path.join('\0'))) return [];
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
    const options = issue.errors.map(flattenIssues);
    const ofKind = options.filter((option) => !option.some(isWrongKind));
    const meant = ofKind.toSorted((a, b) => a.length - b.length)[0];
    if (meant === undefined) {
      const first = issue.message === genericText ? options[0]?.[0] : undefined;
      return [first === undefined ? issue : below(issue, first)];
    }
    if (meant.every(({ path, message }) => path.length === 0 && message === genericText)) return [issue];
    return meant.map((inner) => below(issue, inner));
  });
}

function below(outer: z.core.$ZodIssue, inner: z.core.$ZodIssue): z.core.$ZodIssue {
  return { ...inner, path: [...outer.path, ...inner.path] };
}

/** Where only the union around it has something to say. */
const genericText = 'is not valid here';

function isWrongKind(issue: z.core.$ZodIssue): boolean {
  return (
    issue.path.length === 0 &&
    (issue.code === 'invalid_type' || issue.code === 'invalid_union' || issue.code === 'invalid_value')
  );
}
