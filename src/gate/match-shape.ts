import { type ClientField, clientValue, oneClientValue } from '../template/client-field.ts';
import { readBasic } from './basic.ts';
import { type ClaimPath, findClaim, scalarText } from './claims.ts';
import type { PathPattern } from './path.ts';
import { findQueryParameter } from './query.ts';
import type { MatchAlternative, RecognisableRequest, TenantMatch } from './recognise.ts';
import { headerValues } from './request-head.ts';
import type { UnverifiedToken } from './token.ts';

/** One thing that a `match` looks at, and how alternatives that look at it in the same way share one look-up. */
export interface Dimension {
  /** What is looked at: "host", "path", "header:x-app", "kid" … */
  readonly subject: string;
  /** Subject and way of looking: alternatives with equal forms throughout are of one shape. */
  readonly form: string;
  readonly needsToken: boolean;
  readonly pattern?: PathPattern | undefined;
  /** Number of labels of a `*.suffix`; undefined for an exact host. */
  readonly suffixLabels?: number | undefined;
  /** The request's (or token's) value in the form of `valueOf`; undefined where it can't match. */
  readonly read: (request: RecognisableRequest, token: UnverifiedToken | undefined) => string | undefined;
}

export interface MatchShape {
  readonly dimensions: readonly Dimension[];
  readonly needsToken: boolean;
  readonly keyOf: (request: RecognisableRequest, token: UnverifiedToken | undefined) => string | undefined;
}

export interface ShapeMember {
  readonly tenant: TenantMatch;
  readonly alternative: MatchAlternative;
  /** Index in the tenant's `match`. */
  readonly index: number;
  /** One value a dimension of the shape. */
  readonly values: readonly string[];
  readonly key: string;
}

export interface ShapeMembers {
  readonly shape: MatchShape;
  readonly members: readonly ShapeMember[];
}

/** No value in a config holds NUL, so a request's value that does can only make a key that matches none. */
const separator = '\0';

/** Groups all alternatives of all tenants by shape; yields after each tenant. */
export function* matchShapes(tenants: readonly TenantMatch[]): Generator<void, readonly ShapeMembers[]> {
  const byForm = new Map<string, { shape: MatchShape; members: ShapeMember[] }>();
  for (const tenant of tenants) {
    const alternatives = tenant.match.length === 0 ? [{}] : tenant.match;
    for (const [index, alternative] of alternatives.entries()) {
      const conditions = conditionsOf(alternative);
      const form = conditions.map(({ dimension }) => dimension.form).join(separator);
      let group = byForm.get(form);
      if (group === undefined) {
        group = { shape: shapeOf(conditions.map(({ dimension }) => dimension)), members: [] };
        byForm.set(form, group);
      }
      const values = conditions.map(({ value }) => value);
      group.members.push({ tenant, alternative, index, values, key: values.join(separator) });
    }
    yield;
  }
  return [...byForm.values()];
}

function shapeOf(dimensions: readonly Dimension[]): MatchShape {
  const first = dimensions[0];
  const keyOf: MatchShape['keyOf'] =
    first !== undefined && dimensions.length === 1
      ? first.read
      : (request, token) => {
          const values: string[] = [];
          for (const dimension of dimensions) {
            const value = dimension.read(request, token);
            if (value === undefined) return undefined;
            values.push(value);
          }
          return values.join(separator);
        };
  return { dimensions, needsToken: dimensions.some(({ needsToken }) => needsToken), keyOf };
}

interface Condition {
  readonly dimension: Dimension;
  readonly value: string;
}

function conditionsOf(alternative: MatchAlternative): readonly Condition[] {
  const { host, path, header, query, client, basicUser, kid, issuer, tokenHeader, claim } = alternative;
  const conditions: Condition[] = [];
  if (host !== undefined) conditions.push(hostCondition(host));
  if (path !== undefined) conditions.push(pathCondition(path));
  for (const [name, value] of sorted(header)) conditions.push(wanted(headerDimension(name), value));
  for (const [name, value] of sorted(query)) conditions.push(wanted(queryDimension(name), value));
  for (const [name, value] of sorted(client)) conditions.push(wanted(clientDimension(name as ClientField), value));
  if (basicUser !== undefined) conditions.push({ dimension: basicUserDimension, value: basicUser });
  if (kid !== undefined) conditions.push({ dimension: kidDimension, value: kid });
  if (issuer !== undefined) conditions.push({ dimension: issuerDimension, value: issuer });
  for (const [name, value] of sorted(tokenHeader)) conditions.push(wanted(tokenHeaderDimension(name), value));
  for (const { path: claimPath, value } of claim ?? []) conditions.push(wanted(claimDimension(claimPath), value));
  return conditions;
}

/** A value, or its absence, which is a form of its own: no value that a request carries can pass for it. */
function wanted(dimension: NamedDimension, value: string | null): Condition {
  if (value !== null) return { dimension, value };
  const { subject, needsToken, isAbsent } = dimension;
  const read: Dimension['read'] = (request, token) => (isAbsent(request, token) ? '' : undefined);
  return { dimension: { subject, form: `${subject} absent`, needsToken, read }, value: '' };
}

