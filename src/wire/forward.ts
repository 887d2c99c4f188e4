import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Stream } from 'node:stream';
import { createProxyServer, type ProxyServerOptions } from 'httpxy';
import type { Upstream } from '../gate/policy.ts';
import { speaksTls } from './upstream-pool.ts';

/** One try to send a request to its upstream. */
export interface ForwardCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: Upstream;
  readonly agent: Agent;
  /** Origin-form target, sent byte for byte. */
  readonly target: string;
  /** The whole header section; nothing of the inbound one is used. */
  readonly fields: Record<string, string | string[]>;
  /** Gives the try up, also while it still waits for a connection. */
  readonly signal: AbortSignal;
  /** Called once there is a connection, before anything is sent on it: the callee sends the body and ends the request. */
  readonly onConnection: (upstreamRequest: ClientRequest) => void;
}

/** Why a try failed, as Node names it. */
export interface ForwardFailure {
  /** Such as ECONNREFUSED, ECONNRESET, ENOTFOUND, HPE_INVALID_CONSTANT, ERR_INVALID_CHAR. */
  readonly code: string;
  readonly message: string;
}

// The one place that knows the proxy library; docs/decisions/proxy-library.md says what it does for us.
const proxy = createProxyServer({ selfHandleResponse: true });

/**
 * Hands a request to the proxy library, which connects, ties the fates of client, request and answer together, and
 * catches what throws on the way. Calls back with the failure if there is one, at most once; none is reported for a
 * client that has left.
 */
export function forward(call: ForwardCall, onFailure: (failure: ForwardFailure) => void): void {
  const { request, response, upstream } = call;
  // Before the call and not in one of the library's events: those are not emitted on every path (M1).
  request.url = call.target;
  (request as { headers: unknown }).headers = call.fields;
  const options: ProxyServerOptions = {
    target: {
      protocol: speaksTls(upstream) ? 'https:' : 'http:',
      host: upstream.host === '' ? 'localhost' : upstream.host,
      port: upstream.port,
      ...(upstream.socketPath !== undefined && { socketPath: upstream.socketPath }),
    },
    agent: call.agent,
    // The library starts its options for Node's http client from this object, whatever the scheme.
    ssl: { signal: call.signal, setHost: false, maxHeaderSize: maxAnswerHeadBytes },
    buffer: new BodySource(call.onConnection) as unknown as Stream,
  };
  proxy.web(request, response, options).catch((error: NodeJS.ErrnoException) => {
    onFailure({ code: error.code ?? error.name, message: error.message });
  });
}

/** Cookies make some upstreams' heads longer than Node's 16 KiB. */
const maxAnswerHeadBytes = 64 * 1024;

/**
 * The library pipes this into the upstream request as soon as there is a connection, on every path: the one moment at
 * which that request can be had without its events. It needs nothing else of a stream.
 */
class BodySource {
  readonly #onConnection: (upstreamRequest: ClientRequest) => void;

  constructor(onConnection: (upstreamRequest: ClientRequest) => void) {
    this.#onConnection = onConnection;
  }

  pipe(destination: ClientRequest): ClientRequest {
    this.#onConnection(destination);
    return destination;
  }
}
