import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type BindUnix, listenForOperators, type OperatorAddress, type OperatorListener } from './operator-listener.ts';

export interface OpsAnswer {
  readonly status: number;
  readonly contentType: string;
  /** Default: no-store. */
  readonly cacheControl?: string;
  readonly body: string;
}

/** Path → answer; GET and HEAD only. */
export type OpsRoutes = ReadonlyMap<string, () => OpsAnswer | Promise<OpsAnswer>>;

const plainText = 'text/plain; charset=utf-8';

/** A plain-text answer. */
export function textAnswer(status: number, body: string): OpsAnswer {
  return { status, contentType: plainText, body };
}

/**
 * The listener for kubelet, Prometheus and people with curl. It shares nothing with the proxy's sockets: whatever
 * goes wrong here is answered with 500 or a closed connection and goes no further. Rejects with Node's error where it
 * can't listen.
 */
export async function createOpsListener(
  address: OperatorAddress,
  routes: OpsRoutes,
  bindUnix: BindUnix,
): Promise<OperatorListener> {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 2_500, maxHeaderSize: 8_192 },
    (request, response) => void answer(routes, request, response),
  );
  server.maxConnections = 64;
  // A prober that connects and says nothing, or never reads the answer.
  server.setTimeout(10_000, (socket) => socket.destroy());
  return listenForOperators(server, address, bindUnix);
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
