import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';

export interface OpsAnswer {
  readonly status: number;
  readonly contentType: string;
  /** Default: no-store. */
  readonly cacheControl?: string;
  readonly body: string;
}

/** Path → answer; GET and HEAD only. */
export type OpsRoutes = ReadonlyMap<string, () => OpsAnswer | Promise<OpsAnswer>>;

/** An empty host is every interface. */
export type OpsAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface OpsListener {
  /** "host:port" as bound, or "unix:/path". */
  readonly address: string;
  close(): Promise<void>;
}

const plainText = 'text/plain; charset=utf-8';

/** A plain-text answer. */
export function textAnswer(status: number, body: string): OpsAnswer {
  return { status, contentType: plainText, body };
}

/**
 * The listener for kubelet, Prometheus and people with curl. It shares nothing with the proxy's sockets: whatever
 * goes wrong here is answered with 500 or a closed connection and goes no further. Rejects with Node's error where it
 * can't listen; `bindUnix` knows what to do about the socket file of a process that died.
 */
export async function createOpsListener(
  address: OpsAddress,
  routes: OpsRoutes,
  bindUnix: (server: Server, address: OpsAddress & { kind: 'unix' }) => Promise<void>,
): Promise<OpsListener> {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 2_500, maxHeaderSize: 8_192 },
    (request, response) => void answer(routes, request, response),
  );
  server.maxConnections = 64;
  server.on('clientError', (_error, socket) => socket.destroy());
  // A prober that connects and says nothing, or never reads the answer.
  server.setTimeout(10_000, (socket) => socket.destroy());

  if (address.kind === 'unix') await bindUnix(server, address);
  else {
    server.listen({ host: address.host || undefined, port: address.port });
    await once(server, 'listening');
  }
  // Later ones, such as too many open files on accept, must not become uncaught.
  server.on('error', () => {});

  return {
    address: boundAddress(server.address()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(routes: OpsRoutes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, contentType, cacheControl = 'no-store', body, allow } = await findAnswer(routes, request);
  // One request a connection: probes come rarely, and an unread request body needs no care.
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': cacheControl,
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
    ...(allow && { Allow: allow }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function findAnswer(routes: OpsRoutes, request: IncomingMessage): Promise<OpsAnswer & { allow?: string }> {
  const path = (request.url ?? '').split('?', 1)[0] as string;
  const route = routes.get(path);
  if (route === undefined) return textAnswer(404, `not found; there are: ${[...routes.keys()].join(' ')}\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { ...textAnswer(405, 'only GET and HEAD\n'), allow: 'GET, HEAD' };
  }
  try {
    return await route();
  } catch {
    return textAnswer(500, 'failed\n');
  }
}

export function boundAddress(address: AddressInfo | string | null): string {
  if (address === null) return '';
  if (typeof address === 'string') return `unix:${address}`;
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
