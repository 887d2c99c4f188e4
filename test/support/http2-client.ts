import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { testCertificates } from './certificates.ts';

export interface Http2Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Flat name, value list in order. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
  readonly interim: readonly number[];
  /** The head said that nothing follows. */
  readonly endedWithHead: boolean;
}

export interface Http2Client {
  readonly session: ClientHttp2Session;
  /** Begins a request; a body, if there is one, is the caller's. */
  open(headers: Readonly<Record<string, string | string[]>>, endStream?: boolean): ClientHttp2Stream;
  /** One request without a body. */
  get(path: string, headers?: Readonly<Record<string, string | string[]>>): Promise<Http2Answer>;
  /** One with this body, and the method POST unless told otherwise. */
  send(path: string, body: string, headers?: Readonly<Record<string, string>>): Promise<Http2Answer>;
  close(): void;
}

/** Node's client, over TLS, to this machine. */
export async function openHttp2(options: ConnectionOptions & { readonly port: number }): Promise<Http2Client> {
  const socket = connectTls({
    host: '127.0.0.1',
    servername: 'localhost',
    ca: testCertificates().ca,
    ALPNProtocols: ['h2'],
    ...options,
  });
  await once(socket, 'secureConnect');
  // Two of a kind are for the gate to judge, not for the client.
  const session = connect('https://localhost', {
    createConnection: () => socket,
    ...{ strictSingleValueFields: false },
  });
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  const open: Http2Client['open'] = (headers, endStream = false) =>
    session.request({ ':authority': 'gate.example', ...headers }, { endStream });
  return {
    session,
    open,
    get: (path, headers = {}) => answerOf(open({ ':path': path, ...headers }, true)),
    send(path, body, headers = {}) {
      const stream = open({ ':method': 'POST', ':path': path, ...headers });
      stream.end(body);
      return answerOf(stream);
    },
    close: () => session.destroy(),
  };
}

/** The whole answer; rejects where the stream is reset before its end. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    let head: { status: number; headers: Record<string, string>; raw: string[]; flags: number } | undefined;
    let body = '';
    let trailers: Record<string, string> = {};
    const interim: number[] = [];
    stream.on('headers', (fields) => interim.push(Number(fields[':status'])));
    stream.on('response', (fields, flags, raw) => {
      const { ':status': status, ...headers } = fields as unknown as Record<string, string>;
      head = { status: Number(status), headers, raw: raw as unknown as string[], flags };
    });
    stream.on('trailers', (fields) => {
      trailers = fields as Record<string, string>;
    });
    stream.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk;
    });
    stream.on('error', reject);
    stream.on('close', () => {
      if (head === undefined || stream.rstCode !== 0) {
        reject(new Error(`no whole answer: ${head?.status ?? 'no head'}, reset with code ${stream.rstCode}`));
        return;
      }
      const { status, headers, raw, flags } = head;
      const rawHeaders = raw.filter((_, index) => raw[index - (index % 2)] !== ':status');
      resolve({ status, headers, rawHeaders, body, trailers, interim, endedWithHead: (flags & 1) !== 0 });
    });
  });
}
