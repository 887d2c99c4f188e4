import { isIPv6 } from 'node:net';
import { headerValues } from '../gate/request-head.ts';

/** One request as its parser saw it, before anything is believed. */
export interface RawHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  /** Flat name, value list as received. */
  readonly headers: readonly string[];
}

export interface HeadLimits {
  readonly headerBytes: number;
  readonly headerCount: number;
}

/** How a request's body is delimited (RFC 9112 section 6.3). */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

export interface FramingFault {
  /** 400, 414, 417, 431 or 501: the status of a `requestRefused`. */
  readonly status: number;
  /** For the log; holds nothing that the client sent. */
  readonly detail: string;
}

export type FramingVerdict =
  | {
      readonly kind: 'clear';
      readonly body: BodyFraming;
      readonly upgrade: 'websocket' | undefined;
      readonly expectsContinue: boolean;
    }
  | { readonly kind: 'fault'; readonly fault: FramingFault };

/** Share of `headerBytes` that the target alone may take; a full-size token in a query still fits. */
export const targetShare = 0.75;

/** RFC 3986 section 3.2.2 without userinfo, percent-encoding and sub-delims: no real host has them, and upstreams differ on them. */
const namedHost = /^[A-Za-z0-9._~-]+(?::\d{1,5})?$/;
const bracketedHost = /^\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?$/;

/** Origin-form (RFC 9112 section 3.2.1) in visible ASCII; a fragment is never part of it (RFC 9110 section 7.1). */
const originFormTarget = /^\/[\x21\x22\x24-\x7e]*$/;

/** RFC 9110 section 5.5: HTAB, visible ASCII, space and obs-text; llhttp lets other controls through. */
export const fieldValue: RegExp = /^[\t\x20-\x7e\x80-\xff]*$/;
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Methods that no upstream shall see: CONNECT asks for a tunnel, TRACE would echo the identity headers to the client. */
const unsupportedMethods: ReadonlySet<string> = new Set(['CONNECT', 'TRACE']);

/**
 * Refuses every request that two honest parsers could read differently, where Node's own parser passes it
 * (RFC 9112 sections 3, 5, 6, 11.2), and says how the body of a clear one is framed.
 */
export function judgeFraming(head: RawHead, limits: HeadLimits): FramingVerdict {
  const fault = findHeadFault(head, limits);
  if (fault !== undefined) return { kind: 'fault', fault };
  const body = readBodyFraming(head);
  if (!('kind' in body)) return { kind: 'fault', fault: body };
  const expectation = readExpectation(head);
  if (expectation === undefined) {
    return { kind: 'fault', fault: { status: 417, detail: 'Expect is something else than 100-continue' } };
  }
  const upgrade = wantsWebSocket(head) ? 'websocket' : undefined;
  if (upgrade !== undefined && body.kind !== 'none') {
    return { kind: 'fault', fault: { status: 400, detail: 'a WebSocket handshake with a body' } };
  }
  return { kind: 'clear', body, upgrade, expectsContinue: expectation && body.kind !== 'none' };
}

function findHeadFault(head: RawHead, limits: HeadLimits): FramingFault | undefined {
  if (head.httpVersion !== '1.1' && head.httpVersion !== '1.0') {
    return { status: 400, detail: 'an HTTP version other than 1.0 and 1.1' };
  }
  // Routes name methods in upper case (RFC 9110 section 9.1), and upstreams that fold letters would obey what no route judged.
  if (/[a-z]/.test(head.method)) return { status: 400, detail: 'a method with letters in lower case' };
  if (unsupportedMethods.has(head.method)) return { status: 501, detail: 'method CONNECT or TRACE' };
  if (head.target.length > limits.headerBytes * targetShare) {
    return { status: 414, detail: `a target of ${head.target.length} bytes` };
  }
  if (!originFormTarget.test(head.target)) {
    return { status: 400, detail: 'the target is not an origin-form of visible ASCII without a fragment' };
  }
  return findFieldFault(head, limits) ?? findHostFault(head);
}

