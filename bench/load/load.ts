import type { Credentials } from '../tokens.ts';

/** How the requests of a load pick their tokens. */
export type TokenUse =
  /** Tokens `from` … `from + count` of the pool, over and over. */
  | { readonly kind: 'cycle'; readonly from: number; readonly count: number }
  /** The same, each once; the load ends with the last. */
  | { readonly kind: 'once'; readonly from: number; readonly count: number }
  /** A new forgery each time: a good token whose signature has a counter written into it. */
  | { readonly kind: 'forge' };

/** What is spoken: HTTP/1.1 on kept connections unless it says otherwise. */
export type Protocol =
  | 'http'
  | 'https'
  | 'h2'
  /** A connection of TLS for each request, with a full handshake, or with a session of the one before. */
  | 'handshake'
  | 'resumption';

/** Requests at a time on a connection of HTTP/2. */
export const http2Streams = 4;

export interface LoadSpec {
  readonly port: number;
  /** Default: http. */
  readonly protocol?: Protocol;
  readonly path: string;
  readonly credentials: Credentials;
  readonly tokens: TokenUse;
  readonly connections: number;
  /** The load ends at the latest after this. */
  readonly durationMs: number;
  /** With a body of this size the method is POST. */
  readonly bodyBytes?: number;
  /** A connection for each request, which says `Connection: close`. */
  readonly connectsAnew?: boolean;
  /** Mean pause of each connection between an answer and its next request; undefined: none. */
  readonly pauseMs?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly durationMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers of status 400 and above. */
  readonly refused: number;
  /** Connections that failed, broke or timed out. */
  readonly socketErrors: number;
}

/** The request around the token: everything in front of it and everything after. */
export function frameRequest(spec: LoadSpec): { before: string; after: string } {
  const bodyBytes = spec.bodyBytes ?? 0;
  const method = bodyBytes > 0 ? 'POST' : 'GET';
  const entity = bodyBytes > 0 ? `Content-Type: application/octet-stream\r\nContent-Length: ${bodyBytes}\r\n` : '';
  return {
    before:
      `${method} ${spec.path} HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench/1\r\nAccept: */*\r\n` +
      `X-Request-Source: bench\r\n${spec.connectsAnew === true ? 'Connection: close\r\n' : ''}${entity}Authorization: Bearer `,
    after: `\r\n\r\n${'x'.repeat(bodyBytes)}`,
  };
}
