import type { Json, JsonObject } from '../gate/token.ts';
import { compileTemplate, type TemplatePart, type TemplateValues } from '../template/template.ts';
import { findBareWord, unquoteBareWord } from './bare-word.ts';

/** What a payload is filled from. */
export type SigningValues = TemplateValues & { readonly tenant: string };

/** Something the config says that can't be, and where: a dotted path from the template's root. */
export interface TemplateProblem {
  readonly path: string;
  readonly problem: string;
}

/** A compiled JSON object whose strings hold `${…}`, `now`, `+5m` or `uuid`. */
export interface JsonTemplate {
  /** True where each filling is another: it holds `uuid` or `${request.id}`. */
  readonly once: boolean;
  /** True where there is nothing to fill. */
  readonly constant: boolean;
  readonly readsClaims: boolean;
  readonly pathVariables: readonly string[];
  /**
   * Everything that placeholders read, as one text: equal texts fill equally, but for time and what comes `once`.
   */
  inputs(values: SigningValues): string;
  /** `nowS`: whole seconds since the epoch. A member whose claim is missing is left out. */
  fill(values: SigningValues, nowS: number): Filled;
}

export type Filled =
  | { readonly kind: 'filled'; readonly object: JsonObject }
  /** A claim holds what can't stand where the template wants it; no value of it is in the text. */
  | { readonly kind: 'unfillable'; readonly detail: string };

interface Moment {
  readonly values: SigningValues;
  readonly nowS: number;
  unfillable: string | undefined;
}

type Fill = (moment: Moment) => Json | undefined;
type Read = (values: SigningValues) => Json | undefined;

interface Compilation {
  readonly problems: TemplateProblem[];
  readonly reads: Read[];
  readonly pathVariables: string[];
  once: boolean;
  constant: boolean;
  readsClaims: boolean;
}

/** Compiles a payload or header as the config holds it, `$$` and `${…}` still in place. */
export function compileJsonTemplate(object: JsonObject): JsonTemplate | { readonly problems: TemplateProblem[] } {
  const compilation: Compilation = {
    problems: [],
    reads: [],
    pathVariables: [],
    once: false,
    constant: true,
    readsClaims: false,
  };
  const fillObject = compileObject(object, [], compilation);
  if (compilation.problems.length > 0) return { problems: compilation.problems };
  const { reads, pathVariables, once, constant, readsClaims } = compilation;
  return {
    once,
    constant,
    readsClaims,
    pathVariables,
    // JSON texts end where they end, and there are always equally many: joined, they can't be mistaken for others.
    inputs: (values) => reads.map((read) => JSON.stringify(read(values)) ?? '').join(','),
    fill(values, nowS) {
      const moment: Moment = { values, nowS, unfillable: undefined };
      const filled = fillObject(moment);
      const { unfillable } = moment;
      return unfillable === undefined ? { kind: 'filled', object: filled } : { kind: 'unfillable', detail: unfillable };
    },
  };
}

function compileValue(value: Json, path: readonly string[], compilation: Compilation): Fill {
  if (typeof value === 'string') return compileText(value, path, compilation);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compileValue(item, [...path, String(index)], compilation));
    return (moment) => items.map((fill) => fill(moment)).filter((item) => item !== undefined);
  }
  if (typeof value === 'object' && value !== null) return compileObject(value as JsonObject, path, compilation);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    compilation.problems.push({ path: path.join('.'), problem: 'JSON has no such number' });
  }
  return () => value;
}

function compileObject(
  object: JsonObject,
  path: readonly string[],
  compilation: Compilation,
): (moment: Moment) => JsonObject {
  const members = Object.entries(object).map(
    ([name, value]) => [name, compileValue(value, [...path, name], compilation)] as const,
  );
  // fromEntries makes own members of all names, "__proto__" included.
  return (moment) =>
    Object.fromEntries(
      members.flatMap(([name, fill]) => {
        const value = fill(moment);
        return value === undefined ? [] : [[name, value]];
      }),
    );
}

function compileText(text: string, path: readonly string[], compilation: Compilation): Fill {
  const word = findBareWord(text);
  if (word !== undefined) {
    compilation.constant = false;
    compilation.once ||= word.once;
    return ({ nowS }) => word.value(nowS);
  }
  const literal = unquoteBareWord(text);
  if (literal !== undefined) return () => literal;
  if (!text.includes('$')) return () => text;
  const template = compileTemplate(text, { tenant: 'late' });
  if ('problem' in template) {
    compilation.problems.push({ path: path.join('.'), problem: template.problem });
    return () => undefined;
  }
  compilation.pathVariables.push(...template.pathVariables);
  const parts = template.parts.map((part) => compilePart(part, path, compilation));
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  return (moment) => joinParts(parts, path, moment);
}

function compilePart(part: TemplatePart, path: readonly string[], compilation: Compilation): Fill {
  if (part.kind === 'text') return () => part.text;
  compilation.constant = false;
  compilation.readsClaims ||= part.name.startsWith('claims');
  if (part.name === 'request.id') compilation.once = true;
  else compilation.reads.push(part.read);
  return (moment) => {
    const value = part.read(moment.values);
    // Beyond 2^53 the parser has already rounded: two ids would become one.
    if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
      moment.unfillable ??= `${path.join('.')}: \${${part.name}} is a number too large to be carried exactly`;
    }
    return value;
  };
}

/** Text around a placeholder makes a string of it all; missing or null, it takes the whole string with it. */
function joinParts(parts: readonly Fill[], path: readonly string[], moment: Moment): string | undefined {
  let joined = '';
  for (const fill of parts) {
    const value = fill(moment);
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'object') {
      moment.unfillable ??= `${path.join('.')}: a list or object can't stand inside a text`;
      return undefined;
    }
    joined += String(value);
  }
  return joined;
}
