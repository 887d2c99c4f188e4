import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Upstream } from '../../src/gate/policy.ts';
import { testCertificates } from './certificates.ts';
import { upstreamAt } from './upstream.ts';

export interface Http2Request {
  readonly headers: IncomingHttpHeaders;
  /** Flat name, value list as it came. */
  readonly rawHeaders: readonly string[];
  readonly stream: ServerHttp2Stream;
}

export interface Http2Upstream {
  readonly port: number;
  /** As the gate would name it. */
  readonly upstream: Upstream;
  readonly requests: readonly Http2Request[];
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  close(): Promise<void>;
}

export interface Http2UpstreamOptions {
  readonly tls?: boolean;
  readonly maxStreams?: number;
}

/** An upstream that speaks HTTP/2 alone: without TLS by prior knowledge, or with it by ALPN. */
export async function startHttp2Upstream(
  onRequest: (request: Http2Request) => void,
  { tls = false, maxStreams = 100 }: Http2UpstreamOptions = {},
): Promise<Http2Upstream> {
  const settings = { maxConcurrentStreams: maxStreams };
  const server: Http2Server = tls
    ? (createSecureServer({ ...testCertificates().server, settings }) as unknown as Http2Server)
    : createServer({ settings });
  const requests: Http2Request[] = [];
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined).on('close', () => sessions.delete(session));
  });
  server.on('stream', (opened, headers, _flags, rawHeaders) => {
    const stream = opened as ServerHttp2Stream;
    stream.on('error', () => undefined);
    const request = { stream, headers, rawHeaders: rawHeaders as unknown as string[] };
    requests.push(request);
    onRequest(request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const overTls = {
    ca: testCertificates().ca,
    cert: undefined,
    key: undefined,
    serverName: 'localhost',
    insecure: false,
  };
  const over: Partial<Upstream> = tls ? { http2: true, scheme: 'https', tls: overTls } : { http2: true };
  return {
    port,
    upstream: upstreamAt(port, over),
    requests,
    sessions,
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One message of gRPC: not compressed, with its length in front. */
export function grpcMessage(text: string): Buffer {
  const content = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}
