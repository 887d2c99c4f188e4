/** How connections of HTTP/2 ended; the metric's labels. */
export const connectionEnds = [
  /** One side said goodbye, or left while nothing was under way. */
  'complete',
  /** The client left amid its requests, or its connection broke. */
  'aborted',
  /** No request within `timeouts.header` of its beginning. */
  'timeout',
  /** Cut: too many of its requests came to nothing (CVE-2023-44487, CVE-2025-8671). */
  'resets',
  /** Cut: frames that make work and are no request, e.g. CONTINUATION without end (CVE-2024-27316), or too many that are not allowed. */
  'flood',
  /** Cut: it broke the protocol (RFC 9113 section 5.4.1). */
  'malformed',
  'failed',
] as const;

export type ConnectionEnd = (typeof connectionEnds)[number];

/** By Node's codes, and by nghttp2's numbers where Node has one code for all of them. */
const endByCode: Readonly<Record<string, ConnectionEnd>> = {
  ECONNRESET: 'aborted',
  EPIPE: 'aborted',
  ETIMEDOUT: 'aborted',
  ERR_HTTP2_TOO_MANY_INVALID_FRAMES: 'flood',
  ERR_HTTP2_TOO_MANY_CUSTOM_SETTINGS: 'flood',
  /** FLOODED: control frames that we would have to answer. */
  '-904': 'flood',
  /** TOO_MANY_CONTINUATIONS */
  '-905': 'flood',
  /** TOO_MANY_SETTINGS */
  '-537': 'flood',
  /** PROTO, STREAM_CLOSED, FRAME_SIZE_ERROR, HEADER_COMP, FLOW_CONTROL, BAD_CLIENT_MAGIC */
  '-505': 'malformed',
  '-510': 'malformed',
  '-522': 'malformed',
  '-523': 'malformed',
  '-524': 'malformed',
  '-903': 'malformed',
};

export interface SessionError {
  readonly code?: string | undefined;
  readonly errno?: number | undefined;
}

export function connectionEndOf({ code = '', errno = 0 }: SessionError): ConnectionEnd {
  return endByCode[code] ?? endByCode[String(errno)] ?? 'failed';
}
