import { clientFields, clientValue, isClientField } from '../template/client-field.ts';
import { type ClaimPath, findClaim, sameJson, scalarText, shown } from './claims.ts';
import { findByPointer, leadsInAnyCase, parseJsonPointer } from './json-pointer.ts';
import type { Captures } from './path.ts';
import { findQueryParameter } from './query.ts';
import { headerValues, type RequestHead } from './request-head.ts';
import type { Json, JsonObject } from './token.ts';

/** What of a request a claim can be bound to. */
export interface BindableRequest {
  readonly head: Pick<RequestHead, 'headers' | 'method' | 'clientCertificate'>;
  readonly query: string | undefined;
  readonly captures: Captures;
  /** Lower case, without port; undefined where the request names none. */
  readonly host: string | undefined;
  /** The JSON body, once a rule has asked for it; undefined where the request has none. */
  readonly body?: Json | undefined;
}

/** The right side of a `bind` entry: a source alone, or a source and how it is compared. */
export type BindSource =
  | string
  | {
      readonly from: string;
      /** `exact`: a number is no text. `text`: 2315 and "2315" are the same id. */
      readonly as?: 'exact' | 'text' | undefined;
      /** Compares one part (from 0) of a text value cut at this separator. */
      readonly split?: string | undefined;
      readonly part?: number | undefined;
      /** True: holds where the request does not have the value at all. */
      readonly optional?: boolean | undefined;
    };

export interface BindRule {
  /** In the config's words: for the log. */
  readonly text: string;
  /** `path.NAME`: the variables must stand in the patterns that can come before it. */
  readonly pathVariables: readonly string[];
  readonly headerNames: readonly string[];
  readonly readsBody: boolean;
  /** It reads of the client's certificate. */
  readonly readsClient: boolean;
  readonly test: (claims: JsonObject, request: BindableRequest) => boolean;
  /** The values of both sides, for those who ask why it does not hold. */
  readonly describe: (claims: JsonObject, request: BindableRequest) => string;
}

/** `ambiguous`: there, but not as one value, or not to everybody; never equal to anything, and never merely absent. */
type RequestValue = Json | undefined | { readonly ambiguous: true };
type Read = (request: BindableRequest) => RequestValue;

const ambiguous = { ambiguous: true } as const;

const namedSources: Readonly<Record<string, (name: string) => Read | { readonly problem: string }>> = {
  path: (name) => (request) => request.captures.get(name),
  query: (name) => (request) => {
    const found = findQueryParameter(request.query, name);
    if (found.kind === 'absent') return undefined;
    return found.kind === 'value' ? found.value : ambiguous;
  },
  header: (name) => (request) => {
    const values = headerValues(request.head, name.toLowerCase());
    // Two lines of one name: the upstream might read the other one.
    return values.length > 1 ? ambiguous : values[0];
  },
  client: (name) => {
    if (!isClientField(name)) return { problem: `client.${name}: a certificate has ${clientFields.join(', ')}` };
    return ({ head }) => clientValue(head.clientCertificate, name) as Json | undefined;
  },
  body: (name) => {
    const pointer = parseJsonPointer(name);
    if ('problem' in pointer) return pointer;
    return ({ body }) => {
      if (body === undefined) return undefined;
      const value = findByPointer(body, pointer);
      return value === undefined && leadsInAnyCase(body, pointer) ? ambiguous : value;
    };
  },
};

const wholeSources: Readonly<Record<string, Read>> = {
  host: (request) => request.host,
  method: (request) => request.head.method,
};

