import { withoutCookies } from './cookies.ts';
import { foldName } from './field-name.ts';
import { type TokenLocation, withoutProtocols } from './locate.ts';
import type { Upstream } from './policy.ts';
import { announcesBody, headerValues, type RequestHead } from './request-head.ts';
import { authority } from './upstream-address.ts';

/** Why a name of an inbound header is not simply passed on. */
type NameClass =
  | 'end-to-end'
  /** Identity: a name that some tenant's config can emit (folded). */
  | 'reserved'
  /** RFC 9110 section 7.6.1, and what frames the message: the lane writes its own. */
  | 'hop-by-hop'
  /** Says how the request reached us: believed from a trusted proxy only. */
  | 'forwarded'
  /** W3C Trace Context: the client's, unless requests are traced here. */
  | 'trace-context'
  /**
   * Would make an upstream act on another method or path than the one that was judged (CVE-2023-30845 and kin), or call
   * others by a proxy of the client's (`Proxy`, to CGI the variable HTTP_PROXY: CVE-2016-5385).
   */
  | 'steering';

const classByFoldedName: ReadonlyMap<string, NameClass> = new Map<string, NameClass>([
  ...[
    'connection',
    'content-length',
    'expect',
    'http2-settings',
    'keep-alive',
    'proxy-authenticate',
    'proxy-authorization',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ].map((name) => [name, 'hop-by-hop'] as const),
  ...[
    'forwarded',
    'x-forwarded',
    'x-real-ip',
    'x-client-ip',
    'x-cluster-client-ip',
    'x-remote-ip',
    'x-remote-addr',
    'x-originating-ip',
    'x-envoy-external-address',
    'x-azure-clientip',
    'client-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'fastly-client-ip',
    'x-scheme',
    'x-url-scheme',
    'front-end-https',
    'x-request-id',
    'client-cert',
    'client-cert-chain',
    'x-client-cert',
    'x-tls-client-cert',
    'x-arr-clientcert',
  ].map((name) => [name, 'forwarded'] as const),
  ...['traceparent', 'tracestate'].map((name) => [name, 'trace-context'] as const),
  ...[
    'x-http-method',
    'x-http-method-override',
    'x-method-override',
    'x-original-url',
    'x-original-uri',
    'x-rewrite-url',
    'x-original-method',
    'x-original-host',
    'x-envoy-original-path',
    'x-host',
    'proxy',
  ].map((name) => [name, 'steering'] as const),
]);

/** How a body is to be read, which rules and bindings go by. */
const alwaysJudged = ['content-type', 'content-encoding'];

/**
 * Names that some tenant reads a token, a match, a binding or a rule's value from. Another spelling of one (X_Account for X-Account)
 * was not judged, and an upstream that folds names would take it for the judged one.
 */
export interface JudgedNames {
  readonly exact: ReadonlySet<string>;
  readonly folded: ReadonlySet<string>;
}

export function judgedNames(names: Iterable<string>): JudgedNames {
  const exact = new Set([...alwaysJudged, ...[...names].map((name) => name.toLowerCase())]);
  return { exact, folded: new Set([...exact].map(foldName)) };
}

/** What the header list is made from, beside the request itself. */
export interface ForwardContext {
  readonly reservedNames: ReadonlySet<string>;
  readonly judgedNames: JudgedNames;
  readonly fromTrustedProxy: boolean;
  readonly upstream: Upstream;
  /** Token locations whose content does not travel on. */
  readonly stripped: readonly TokenLocation[];
  /** Flat list that takes the place of the client's trace context; undefined: that goes on. */
  readonly traceContext?: readonly string[] | undefined;
  /** Flat list, checked by `emitIdentityHeaders`. */
  readonly identity: readonly string[];
}

/**
 * The one function that makes the header list for the upstream: the inbound list without reserved, hop-by-hop,
 * steering and untrusted names, then what a proxy adds (Host, X-Forwarded-*, Forwarded, Via), then the identity
 * headers, last. Whatever is not in this list does not go upstream; framing fields are the lane's.
 */
