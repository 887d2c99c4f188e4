import type { DecisionFacts, Refused } from './decision.ts';
import { type Reason, reasonNames, reasons } from './reasons.ts';
import type { Json, JsonObject } from './token.ts';

/** One entry of a config's `errors`. */
export interface ErrorSpec {
  readonly status?: number | undefined;
  readonly code?: number | string | undefined;
  readonly message?: string | undefined;
}

export interface ErrorFormatSpec {
  readonly byReason: Readonly<Partial<Record<Reason, ErrorSpec>>>;
  /** For reasons without an entry of their own. */
  readonly fallback?: ErrorSpec | undefined;
  /** JSON template (or text); undefined: RFC 9457 problem+json. */
  readonly body?: Json | undefined;
}

interface RenderedError {
  readonly status: number;
  readonly contentType: string;
  readonly body: (requestId: string) => string;
}

/** How refusals look, compiled: one renderer a reason. */
export type ErrorFormat = Readonly<Record<Reason, RenderedError>>;

/** Compiles `errors`; with an empty spec it is the default: problem+json with the reason's own status and text. */
export function compileErrorFormat(spec: ErrorFormatSpec): ErrorFormat {
  return Object.fromEntries(reasonNames.map((reason) => [reason, compileReason(reason, spec)])) as ErrorFormat;
}

function compileReason(reason: Reason, spec: ErrorFormatSpec): RenderedError {
  const own = { ...spec.fallback, ...spec.byReason[reason] };
  const status = own.status ?? reasons[reason].status;
  const message = own.message ?? reasons[reason].text;
  const values = { message, code: own.code, reason };
  if (spec.body === undefined) {
    const problem = { type: `urn:jwtgate:reason:${reason}`, title: message, status, code: own.code, reason };
    return {
      status,
      contentType: 'application/problem+json',
      body: (requestId) => JSON.stringify({ ...problem, requestId }),
    };
  }
  const template = spec.body;
  const contentType = typeof template === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  return {
    status,
    contentType,
    body: (requestId) => {
      const filled = fill(template, { ...values, 'request.id': requestId });
      return typeof template === 'string' ? String(filled ?? '') : JSON.stringify(filled ?? null);
    },
  };
}

type Values = Readonly<Record<string, string | number | undefined>>;
const wholePlaceholder = /^\$\{([a-z.]+)\}$/;
const anyPlaceholder = /\$\$|\$\{([a-z.]+)\}/g;

/** A member that is one placeholder alone keeps the value's type ("${code}" stays a number), and goes where it has none. */
function fill(template: Json, values: Values): Json | undefined {
  if (typeof template === 'string') {
    const whole = wholePlaceholder.exec(template)?.[1];
    if (whole !== undefined) return values[whole];
    return template.replaceAll(anyPlaceholder, (whole, name: string) => {
      return whole === '$$' ? '$' : String(values[name] ?? '');
    });
  }
  if (Array.isArray(template)) return template.flatMap((item) => fill(item as Json, values) ?? []);
  if (typeof template !== 'object' || template === null) return template;
  const filled: Record<string, Json> = {};
  for (const [name, member] of Object.entries(template as JsonObject)) {
    const value = fill(member, values);
    if (value !== undefined) filled[name] = value;
  }
  return filled;
}

/** Placeholders an `errors.body` may hold. */
export const errorPlaceholders = ['message', 'code', 'reason', 'request.id'] as const;

export interface RefusalContext {
  readonly requestId: string;
  readonly facts: DecisionFacts;
  readonly detail: string;
  /** Instead of the format's status: 413, 414, 431 for requestRefused. */
  readonly status?: number | undefined;
  readonly close?: boolean | undefined;
  readonly retryAfterS?: number | undefined;
}

/** The whole answer for one refusal: RFC 9457 body or the tenant's own, RFC 6750 section 3 challenge. */
export function refuse(format: ErrorFormat, reason: Reason, context: RefusalContext): Refused {
  const rendered = format[reason];
  const status = context.status ?? rendered.status;
  const headers = ['Content-Type', rendered.contentType, 'Cache-Control', 'no-store'];
  const challenge = challengeFor(reason, status);
  if (challenge !== undefined) headers.push('WWW-Authenticate', challenge);
  if (context.retryAfterS !== undefined)
    headers.push('Retry-After', String(Math.max(1, Math.ceil(context.retryAfterS))));
  if (context.requestId !== '') headers.push('X-Request-Id', context.requestId);
  return {
    kind: 'refused',
    reason,
    status,
    headers,
    body: rendered.body(context.requestId),
    close: context.close ?? false,
    detail: context.detail,
    facts: context.facts,
  };
}

/** RFC 6750 section 3.1; a 401 always carries one (RFC 9110 section 15.5.2), whatever reason a tenant gave that status. */
function challengeFor(reason: Reason, status: number): string | undefined {
  const { challenge, text } = reasons[reason];
  if (challenge === 'no' && status !== 401) return undefined;
  if (challenge === 'no' || challenge === 'none') return 'Bearer realm="jwtgate"';
  return `Bearer realm="jwtgate", error="${challenge}", error_description="${text}"`;
}
