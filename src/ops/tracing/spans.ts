import type { Allowed } from '../../gate/decision.ts';
import type { Outcome } from '../../gate/gate.ts';
import { requestHost } from '../../gate/host.ts';
import type { Upstream } from '../../gate/policy.ts';
import { headerValues, type RequestHead } from '../../gate/request-head.ts';
import { authority } from '../../gate/upstream-address.ts';
import { decisionWord } from '../access-log.ts';
import { quoteJson } from '../printable.ts';
import type { TraceParent } from '../trace-context.ts';

/** One recorded request's place in its trace. */
export interface Trace {
  readonly traceId: string;
  readonly parent: TraceParent | undefined;
  readonly traceState: string | undefined;
  readonly serverSpanId: string;
  readonly clientSpanId: string;
  /** As the gate decided at first: an upstream that fails makes a refusal of it. */
  allowed: Allowed | undefined;
}

/** SpanKind of OTLP. */
const server = 2;
const client = 3;

/** The methods that the HTTP conventions know (RFC 9110, RFC 5789); clients can make up any number of others. */
const knownMethods: ReadonlySet<string> = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'TRACE',
]);

/**
 * The spans of one request as OTLP/JSON objects, by the stable HTTP conventions: the server span, and the client span where
 * it was forwarded. They hold no query, no token, no claim, and of headers only Host and User-Agent.
 */
export function spansOf(trace: Trace, outcome: Outcome, clientAddress: string, nowMs: number): string[] {
  const { head, durationMs } = outcome;
  if (head === undefined) return [];
  const startMs = nowMs - durationMs;
  const spans = [serverSpan(trace, outcome, head, clientAddress, startMs, nowMs)];
  const { forwardedMs } = outcome;
  const { allowed } = trace;
  if (forwardedMs !== undefined && allowed !== undefined) {
    spans.push(clientSpan(trace, outcome, head, allowed, startMs + forwardedMs, nowMs));
  }
  return spans;
}

function serverSpan(
  trace: Trace,
  outcome: Outcome,
  head: RequestHead,
  clientAddress: string,
  startMs: number,
  endMs: number,
): string {
  const { decision, status, end } = outcome;
  const { facts } = decision;
  const reason = decision.kind === 'refused' ? decision.reason : facts.wouldRefuse;
  const attributes = new Attributes();
  addMethod(attributes, head.method);
  attributes.text('url.scheme', head.scheme).text('url.path', facts.path);
  const host = requestHost(head);
  if (host !== undefined) {
    attributes.text('server.address', host);
    attributes.number('server.port', portOf(headerValues(head, 'host')[0] as string, head.scheme));
  }
  if (clientAddress !== '') attributes.text('client.address', clientAddress);
  if (head.peer !== '') attributes.text('network.peer.address', head.peer);
  attributes.text('network.protocol.version', head.httpVersion);
  const [agent] = headerValues(head, 'user-agent');
  if (agent !== undefined) attributes.text('user_agent.original', agent);
  if (status !== 0) attributes.number('http.response.status_code', status);
  attributes.text('jwtgate.request_id', head.id).text('jwtgate.decision', decisionWord(outcome));
  attributes.text('jwtgate.lane', outcome.lane);
  if (facts.tenant !== undefined) attributes.text('jwtgate.tenant', facts.tenant);
  if (reason !== undefined) attributes.text('jwtgate.reason', reason);
  let error: string | undefined;
  if (end !== 'complete') error = end;
  else if (status >= 500) error = decision.kind === 'refused' ? decision.reason : String(status);
  const parent = trace.parent?.spanId;
  return spanText(trace, trace.serverSpanId, parent, server, spanName(head.method), startMs, endMs, attributes, error);
}

function clientSpan(
  trace: Trace,
  outcome: Outcome,
  head: RequestHead,
  { upstream, target }: Allowed,
  startMs: number,
  endMs: number,
): string {
  const { decision, status, end, upstreamMs } = outcome;
  const answered = upstreamMs !== undefined;
  const attributes = new Attributes();
  addMethod(attributes, head.method);
  attributes.text('url.full', `${upstream.scheme}://${authority(upstream)}${target.split('?', 1)[0]}`);
  addPeer(attributes, upstream);
  attributes.text('network.protocol.version', upstream.http2 === true ? '2' : '1.1');
  if (answered) attributes.number('http.response.status_code', status);
  let error: string | undefined;
  if (end !== 'complete') error = end;
  else if (!answered) error = decision.kind === 'refused' ? decision.reason : '_OTHER';
  else if (status >= 400) error = String(status);
  const { clientSpanId: id, serverSpanId: parent } = trace;
  return spanText(trace, id, parent, client, spanName(head.method), startMs, endMs, attributes, error);
}

/** What clients make up must not become names. */
function spanName(method: string): string {
  return knownMethods.has(method) ? method : 'HTTP';
}

function addMethod(attributes: Attributes, method: string): void {
  if (knownMethods.has(method)) attributes.text('http.request.method', method);
  else attributes.text('http.request.method', '_OTHER').text('http.request.method_original', method);
}

function addPeer(attributes: Attributes, { socketPath, host, port }: Upstream): void {
  if (socketPath !== undefined) attributes.text('server.address', socketPath).text('network.transport', 'unix');
  else attributes.text('server.address', host).number('server.port', port);
}

function portOf(host: string, scheme: string): number {
  return Number(/:(\d+)$/.exec(host)?.[1] ?? (scheme === 'https' ? 443 : 80));
}

/** STATUS_CODE_ERROR of OTLP. */
const failed = 2;
/** W3C flags in the low byte (sampled); above them, whether it is known that the parent is remote, and whether it is. */
const sampledFlags = 0x101;
const remoteFlags = 0x301;

function spanText(
  { traceId, traceState, parent }: Trace,
  spanId: string,
  parentSpanId: string | undefined,
  kind: number,
  name: string,
  startMs: number,
  endMs: number,
  attributes: Attributes,
  error: string | undefined,
): string {
  if (error !== undefined) attributes.text('error.type', error);
  const isFailed = error !== undefined && error !== 'clientGone';
  let text = `{"traceId":"${traceId}","spanId":"${spanId}"`;
  if (parentSpanId !== undefined) text += `,"parentSpanId":"${parentSpanId}"`;
  if (traceState !== undefined) text += `,"traceState":${JSON.stringify(traceState)}`;
  text += `,"flags":${kind === server && parent !== undefined ? remoteFlags : sampledFlags}`;
  text += `,"name":"${name}","kind":${kind}`;
  text += `,"startTimeUnixNano":"${nanoseconds(startMs)}","endTimeUnixNano":"${nanoseconds(endMs)}"`;
  text += `,"attributes":[${attributes.list}]`;
  if (isFailed) text += `,"status":{"code":${failed}}`;
  return `${text}}`;
}

/** As decimal text: more digits than a double holds. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  return `${whole}${String(Math.floor((ms - whole) * 1e6)).padStart(6, '0')}`;
}

/** OTLP's key and value pairs; keys are ours, and plain. */
class Attributes {
  list = '';

  text(key: string, value: string): this {
    this.list += `${this.list === '' ? '' : ','}{"key":"${key}","value":{"stringValue":${quoteJson(value)}}}`;
    return this;
  }

  number(key: string, value: number): this {
    this.list += `${this.list === '' ? '' : ','}{"key":"${key}","value":{"intValue":"${value}"}}`;
    return this;
  }
}
