import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { findIntrusion } from './admin-guard.ts';
import { type BindUnix, listenForOperators, type OperatorAddress, type OperatorListener } from './operator-listener.ts';

export interface AdminRequest {
  /** Of the route's `{name}` parts, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Of a POST; "" else. */
  readonly body: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Instead of the listener's own, e.g. a page's Content-Security-Policy. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** One thing that can be asked. GET changes nothing. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST';
  /** `/api/refusals/{id}`: a part in braces is one segment, percent-decoded. */
  readonly path: string;
  readonly answer: (request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>;
}

export interface AdminListenerOptions {
  readonly address: OperatorAddress;
  /** Names under which it may be called, beside localhost and addresses. */
  readonly hosts: readonly string[];
  readonly routes: readonly AdminRoute[];
  readonly bindUnix: BindUnix;
}

/** A description of a request with its body: larger than any that explains something. */
const mostBodyBytes = 256 * 1024;

/** Nothing of an answer is to be embedded, run or kept anywhere; a page says itself what it needs beside that. */
const securityHeaders: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

export function jsonAnswer(status: number, value: unknown): AdminAnswer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}

export function adminProblem(status: number, error: string): AdminAnswer {
  return jsonAnswer(status, { error });
}

/**
 * The listener for operators. It shares nothing with the proxy's sockets, and asks nobody who they are: who reaches it
 * may look. Rejects with Node's error where it can't listen.
 */
export async function createAdminListener(options: AdminListenerOptions): Promise<OperatorListener> {
  const { address, bindUnix } = options;
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 2_500, maxHeaderSize: 16_384 },
    (request, response) => void respond(options, request, response),
  );
  server.maxConnections = 32;
  server.setTimeout(30_000, (socket) => socket.destroy());
  return listenForOperators(server, address, bindUnix);
}

async function respond(
  options: AdminListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, contentType, body, headers, allow } = await findAnswer(options, request);
  response.writeHead(status, {
    ...securityHeaders,
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    // A body that was refused unread is not to be taken for the next request.
    Connection: 'close',
    ...headers,
    ...(allow && { Allow: allow }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function findAnswer(
  { hosts, routes }: AdminListenerOptions,
  request: IncomingMessage,
): Promise<AdminAnswer & { readonly allow?: string }> {
  const { headers, method = '' } = request;
  const intrusion = findIntrusion(
    {
      method,
      hosts: request.headersDistinct.host ?? [],
      origin: headers.origin,
      contentType: headers['content-type'],
      fetchSite: headers['sec-fetch-site'] as string | undefined,
    },
    hosts,
  );
  if (intrusion !== undefined) return adminProblem(403, intrusion);
  const [path = '', query = ''] = (request.url ?? '').split(/\?(.*)/s, 2);
  const here = routes.flatMap((route) => {
    const params = matchRoute(route.path, path);
    return params === undefined ? [] : [{ route, params }];
  });
  if (here.length === 0) {
    const known = [...new Set(routes.map((route) => route.path))].join(' ');
    return adminProblem(404, `not found; there are: ${known}`);
  }
  const asked = method === 'HEAD' ? 'GET' : method;
  const found = here.find(({ route }) => route.method === asked);
  if (found === undefined) {
    const allow = [...new Set(here.map(({ route }) => route.method))].join(', ');
    return { ...adminProblem(405, `only ${allow}`), allow };
  }
  try {
    const body = asked === 'POST' ? await readBody(request) : '';
    if (body === undefined) return adminProblem(413, `a body may have ${mostBodyBytes} bytes`);
    return await found.route.answer({ params: found.params, query: new URLSearchParams(query), body });
  } catch {
    return adminProblem(500, 'failed');
  }
}

function matchRoute(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const segment = given[index] as string;
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined) {
      if (part !== segment) return undefined;
      continue;
    }
    const decoded = decode(segment);
    if (decoded === undefined || decoded === '') return undefined;
    params[name] = decoded;
  }
  return params;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** Undefined where it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > mostBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