/** Compiles one entry of `bind`; of several sources, all must agree with the claim. */
export function compileBind(
  claims: readonly ClaimPath[],
  source: BindSource | readonly BindSource[],
): BindRule | { readonly problem: string } {
  const rules: BindRule[] = [];
  for (const one of Array.isArray(source) ? (source as readonly BindSource[]) : [source as BindSource]) {
    const rule = compileOne(claims, one);
    if ('problem' in rule) return rule;
    rules.push(rule);
  }
  const [only] = rules;
  if (only !== undefined && rules.length === 1) return only;
  return {
    text: rules.map(({ text }) => text).join(', '),
    pathVariables: rules.flatMap(({ pathVariables }) => pathVariables),
    headerNames: rules.flatMap(({ headerNames }) => headerNames),
    readsBody: rules.some(({ readsBody }) => readsBody),
    readsClient: rules.some(({ readsClient }) => readsClient),
    test: (payload, request) => rules.every((rule) => rule.test(payload, request)),
    describe: (payload, request) => {
      const failing = rules.filter((rule) => !rule.test(payload, request));
      return failing.map((rule) => rule.describe(payload, request)).join('; ');
    },
  };
}

/**
 * Any of the claims (or, where a claim is a list, any member of it) must equal the
 * request's value to the letter. Path, query, header, client, host and method are text, so a claim's number is compared as its
 * decimal text; a body has types of its own, so there `as` says which. Whatever is missing is a mismatch, unless the
 * request's side is `optional`.
 */
function compileOne(claims: readonly ClaimPath[], from: BindSource): BindRule | { readonly problem: string } {
  const spec = typeof from === 'string' ? { from } : from;
  const dot = spec.from.indexOf('.');
  const kind = dot === -1 ? spec.from : spec.from.slice(0, dot);
  const name = dot === -1 ? '' : spec.from.slice(dot + 1);
  const read = compileSource(spec.from, kind, name);
  if (typeof read !== 'function') return read;
  const { split, part, optional = false } = spec;
  if ((split === undefined) !== (part === undefined))
    return { problem: 'split and part go together: split: "/", part: 0' };
  const asText = kind !== 'body' || split !== undefined || spec.as === 'text';
  const source = `${spec.from}${part === undefined ? '' : ` part ${part}`}`;
  return {
    text: `${claims.map((path) => path.join('.')).join(' or ')}: ${source}`,
    pathVariables: kind === 'path' ? [name] : [],
    headerNames: kind === 'header' ? [name] : [],
    readsBody: kind === 'body',
    readsClient: kind === 'client',
    test: (payload, request) => {
      const whole = read(request);
      if (whole === undefined) return optional;
      const value = split === undefined ? whole : partOf(whole, split, part as number);
      if (value === undefined || value === '' || value === null || isAmbiguous(value)) return false;
      // All of a certificate's names are verified: any of them will do. A list in a body is no value.
      const values = kind === 'client' && Array.isArray(value) ? (value as readonly Json[]) : [value];
      return claims.some((path) => values.some((one) => equals(findClaim(payload, path), one, asText)));
    },
    describe: (payload, request) => {
      const whole = read(request);
      const value = split === undefined ? whole : partOf(whole, split, part as number);
      const sides = claims.map((path) => `${path.join('.')} is ${shown(findClaim(payload, path))}`);
      return `${sides.join(', ')}; ${source} is ${isAmbiguous(whole) ? 'there more than once' : shown(isAmbiguous(value) ? undefined : value)}`;
    },
  };
}

function compileSource(text: string, kind: string, name: string): Read | { readonly problem: string } {
  const read = name === '' ? own(wholeSources, kind) : own(namedSources, kind)?.(name);
  return (
    read ?? {
      problem: `"${text}": bind to path.NAME, query.NAME, header.NAME, client.NAME, host, method or body./json/pointer`,
    }
  );
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function isAmbiguous(value: RequestValue): value is typeof ambiguous {
  return value === ambiguous;
}

function partOf(value: RequestValue, separator: string, part: number): string | undefined {
  return typeof value === 'string' ? value.split(separator)[part] : undefined;
}

function equals(claim: Json | undefined, value: Json, asText: boolean): boolean {
  if (claim === undefined) return false;
  if (Array.isArray(claim)) return claim.some((one) => equalsOne(one as Json, value, asText));
  return equalsOne(claim, value, asText);
}

function equalsOne(claim: Json, value: Json, asText: boolean): boolean {
  if (!asText) return scalarText(claim) !== undefined && sameJson(claim, value);
  const text = scalarText(claim);
  return text !== undefined && text === scalarText(value);
}
