import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** What the server does with one request; it may also never answer. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface JwksServer {
  /** With the path /jwks; host 127.0.0.1, or localhost with TLS. */
  readonly url: string;
  readonly origin: string;
  /** Every request so far: method, path and headers. */
  readonly requests: { readonly method: string; readonly path: string; readonly headers: IncomingMessage['headers'] }[];
  /** What it answers from now on. */
  answer: Answer;
  /** Answers with this key set from now on. */
  publish(keys: readonly unknown[], headers?: Record<string, string>): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export function jsonAnswer(value: unknown, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };
}

/** A real key provider on loopback that behaves as the test wants, well or badly. */
export async function jwksServer(
  keys: readonly unknown[] = [],
  tls?: { readonly cert: string; readonly key: string },
): Promise<JwksServer> {
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    response.on('error', () => {});
    server.requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers });
    server.answer(request, response);
  };
  const node = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener);
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve));
  const { port } = node.address() as AddressInfo;
  const origin = tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  const server: JwksServer = {
    url: `${origin}/jwks`,
    origin,
    requests: [],
    answer: jsonAnswer({ keys }),
    publish: (next, headers) => {
      server.answer = jsonAnswer({ keys: next }, headers);
    },
    [Symbol.asyncDispose]: async () => {
      node.closeAllConnections();
      await new Promise((resolve) => node.close(resolve));
    },
  };
  return server;
}