export function upstreamHeaders(head: RequestHead, context: ForwardContext): string[] {
  // Host stands first, and its value is known once all have been looked at.
  const list: string[] = ['Host', ''];
  const inbound = readInbound(head, context, list);
  list[1] = hostFor(inbound.host, context.upstream);
  if (inbound.wantsTrailers) list.push('TE', 'trailers');
  pushMediaType(list, head, context.upstream.mediaType);
  pushForwarded(list, inbound, head, context.fromTrustedProxy);
  if (context.traceContext !== undefined) list.push(...context.traceContext);
  list.push('Via', viaValues[head.httpVersion], 'X-Request-Id', head.id);
  for (const part of context.identity) list.push(part);
  return list;
}

/** RFC 9110 section 7.6.3. */
const viaValues = { '1.0': '1.0 jwtgate', '1.1': '1.1 jwtgate', '2': '2 jwtgate' } as const;

interface Inbound {
  /** Those that go on as they came, behind what was there. */
  readonly kept: string[];
  host: string | undefined;
  wantsTrailers: boolean;
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
  forwardedHost: string | undefined;
  forwarded: string | undefined;
}

function readInbound(head: RequestHead, context: ForwardContext, kept: string[]): Inbound {
  const { headers } = head;
  const nominated = nominatedNames(headers);
  const inbound: Inbound = {
    kept,
    host: undefined,
    wantsTrailers: false,
    forwardedFor: undefined,
    forwardedProto: undefined,
    forwardedHost: undefined,
    forwarded: undefined,
  };
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    const { lower, folded, nameClass } = describeName(name);
    if (context.reservedNames.has(folded)) continue;
    if (context.judgedNames.folded.has(folded) && !context.judgedNames.exact.has(lower)) continue;
    if (lower === 'host') {
      inbound.host ??= value;
    } else if (nameClass === 'hop-by-hop') {
      if (lower === 'te' && /(?:^|,)\s*trailers\s*(?:[;,]|$)/i.test(value)) inbound.wantsTrailers = true;
    } else if (nameClass === 'forwarded') {
      if (context.fromTrustedProxy) takeForwarded(inbound, name, lower, value);
    } else if (
      passesOn(nameClass, context) &&
      (nominated?.has(lower) !== true || context.judgedNames.exact.has(lower))
    ) {
      const passed = withoutToken(lower, value, context.stripped);
      if (passed !== undefined) inbound.kept.push(name, passed);
    }
  }
  return inbound;
}

/** A trace context of ours takes the place of the client's. */
function passesOn(nameClass: NameClass, { traceContext }: ForwardContext): boolean {
  return nameClass === 'end-to-end' || (nameClass === 'trace-context' && traceContext === undefined);
}

/**
 * Names listed in Connection are the client's own hop-by-hop ones. They are compared before our headers are added, so
 * that they can only ever remove what the client itself sent (CVE-2024-45410, CVE-2025-48865); and of that nothing which
 * was judged, as it is for all recipients (RFC 9110 section 7.6.1).
 */
function nominatedNames(headers: readonly string[]): ReadonlySet<string> | undefined {
  let names: Set<string> | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const token of (headers[i + 1] as string).split(',')) {
      const nominated = token.trim().toLowerCase();
      if (nominated === '' || nominated === 'close' || nominated === 'keep-alive') continue;
      names ??= new Set();
      names.add(nominated);
    }
  }
  return names;
}

interface NameDescription {
  readonly lower: string;
  readonly folded: string;
  readonly nameClass: NameClass;
}

/** What a proxy in front says of how the client came, and by which certificate (RFC 9440 and its forerunners). */
const forwardedPrefix = /^(?:x-forwarded-|(?:x-)?ssl-client-)/;

/** Header names repeat from request to request: folding each once a spelling is the better part of this file's cost. */
const describedNames = new Map<string, NameDescription>();
const mostDescribedNames = 2000;

function describeName(name: string): NameDescription {
  const known = describedNames.get(name);
  if (known !== undefined) return known;
  // Made-up names are a client's to send: once the table is full they are worked out each time.
  if (describedNames.size >= mostDescribedNames || name.length >= 64) return workOut(name);
  // A copy: what the parser cut out of a request's head would keep the whole head in memory.
  const kept = Buffer.from(name, 'latin1').toString('latin1');
  const description = workOut(kept);
  describedNames.set(kept, description);
  return description;
}

