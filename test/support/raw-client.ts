import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { testCertificates } from './certificates.ts';
import { patienceMs } from './until.ts';

export interface ParsedResponse {
  readonly status: number;
  readonly reason: string;
  /** Flat name, value list in order and spelling. */
  readonly rawHeaders: readonly string[];
  /** By lower-case name; repeated ones joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Trailer section of a chunked body, as it came. */
  readonly trailers: string;
}

/** A client that sends any bytes and reads answers strictly. All text is latin1: one character is one byte. */
export interface RawClient {
  readonly socket: Socket;
  /** Everything received. */
  readonly received: string;
  send(text: string | Buffer): void;
  /** The next complete answer; interim ones count. `head: true` for the answer to a HEAD. */
  response(options?: { readonly head?: boolean }): Promise<ParsedResponse>;
  /** How the server ended the connection. */
  closed(withinMs?: number): Promise<'end' | 'reset'>;
  /** Bytes received and not yet taken by `response`. */
  readonly rest: string;
  destroy(): void;
}

/** Over TLS where `OVER` says so (see lane-rig.ts). */
export async function openRawClient(options: NetConnectOpts): Promise<RawClient> {
  const overTls = process.env.OVER === 'tls';
  const socket = overTls ? connectOverTls(options) : connect(options);
  socket.setNoDelay(true);
  const client = rawClientOn(socket);
  await once(socket, overTls ? 'secureConnect' : 'connect');
  return client;
}

function connectOverTls(options: NetConnectOpts): Socket {
  const { ca } = testCertificates();
  const tls = { ca, servername: 'localhost', ALPNProtocols: ['http/1.1'] };
  return connectTls({ host: '127.0.0.1', ...options, ...tls } as ConnectionOptions);
}

export function rawClientOn(socket: Socket): RawClient {
  let received = '';
  let taken = 0;
  let ending: 'end' | 'reset' | undefined;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of waiting) check();
  };
  const end = (how: 'end' | 'reset') => () => {
    ending ??= how;
    wake();
  };
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    wake();
  });
  socket.on('end', end('end')).on('error', end('reset')).on('close', end('end'));

  /** Asks again whenever something has happened on the socket. */
  const wait = <T>(what: string, find: () => T | undefined, withinMs: number) =>
    new Promise<T>((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        waiting.delete(check);
        act();
      };
      const timer = setTimeout(() => {
        const state = `so far ${JSON.stringify(received.slice(taken, taken + 200))}, ${ending ?? 'open'}`;
        settle(() => reject(new Error(`not within ${withinMs} ms: ${what} (${state})`)));
      }, withinMs);
      const check = () => {
        try {
          const found = find();
          if (found !== undefined) settle(() => resolve(found));
        } catch (error) {
          settle(() => reject(error));
        }
      };
      waiting.add(check);
      check();
    });

  return {
    socket,
    get received() {
      return received;
    },
    get rest() {
      return received.slice(taken);
    },
    send(text) {
      socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    },
    async response({ head = false } = {}) {
      const find = () => {
        const parsed = parseResponse(received.slice(taken), head, ending !== undefined);
        if (parsed === undefined && ending !== undefined) {
          throw new Error(`no whole answer before the ${ending}: ${JSON.stringify(received.slice(taken))}`);
        }
        return parsed;
      };
      const parsed = await wait('an answer', find, patienceMs);
      taken += parsed.length;
      return parsed.response;
    },
    closed: (withinMs = patienceMs) => wait('the connection is closed', () => ending, withinMs),
    destroy() {
      socket.destroy();
    },
  };
}

/** Sends one request over its own connection and reads the one answer. */
export async function rawRequest(options: NetConnectOpts, text: string): Promise<ParsedResponse> {
  const client = await openRawClient(options);
  client.send(text);
  try {
    return await client.response({ head: text.startsWith('HEAD ') });
  } finally {
    client.destroy();
  }
}

/** Undefined while incomplete; throws on what is no HTTP/1.1 answer. */
function parseResponse(
  text: string,
  toHead: boolean,
  ended: boolean,
): { readonly response: ParsedResponse; readonly length: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const parts = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(statusLine);
  if (parts === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const rawHeaders: string[] = [];
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1 || line.includes('\n')) throw new Error(`not a header line: ${JSON.stringify(line)}`);
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    rawHeaders.push(name, value);
    const lower = name.toLowerCase();
    headers[lower] = headers[lower] === undefined ? value : `${headers[lower]}, ${value}`;
  }
  const status = Number(parts[1]);
  const bodyStart = headEnd + 4;
  const framed = readBody(text, bodyStart, status, headers, toHead, ended);
  if (framed === undefined) return undefined;
  const { body, trailers, end } = framed;
  return { response: { status, reason: parts[2] ?? '', rawHeaders, headers, body, trailers }, length: end };
}

function readBody(
  text: string,
  start: number,
  status: number,
  headers: Readonly<Record<string, string>>,
  toHead: boolean,
  ended: boolean,
): { body: string; trailers: string; end: number } | undefined {
  if (toHead || status < 200 || status === 204 || status === 304) return { body: '', trailers: '', end: start };
  if (headers['transfer-encoding'] !== undefined) return readChunked(text, start);
  const length = headers['content-length'];
  if (length !== undefined) {
    const end = start + Number(length);
    return text.length < end ? undefined : { body: text.slice(start, end), trailers: '', end };
  }
  return ended ? { body: text.slice(start), trailers: '', end: text.length } : undefined;
}

/** A chunked body, strictly (RFC 9112 section 7.1); undefined while incomplete. */
export function readChunked(text: string, start: number): { body: string; trailers: string; end: number } | undefined {
  let body = '';
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = text.slice(at, lineEnd);
    if (!/^[0-9A-Fa-f]+$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) {
      const trailerEnd = text.startsWith('\r\n', at) ? at : text.indexOf('\r\n\r\n', at) + 2;
      if (trailerEnd < at || text.length < trailerEnd + 2) return undefined;
      return { body, trailers: text.slice(at, trailerEnd), end: trailerEnd + 2 };
    }
    if (text.length < at + size + 2) return undefined;
    body += text.slice(at, at + size);
    at += size;
    if (!text.startsWith('\r\n', at)) throw new Error('a chunk without its CRLF');
    at += 2;
  }
}
