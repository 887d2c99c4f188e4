import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.ts';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status?: { readonly code: number };
  /** As plain values. */
  readonly attributes: Readonly<Record<string, string | number>>;
  /** The resource's. */
  readonly resource: Readonly<Record<string, string | number>>;
}

export interface Collector {
  readonly port: number;
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }[];
  /** Waits for so many spans. */
  gotSpans(count: number): Promise<readonly CollectedSpan[]>;
  close(): Promise<void>;
}

export interface CollectorAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * A collector that takes OTLP/JSON (https://opentelemetry.io/docs/specs/otlp/) and nothing else: what has another shape
 * than ExportTraceServiceRequest is answered 400 and fails the test that waits for it.
 */
export async function startCollector(
  answer: (request: number) => CollectorAnswer | Promise<CollectorAnswer> = () => ({ status: 200 }),
): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders; body: string }[] = [];
  const faults: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    requests.push({ path: request.url ?? '', headers: request.headers, body });
    let answered: CollectorAnswer;
    try {
      const read = request.method === 'POST' ? readRequest(body) : fault('the method');
      answered = await answer(requests.length);
      if (answered.status < 300) spans.push(...read);
    } catch (error) {
      faults.push(String(error));
      answered = { status: 400 };
    }
    response.writeHead(answered.status, { 'Content-Type': 'application/json', ...answered.headers });
    response.end(answered.body ?? '{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    spans,
    requests,
    async gotSpans(count) {
      await until(`${count} spans`, () => spans.length >= count || faults.length > 0);
      if (faults.length > 0) throw new Error(faults.join('\n'));
      return spans;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Json = Readonly<Record<string, unknown>>;

function readRequest(body: string): CollectedSpan[] {
  const { resourceSpans } = members(JSON.parse(body), { resourceSpans: list });
  return resourceSpans.flatMap((each) => {
    const { resource, scopeSpans } = members(each, { resource: any, scopeSpans: list, schemaUrl: maybe(text) });
    const ofResource = attributesOf(members(resource, { attributes: list }).attributes);
    return scopeSpans.flatMap((scoped) => {
      const { scope, spans } = members(scoped, { scope: any, spans: list, schemaUrl: maybe(text) });
      members(scope, { name: text, version: maybe(text) });
      return spans.map((span) => readSpan(span, ofResource));
    });
  });
}

function readSpan(value: unknown, resource: CollectedSpan['resource']): CollectedSpan {
  const span = members(value, {
    traceId: hex(32),
    spanId: hex(16),
    parentSpanId: maybe(hex(16)),
    traceState: maybe(text),
    flags: (flags) => (Number.isInteger(flags) && (flags as number) >= 0 ? (flags as number) : fault('flags')),
    name: text,
    kind: (kind) => ([1, 2, 3, 4, 5].includes(kind as number) ? (kind as number) : fault('a kind')),
    startTimeUnixNano: nanoseconds,
    endTimeUnixNano: nanoseconds,
    attributes: list,
    status: maybe((status) =>
      members(status, { code: (code) => ([0, 1, 2].includes(code as number) ? (code as number) : fault('a code')) }),
    ),
  });
  if (BigInt(span.endTimeUnixNano) < BigInt(span.startTimeUnixNano)) fault('an end before its start');
  const { attributes, ...rest } = span;
  return { ...rest, attributes: attributesOf(attributes), resource } as CollectedSpan;
}

function attributesOf(attributes: readonly unknown[]): Record<string, string | number> {
  const read: Record<string, string | number> = {};
  for (const each of attributes) {
    const { key, value } = members(each, { key: text, value: any });
    const entries = Object.entries(value as Json);
    const [kind, content] = entries[0] ?? [];
    if (entries.length !== 1) fault(`one value of ${key}`);
    if (Object.hasOwn(read, key)) fault(`${key} once`);
    if (kind === 'stringValue') read[key] = text(content);
    // 64-bit integers are decimal text in protobuf's JSON.
    else if (kind === 'intValue' && /^-?\d+$/.test(text(content))) read[key] = Number(content);
    else fault(`a value of ${key}`);
  }
  return read;
}

type Reader<T> = (value: unknown) => T;

function members<S extends Record<string, Reader<unknown>>>(
  value: unknown,
  shape: S,
): { [K in keyof S]: ReturnType<S[K]> } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fault('an object');
  const unknown = Object.keys(value).filter((key) => !Object.hasOwn(shape, key));
  if (unknown.length > 0) fault(`no ${unknown.join()}`);
  return Object.fromEntries(Object.entries(shape).map(([key, read]) => [key, read((value as Json)[key])])) as never;
}

const any: Reader<unknown> = (value) => value;
const text: Reader<string> = (value) => (typeof value === 'string' ? value : fault('text'));
const list: Reader<readonly unknown[]> = (value) =>
  Array.isArray(value) && value.length > 0 ? value : fault('a list');
const nanoseconds: Reader<string> = (value) =>
  /^1\d{18}$/.test(text(value)) ? text(value) : fault('nanoseconds of this era');
const maybe =
  <T>(read: Reader<T>): Reader<T | undefined> =>
  (value) =>
    value === undefined ? undefined : read(value);
const hex =
  (digits: number): Reader<string> =>
  (value) =>
    new RegExp(`^(?!0+$)[0-9a-f]{${digits}}$`).test(text(value)) ? text(value) : fault(`${digits} hex digits`);

function fault(expected: string): never {
  throw new Error(`not OTLP/JSON: expected ${expected}`);
}
