import { type ClaimPath, findClaim, scalarText } from './claims.ts';
import type { Captures } from './path.ts';
import { findQueryParameter } from './query.ts';
import { headerValues, type RequestHead } from './request-head.ts';
import type { Json, JsonObject } from './token.ts';

/** What of a request a claim can be bound to. */
export interface BindableRequest {
  readonly head: Pick<RequestHead, 'headers' | 'method'>;
  readonly query: string | undefined;
  readonly captures: Captures;
  /** Lower case, without port; undefined where the request names none. */
  readonly host: string | undefined;
}

export interface BindRule {
  /** In the config's words: for the log. */
  readonly text: string;
  /** `path.NAME` variables this rule reads: they must stand in the patterns that can come before it. */
  readonly pathVariable: string | undefined;
  readonly headerName: string | undefined;
  readonly test: (claims: JsonObject, request: BindableRequest) => boolean;
}

type Read = (request: BindableRequest) => string | undefined;

const sources: Readonly<Record<string, (name: string) => Read>> = {
  path: (name) => (request) => request.captures.get(name),
  query: (name) => (request) => {
    const found = findQueryParameter(request.query, name);
    return found.kind === 'value' ? found.value : undefined;
  },
  header: (name) => (request) => {
    const values = headerValues(request.head, name.toLowerCase());
    // Two lines of one name: the upstream might read the other one.
    return values.length === 1 ? values[0] : undefined;
  },
};

const wholes: Readonly<Record<string, Read>> = {
  host: (request) => request.host,
  method: (request) => request.head.method,
};

/**
 * Compiles one entry of `bind`: any of the claims (or, where a claim is a list, any member of it) must equal the
 * request's value to the letter, numbers as their decimal text. Whatever is missing on either side is a mismatch.
 */
export function compileBind(claims: readonly ClaimPath[], source: string): BindRule | { readonly problem: string } {
  const dot = source.indexOf('.');
  const kind = dot === -1 ? source : source.slice(0, dot);
  const name = dot === -1 ? '' : source.slice(dot + 1);
  const read = name === '' ? own(wholes, kind) : own(sources, kind)?.(name);
  if (read === undefined) {
    return { problem: `"${source}": bind to path.NAME, query.NAME, header.NAME, host or method` };
  }
  return {
    text: `${claims.map((path) => path.join('.')).join(' or ')}: ${source}`,
    pathVariable: kind === 'path' ? name : undefined,
    headerName: kind === 'header' ? name : undefined,
    test: (payload, request) => {
      const value = read(request);
      if (value === undefined || value === '') return false;
      return claims.some((path) => equalsText(findClaim(payload, path), value));
    },
  };
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function equalsText(claim: Json | undefined, text: string): boolean {
  if (Array.isArray(claim)) return claim.some((one) => scalarText(one as Json) === text);
  return scalarText(claim) === text;
}
