/** W3C Trace Context, level 1: https://www.w3.org/TR/trace-context-1/ */

/** Where a request stands in somebody's trace. */
export interface TraceParent {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero: the caller's span. */
  readonly spanId: string;
  /** Whether the caller says that it records. */
  readonly sampled: boolean;
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/**
 * Reads the values of all `traceparent` headers; undefined where there is not exactly one that is valid (section 3.2): then
 * a new trace begins. A later version is read as far as this one goes.
 */
export function parseTraceParent(values: readonly string[]): TraceParent | undefined {
  if (values.length !== 1) return undefined;
  const value = values[0] as string;
  const [, version, traceId = '', spanId = '', flags = ''] = form.exec(value) ?? [];
  if (version === undefined || version === 'ff') return undefined;
  if (version === '00' && value.length !== 55) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

const member =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const mostMembers = 32;

/** The values of all `tracestate` headers as one (section 3.3); undefined where there is none that is valid. */
export function parseTraceState(values: readonly string[]): string | undefined {
  if (values.length === 0) return undefined;
  const members = values
    .join(',')
    .split(',')
    // Optional white space around members is none of them; empty ones are allowed, and say nothing.
    .map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((text) => text !== '');
  const keys = new Set(members.map((text) => text.slice(0, text.indexOf('='))));
  if (members.length === 0 || members.length > mostMembers || keys.size !== members.length) return undefined;
  return members.every((text) => member.test(text)) ? members.join(',') : undefined;
}

/** The header's value, in the version that is spoken here. */
export function formatTraceParent({ traceId, spanId, sampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-0${sampled ? 1 : 0}`;
}