/** A dimension that can be asked for absence. */
interface NamedDimension extends Dimension {
  readonly isAbsent: (request: RecognisableRequest, token: UnverifiedToken | undefined) => boolean;
}

function sorted(record: { readonly [name: string]: string | null | undefined } | undefined): [string, string | null][] {
  const entries = Object.entries(record ?? {}).flatMap(([name, value]): [string, string | null][] =>
    value === undefined ? [] : [[name, value]],
  );
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

function hostCondition(host: string): Condition {
  if (!host.startsWith('*.')) {
    return {
      dimension: { subject: 'host', form: 'host', needsToken: false, read: ({ host: requested }) => requested },
      value: host,
    };
  }
  const suffix = host.slice(2);
  const labels = suffix.split('.').length;
  return {
    dimension: {
      subject: 'host',
      form: `host:*${labels}`,
      needsToken: false,
      suffixLabels: labels,
      read: ({ host: requested }) => hostSuffix(requested, labels),
    },
    value: suffix,
  };
}

/** The last `labels` labels of a host that has more of them. */
export function hostSuffix(host: string | undefined, labels: number): string | undefined {
  if (host === undefined || host.startsWith('[')) return undefined;
  let dot = host.length;
  for (let i = 0; i < labels; i++) {
    dot = host.lastIndexOf('.', dot - 1);
    if (dot <= 0) return undefined;
  }
  return host.slice(dot + 1);
}

function pathCondition(pattern: PathPattern): Condition {
  const { pieces, rest } = pattern;
  const literals = pieces.flatMap((piece, index) => (piece.kind === 'literal' ? [index] : []));
  const read: Dimension['read'] = ({ segments }) => {
    if (rest ? segments.length < pieces.length : segments.length !== pieces.length) return undefined;
    return literals.length === 1
      ? (segments[literals[0] as number] as string)
      : literals.map((index) => segments[index]).join('/');
  };
  const form = `path:${pieces.map(({ kind }) => (kind === 'literal' ? 'L' : 'v')).join('')}${rest ? '*' : ''}`;
  return {
    dimension: { subject: 'path', form, needsToken: false, pattern, read },
    value: pieces.flatMap((piece) => (piece.kind === 'literal' ? [piece.text] : [])).join('/'),
  };
}

function headerDimension(name: string): NamedDimension {
  const lowerName = name.toLowerCase();
  return {
    subject: `header:${lowerName}`,
    form: `header:${lowerName}`,
    needsToken: false,
    read: ({ head }) => {
      const values = headerValues(head, lowerName);
      return values.length === 1 ? values[0] : undefined;
    },
    isAbsent: ({ head }) => headerValues(head, lowerName).length === 0,
  };
}

function queryDimension(name: string): NamedDimension {
  return {
    subject: `query:${name}`,
    form: `query:${name}`,
    needsToken: false,
    read: ({ query }) => {
      const found = findQueryParameter(query, name);
      return found.kind === 'value' ? found.value : undefined;
    },
    isAbsent: ({ query }) => findQueryParameter(query, name).kind === 'absent',
  };
}

function clientDimension(field: ClientField): NamedDimension {
  return {
    subject: `client:${field}`,
    form: `client:${field}`,
    needsToken: false,
    read: ({ head }) => oneClientValue(head.clientCertificate, field),
    isAbsent: ({ head }) => clientValue(head.clientCertificate, field) === undefined,
  };
}

const basicUserDimension: Dimension = {
  subject: 'basicUser',
  form: 'basicUser',
  needsToken: false,
  read: ({ head }) => {
    const content = readBasic(head);
    return content.kind === 'credentials' ? content.unverifiedUser : undefined;
  },
};

const kidDimension: Dimension = {
  subject: 'kid',
  form: 'kid',
  needsToken: true,
  read: (_request, token) => token?.kid,
};

const issuerDimension: Dimension = {
  subject: 'issuer',
  form: 'issuer',
  needsToken: true,
  read: (_request, token) => {
    const issuer = token?.unverifiedClaims.iss;
    return typeof issuer === 'string' ? issuer : undefined;
  },
};

function tokenHeaderDimension(name: string): NamedDimension {
  return {
    subject: `tokenHeader:${name}`,
    form: `tokenHeader:${name}`,
    needsToken: true,
    read: (_request, token) => token && scalarText(findClaim(token.unverifiedHeader, [name])),
    isAbsent: (_request, token) => token !== undefined && findClaim(token.unverifiedHeader, [name]) === undefined,
  };
}

function claimDimension(path: ClaimPath): NamedDimension {
  const subject = `claim:${JSON.stringify(path)}`;
  return {
    subject,
    form: subject,
    needsToken: true,
    read: (_request, token) => token && scalarText(findClaim(token.unverifiedClaims, path)),
    isAbsent: (_request, token) => token !== undefined && findClaim(token.unverifiedClaims, path) === undefined,
  };
}