function workOut(name: string): NameDescription {
  const folded = foldName(name);
  const nameClass = forwardedPrefix.test(folded) ? 'forwarded' : (classByFoldedName.get(folded) ?? 'end-to-end');
  return { lower: name.toLowerCase(), folded, nameClass };
}

const ownOfEachProxy: ReadonlySet<NameClass> = new Set(['hop-by-hop', 'forwarded', 'trace-context']);

/**
 * Is this lower-case name one that each proxy on the way writes or drops by itself, whatever another one says? Another
 * spelling of such a name is not.
 */
export function isEachProxysOwn(lowerName: string): boolean {
  const { folded, nameClass } = describeName(lowerName);
  if (folded !== lowerName) return false;
  return lowerName === 'host' || lowerName === 'via' || ownOfEachProxy.has(nameClass);
}

/** Is this a name, in any spelling, that means no more than what its sender and the upstream agreed on? */
export function isEndToEnd(name: string): boolean {
  return describeName(name).nameClass === 'end-to-end';
}

function takeForwarded(inbound: Inbound, name: string, lower: string, value: string): void {
  switch (lower) {
    case 'x-forwarded-for':
      inbound.forwardedFor = listed(inbound.forwardedFor, value);
      break;
    case 'x-forwarded-proto':
      inbound.forwardedProto = value;
      break;
    case 'x-forwarded-host':
      inbound.forwardedHost = value;
      break;
    case 'forwarded':
      inbound.forwarded = listed(inbound.forwarded, value);
      break;
    case 'x-request-id':
      // Already the head's id where it was fit to be one.
      break;
    default:
      // The exact spelling only: a trusted proxy sets X-Real-IP, not X_Real_IP.
      if (lower === foldName(name)) inbound.kept.push(name, value);
  }
}

/** RFC 9110 section 5.3: lines of one name are one list. */
function listed(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

function pushForwarded(list: string[], inbound: Inbound, head: RequestHead, trusted: boolean): void {
  const peer = head.peer === '' ? 'unknown' : head.peer;
  list.push('X-Forwarded-For', listed(inbound.forwardedFor, peer));
  list.push('X-Forwarded-Proto', inbound.forwardedProto ?? head.scheme);
  const host = inbound.forwardedHost ?? inbound.host;
  if (host !== undefined) list.push('X-Forwarded-Host', host);
  if (trusted && inbound.forwarded !== undefined) {
    list.push('Forwarded', listed(inbound.forwarded, forwardedElement(head, inbound.host)));
  }
}

/** What a legacy client leaves out and the upstream insists on. */
function pushMediaType(list: string[], head: RequestHead, mediaType: string | undefined): void {
  if (mediaType === undefined) return;
  if (headerValues(head, 'accept').length === 0) list.push('Accept', mediaType);
  if (announcesBody(head) && headerValues(head, 'content-type').length === 0) list.push('Content-Type', mediaType);
}

/** RFC 7239 section 4: an IPv6 address and a host with a port are quoted. */
function forwardedElement(head: RequestHead, host: string | undefined): string {
  const node = head.peer === '' ? 'unknown' : head.peer.includes(':') ? `"[${head.peer}]"` : head.peer;
  const hostPart = host === undefined ? '' : `;host="${host.replaceAll(/["\\]/g, '')}"`;
  return `for=${node}${hostPart};proto=${head.scheme}`;
}

function withoutToken(lower: string, value: string, stripped: readonly TokenLocation[]): string | undefined {
  if (stripped.length === 0) return value;
  if (lower === 'sec-websocket-protocol') {
    const prefixes = stripped.flatMap(({ kind, name }) => (kind === 'websocketProtocol' ? [name] : []));
    if (prefixes.length > 0) return withoutProtocols(value, prefixes);
  }
  let cookies: Set<string> | undefined;
  for (const location of stripped) {
    if (location.kind === 'header' && location.name === lower) return undefined;
    if (location.kind === 'cookie' && lower === 'cookie') {
      cookies ??= new Set();
      cookies.add(location.name);
    }
  }
  return cookies === undefined ? value : withoutCookies(value, cookies);
}

function hostFor(host: string | undefined, upstream: Upstream): string {
  return upstream.hostHeader === 'preserve' && host !== undefined ? host : authority(upstream);
}