function findFieldFault({ method, target, headers }: RawHead, limits: HeadLimits): FramingFault | undefined {
  const count = headers.length / 2;
  if (count > limits.headerCount) return { status: 431, detail: `${count} header fields` };
  // Request line: two spaces, "HTTP/1.1", CRLF; each field: colon, space, CRLF.
  let headBytes = method.length + target.length + 12;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    headBytes += name.length + value.length + 4;
    if (!fieldName.test(name)) return { status: 400, detail: 'an illegal header name' };
    if (!fieldValue.test(value)) return { status: 400, detail: 'an illegal byte in a header value' };
  }
  if (headBytes > limits.headerBytes) return { status: 431, detail: `a head of ${headBytes} bytes` };
  return undefined;
}

/** RFC 9112 section 3.2: exactly one Host in HTTP/1.1; what stands in it must be a host. */
function findHostFault(head: RawHead): FramingFault | undefined {
  const hosts = headerValues(head, 'host');
  if (hosts.length > 1) return { status: 400, detail: 'more than one Host' };
  const [host] = hosts;
  if (host === undefined) {
    return head.httpVersion === '1.0' ? undefined : { status: 400, detail: 'no Host' };
  }
  return isHost(host) ? undefined : { status: 400, detail: 'Host is not a host and optional port' };
}

/** Is this value of Host one that every upstream reads alike? */
export function isHost(value: string): boolean {
  const address = bracketedHost.exec(value)?.[1];
  return address === undefined ? namedHost.test(value) : isIPv6(address);
}

/** RFC 9112 sections 6.1 to 6.3, without any of the leniencies they grant to recipients. */
function readBodyFraming(head: RawHead): BodyFraming | FramingFault {
  const codings = headerValues(head, 'transfer-encoding');
  const lengths = headerValues(head, 'content-length');
  if (codings.length > 0) {
    if (lengths.length > 0) return { status: 400, detail: 'Transfer-Encoding beside Content-Length' };
    if (head.httpVersion === '1.0') return { status: 400, detail: 'Transfer-Encoding in HTTP/1.0' };
    if (codings.length > 1 || codings[0] !== 'chunked') {
      return { status: 400, detail: 'Transfer-Encoding is not exactly one "chunked"' };
    }
    return { kind: 'chunked' };
  }
  if (lengths.length > 1) return { status: 400, detail: 'more than one Content-Length' };
  const [length] = lengths;
  if (length === undefined) return { kind: 'none' };
  const bytes = parseContentLength(length);
  if (bytes === undefined) return { status: 400, detail: 'Content-Length is not a plain decimal number' };
  return bytes === 0 ? { kind: 'none' } : { kind: 'length', bytes };
}

/** Plain decimal without sign, list or leading zero, of less than a petabyte; undefined for anything else. */
export function parseContentLength(value: string): number | undefined {
  return /^(?:0|[1-9]\d{0,14})$/.test(value) ? Number(value) : undefined;
}

/** Undefined where something is expected that nobody can meet; HTTP/1.0 expectations are ignored (RFC 9110 section 10.1.1). */
function readExpectation(head: RawHead): boolean | undefined {
  const expectations = headerValues(head, 'expect');
  if (expectations.length === 0 || head.httpVersion === '1.0') return false;
  return expectations.length === 1 && expectations[0]?.toLowerCase() === '100-continue' ? true : undefined;
}

/**
 * Only a GET for exactly "websocket" is taken as a wish to switch; any other Upgrade is ignored and dropped, as RFC
 * 9110 section 7.8 allows. That covers h2c, whose upgrade would carry requests that nobody judged.
 */
export function wantsWebSocket(head: RawHead): boolean {
  if (head.method !== 'GET' || head.httpVersion !== '1.1') return false;
  const protocols = headerValues(head, 'upgrade');
  if (protocols.length !== 1 || protocols[0]?.toLowerCase() !== 'websocket') return false;
  return headerValues(head, 'connection').some((list) =>
    list.split(',').some((option) => option.trim().toLowerCase() === 'upgrade'),
  );
}
