import { lookup } from 'node:dns';
import * as http from 'node:http';
import * as https from 'node:https';
import { lookupFor } from '../keys/own-addresses.ts';
import { isLoopback } from '../keys/provider-url.ts';

/** One call of our own to somebody's endpoint: for an access token, to provision a user. */
export interface Call {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: none is sent. */
  readonly body: string | Uint8Array | undefined;
  /** For the whole exchange, from the name look-up to the last byte. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** PEM; in place of the built-in certificate authorities. */
  readonly ca: string | undefined;
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are obeyed, loopback excepted. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

export type CallResult =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly retryAfter: string | undefined;
      readonly text: string;
    }
  /** No answer, or none that can be used; the text holds nothing of what was sent or received. */
  | { readonly kind: 'none'; readonly detail: string };

/** Makes one call, follows no redirect, and keeps no connection. Never rejects. */
export function call(request: Call): Promise<CallResult> {
  const { timeoutMs, maxBytes, body } = request;
  let outgoing: http.ClientRequest;
  try {
    outgoing = open(request);
  } catch (error) {
    // An unreadable CA or proxy address, or a header value that can't be sent.
    return Promise.resolve(none(`the request can't be made: ${codeOf(error)}`));
  }
  return new Promise((resolve) => {
    const end = (result: CallResult) => {
      resolve(result);
      outgoing.destroy();
    };
    const timeout = setTimeout(() => end(none(`no complete answer within ${timeoutMs} ms`)), timeoutMs);
    outgoing.on('error', (error) => end(none(codeOf(error))));
    outgoing.on('close', () => {
      clearTimeout(timeout);
      end(none('the connection closed before the answer was complete'));
    });
    outgoing.on('response', (response) => readAnswer(response, maxBytes, end));
    outgoing.end(body);
  });
}

function open({ url, method, headers: given, body, ca, env, signal }: Call): http.ClientRequest {
  const headers = {
    'user-agent': 'jwtgate',
    accept: 'application/json',
    ...given,
    'accept-encoding': 'identity',
    ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
  };
  const proxy = isLoopback(url) ? {} : { proxyEnv: env };
  const options = { method, headers, signal, lookup: lookupFor(url, false, lookup) };
  if (url.protocol === 'http:') return http.request(url, { ...options, agent: new http.Agent(proxy) });
  // In so many words: a variable of the environment (NODE_TLS_REJECT_UNAUTHORIZED) would turn it off else.
  const trust = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
  return https.request(url, { ...options, agent: new https.Agent({ ...proxy, ...trust }) });
}

function readAnswer(response: http.IncomingMessage, maxBytes: number, end: (result: CallResult) => void): void {
  const chunks: Buffer[] = [];
  let received = 0;
  response.on('error', (error) => end(none(codeOf(error))));
  response.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > maxBytes) end(none(`the answer is longer than ${maxBytes} bytes`));
    else chunks.push(chunk);
  });
  response.on('end', () => {
    end({
      kind: 'answer',
      status: response.statusCode ?? 0,
      retryAfter: response.headers['retry-after'],
      text: Buffer.concat(chunks).toString('utf8'),
    });
  });
}

function none(detail: string): CallResult {
  return { kind: 'none', detail };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
