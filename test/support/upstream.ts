import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Upstream } from '../../src/gate/policy.ts';
import { readChunked } from './raw-client.ts';
import { until } from './until.ts';

/** One client's bytes, as the raw upstream got them (latin1). */
export interface UpstreamConnection {
  readonly socket: Socket;
  readonly received: string;
  /** What came since the last answer. */
  readonly unanswered: string;
}

/** What to send back, given what came since the last answer; undefined: nothing yet. */
export type Reply = (unanswered: string, connection: UpstreamConnection) => string | Buffer | undefined;

export interface ReceivedRequest {
  readonly method: string;
  readonly target: string;
  readonly line: string;
  /** Flat name, value list in order and spelling. */
  readonly rawHeaders: readonly string[];
  /** By lower-case name; repeated ones joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly trailers: string;
}

/**
 * An upstream that reads nothing into what it gets: it records every byte and answers by a function. What a lenient
 * server might take for a request is all there to be looked at.
 */
export interface RawUpstream {
  readonly port: number;
  /** As the gate would name it. */
  readonly upstream: Upstream;
  /** Everything received, connection after connection. */
  readonly received: string;
  readonly connections: readonly UpstreamConnection[];
  readonly openSockets: number;
  /** What was received, read strictly; throws where something is no clear request. */
  requests(): ReceivedRequest[];
  /** Waits until that many requests are there in full. */
  gotRequests(count: number): Promise<ReceivedRequest[]>;
  close(): Promise<void>;
}

export const plainAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Answers every complete request with `answer`. */
export function answerEach(answer: string | Buffer = plainAnswer): Reply {
  return (unanswered) => (readRequests(unanswered).rest === '' && unanswered !== '' ? answer : undefined);
}

export async function startRawUpstream(reply: Reply = answerEach()): Promise<RawUpstream> {
  const connections: UpstreamConnection[] = [];
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = { socket, received: '', unanswered: '' };
    connections.push(connection);
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      connection.received += text;
      connection.unanswered += text;
      const answer = reply(connection.unanswered, connection);
      if (answer === undefined) return;
      connection.unanswered = '';
      socket.write(typeof answer === 'string' ? Buffer.from(answer, 'latin1') : answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const received = () => connections.map((connection) => connection.received).join('');
  const requests = () => connections.flatMap((connection) => readRequests(connection.received).requests);
  return {
    port,
    upstream: upstreamAt(port),
    get received() {
      return received();
    },
    connections,
    get openSockets() {
      return open.size;
    },
    requests,
    async gotRequests(count) {
      await until(`${count} requests upstream`, () => requests().length >= count);
      return requests();
    },
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An upstream on loopback, with whatever else a test needs. */
export function upstreamAt(port: number, more: Partial<Upstream> = {}): Upstream {
  return {
    key: `test:${port}`,
    scheme: 'http',
    host: '127.0.0.1',
    port,
    socketPath: undefined,
    basePath: '',
    maxConnections: 100,
    tls: undefined,
    hostHeader: 'preserve',
    mediaType: undefined,
    ...more,
  };
}

/** Reads a byte stream as a strict server would; `rest` is what is not yet a whole request. */
export function readRequests(text: string): { requests: ReceivedRequest[]; rest: string } {
  const requests: ReceivedRequest[] = [];
  let at = 0;
  for (;;) {
    const headEnd = text.indexOf('\r\n\r\n', at);
    if (headEnd < 0) break;
    const [line = '', ...lines] = text.slice(at, headEnd).split('\r\n');
    const parts = /^([A-Z]+) (\/\S*) HTTP\/1\.1$/.exec(line);
    if (parts === null) throw new Error(`not a request line: ${JSON.stringify(line)}`);
    const rawHeaders: string[] = [];
    const headers: Record<string, string> = {};
    for (const field of lines) {
      const found = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([^\r\n]*)$/.exec(field);
      if (found === null) throw new Error(`not a header line: ${JSON.stringify(field)}`);
      const [, name = '', value = ''] = found;
      rawHeaders.push(name, value);
      const lower = name.toLowerCase();
      headers[lower] = headers[lower] === undefined ? value : `${headers[lower]}, ${value}`;
    }
    const start = headEnd + 4;
    const framed = requestBody(text, start, headers);
    if (framed === undefined) break;
    const { body, trailers, end } = framed;
    requests.push({ method: parts[1] ?? '', target: parts[2] ?? '', line, rawHeaders, headers, body, trailers });
    at = end;
  }
  return { requests, rest: text.slice(at) };
}

function requestBody(
  text: string,
  start: number,
  headers: Readonly<Record<string, string>>,
): { body: string; trailers: string; end: number } | undefined {
  const { 'transfer-encoding': coding, 'content-length': length } = headers;
  if (coding !== undefined) {
    if (coding !== 'chunked' || length !== undefined) throw new Error(`odd framing: ${coding} beside ${length}`);
    return readChunked(text, start);
  }
  if (length === undefined) return { body: '', trailers: '', end: start };
  if (!/^\d+$/.test(length)) throw new Error(`odd Content-Length: ${length}`);
  const end = start + Number(length);
  return text.length < end ? undefined : { body: text.slice(start, end), trailers: '', end };
}
