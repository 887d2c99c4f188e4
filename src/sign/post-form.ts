import * as http from 'node:http';
import * as https from 'node:https';
import { isLoopback } from '../keys/provider-url.ts';

export interface FormPost {
  readonly url: URL;
  readonly fields: Iterable<readonly [string, string]>;
  /** For the whole exchange, from the name look-up to the last byte. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** PEM; in place of the built-in certificate authorities. */
  readonly ca: string | undefined;
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are obeyed, loopback excepted. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

export type PostResult =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly retryAfter: string | undefined;
      readonly text: string;
    }
  /** No answer, or none that can be used; the text holds nothing of what was sent or received. */
  | { readonly kind: 'none'; readonly detail: string };

/** Posts one form, follows no redirect, and keeps no connection. Never rejects. */
export function postForm(post: FormPost): Promise<PostResult> {
  const body = new URLSearchParams([...post.fields].map(([name, value]) => [name, value])).toString();
  let outgoing: http.ClientRequest;
  try {
    outgoing = open(post, Buffer.byteLength(body));
  } catch (error) {
    // An unreadable CA or proxy address.
    return Promise.resolve(none(`the request can't be made: ${codeOf(error)}`));
  }
  return new Promise((resolve) => {
    const end = (result: PostResult) => {
      resolve(result);
      outgoing.destroy();
    };
    const timeout = setTimeout(() => end(none(`no complete answer within ${post.timeoutMs} ms`)), post.timeoutMs);
    outgoing.on('error', (error) => end(none(codeOf(error))));
    outgoing.on('close', () => {
      clearTimeout(timeout);
      end(none('the connection closed before the answer was complete'));
    });
    outgoing.on('response', (response) => readAnswer(response, post.maxBytes, end));
    outgoing.end(body);
  });
}

function open({ url, ca, env, signal }: FormPost, bytes: number): http.ClientRequest {
  const headers = {
    'user-agent': 'jwtgate',
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': bytes,
    accept: 'application/json',
    'accept-encoding': 'identity',
  };
  const proxy = isLoopback(url) ? {} : { proxyEnv: env };
  const options = { method: 'POST', headers, signal };
  if (url.protocol === 'http:') return http.request(url, { ...options, agent: new http.Agent(proxy) });
  const trust = ca === undefined ? {} : { ca };
  return https.request(url, { ...options, agent: new https.Agent({ ...proxy, ...trust }) });
}

function readAnswer(response: http.IncomingMessage, maxBytes: number, end: (result: PostResult) => void): void {
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

function none(detail: string): PostResult {
  return { kind: 'none', detail };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
