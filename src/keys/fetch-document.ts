import { lookup } from 'node:dns';
import * as http from 'node:http';
import * as https from 'node:https';
import type { LookupFunction } from 'node:net';
import { parseCacheLifetimeMs } from './cache-lifetime.ts';
import { lookupFor } from './own-addresses.ts';
import { displayUrl, isLoopback } from './provider-url.ts';
import { quoteForLog } from './quote-for-log.ts';
import { tlsProblem } from './tls-problem.ts';

/** What became of one fetch; the label under which it is counted. */
export type FetchFailureCode =
  | 'unreachable'
  | 'tls'
  | 'timeout'
  | 'badStatus'
  | 'redirect'
  | 'tooLarge'
  | 'notJson'
  | 'notKeySet'
  | 'issuerMismatch';

export interface FetchFailure {
  readonly kind: 'failed';
  readonly code: FetchFailureCode;
  readonly detail: string;
  readonly copied?: Copied | undefined;
}

/** The answer is to somebody else's fetch, who asked for the same, has told of it and counts it. */
export interface Copied {
  /** How long ago it came. */
  readonly ageMs: number;
}

export interface FetchedDocument {
  readonly kind: 'document';
  readonly text: string;
  readonly validators: Validators;
  /** By the response's own word; undefined where it says nothing. */
  readonly lifetimeMs: number | undefined;
  readonly copied?: Copied | undefined;
}

export interface NotModified {
  readonly kind: 'notModified';
  readonly lifetimeMs: number | undefined;
  readonly copied?: Copied | undefined;
}

/** What makes the next fetch of the same document conditional (RFC 9110 section 13.1). */
export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

export interface DocumentRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Media types asked for. Default: application/json. */
  readonly accept?: string | undefined;
  /** For the whole exchange, from the name look-up to the last byte. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** PEM; in place of the built-in certificate authorities. */
  readonly ca: string | undefined;
  readonly validators: Validators;
  /** Ask caches on the way to look again (RFC 9111 section 5.2.1.4). */
  readonly skipCaches: boolean;
  /** Where several processes ask for the same: an answer that one of them got within so long is as good as a new one. */
  readonly reuseMs: number;
  /** What the config asks for, of which this is a part or all: who shares an answer tells it by this name. */
  readonly source: string;
  /** The address is somebody's word: it must not lead to this machine, whatever its name resolves to. */
  readonly elsewhere?: boolean | undefined;
  /** Part of the document would be taken for all of it: an answer that ends with its connection is not taken. */
  readonly saysItsEnd?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** Fetches one document; never rejects. */
export type FetchDocument = (request: DocumentRequest) => Promise<FetchResult>;

export type FetchResult = FetchedDocument | NotModified | FetchFailure;

/** Proxy variables as curl and Go read them. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * Makes the one function that goes out for keys: GET, no redirects, no cookies, no compression, bounded in time and
 * size. It goes through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the given environment name, loopback
 * excepted.
 */
export function createDocumentFetcher(
  env: ProxyEnvironment,
  nowMs: () => number,
  resolve: LookupFunction = lookup,
): FetchDocument {
  const proxyEnv = pickProxyVariables(env);
  return (request) => {
    let outgoing: http.ClientRequest;
    try {
      outgoing = open(request, isLoopback(request.url) ? undefined : proxyEnv, resolve);
    } catch (error) {
      // An unreadable CA or proxy address, or a header value that can't be sent.
      return Promise.resolve(failure('unreachable', `the request can't be made: ${errorCode(error)}`));
    }
    return exchange(outgoing, request, nowMs);
  };
}

/** The first outcome counts; whatever the socket says after it is ignored. */
function exchange(outgoing: http.ClientRequest, request: DocumentRequest, nowMs: () => number): Promise<FetchResult> {
  return new Promise((resolve) => {
    const end = (result: FetchResult) => {
      resolve(result);
      outgoing.destroy();
    };
    const timeout = setTimeout(() => {
      end(failure('timeout', `no complete answer within ${Math.ceil(request.timeoutMs)} ms`));
    }, request.timeoutMs);
    outgoing.on('error', (error) => end(describeError(error)));
    outgoing.on('close', () => {
      clearTimeout(timeout);
      end(failure('unreachable', 'the connection closed before the answer was complete'));
    });
    outgoing.on('response', (response) => {
      const judged = judgeHead(response, request, nowMs());
      if (judged !== undefined) end(judged);
      else readBody(response, request.maxBytes, nowMs, end);
    });
    outgoing.end();
  });
}

export function failure(code: FetchFailureCode, detail: string): FetchFailure {
  return { kind: 'failed', code, detail };
}

function pickProxyVariables(env: ProxyEnvironment): ProxyEnvironment {
  const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

function open(
  request: DocumentRequest,
  proxyEnv: ProxyEnvironment | undefined,
  resolve: LookupFunction,
): http.ClientRequest {
  const { url, headers, validators, signal, ca, skipCaches, elsewhere = false } = request;
  const sent = {
    'user-agent': 'jwtgate',
    ...headers,
    accept: request.accept ?? 'application/json',
    'accept-encoding': 'identity',
    ...(validators.etag === undefined ? {} : { 'if-none-match': validators.etag }),
    ...(validators.lastModified === undefined ? {} : { 'if-modified-since': validators.lastModified }),
    ...(skipCaches ? { 'cache-control': 'no-cache' } : {}),
  };
  // No keep-alive: the next fetch is minutes away.
  const proxy = proxyEnv === undefined ? {} : { proxyEnv };
  const options = { headers: sent, signal, lookup: lookupFor(url, elsewhere, resolve) };
  if (url.protocol === 'http:') return http.request(url, { ...options, agent: new http.Agent(proxy) });
  // In so many words: a variable of the environment (NODE_TLS_REJECT_UNAUTHORIZED) would turn it off else.
  const trust = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
  return https.request(url, { ...options, agent: new https.Agent({ ...proxy, ...trust }) });
}

/** What can be said without the body; undefined: it has to be read. */
function judgeHead(response: http.IncomingMessage, request: DocumentRequest, nowMs: number): FetchResult | undefined {
  const { statusCode = 0, headers } = response;
  const { maxBytes, validators, url } = request;
  if (statusCode === 304 && (validators.etag ?? validators.lastModified) !== undefined) {
    return { kind: 'notModified', lifetimeMs: parseCacheLifetimeMs(headers, nowMs) };
  }
  if (statusCode >= 300 && statusCode < 400) return redirected(statusCode, headers.location, url);
  if (statusCode !== 200) return failure('badStatus', `status ${statusCode}`);
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
    return failure('notJson', 'the answer is compressed, though that was not asked for');
  }
  const length = headers['content-length'];
  if (request.saysItsEnd && length === undefined && headers['transfer-encoding'] === undefined) {
    return failure('badStatus', 'the answer has neither a length nor chunks: nobody can tell whether it is whole');
  }
  return Number(length ?? 0) > maxBytes ? tooLarge(maxBytes) : undefined;
}

function readBody(
  response: http.IncomingMessage,
  maxBytes: number,
  nowMs: () => number,
  end: (result: FetchResult) => void,
): void {
  const chunks: Buffer[] = [];
  let received = 0;
  response.on('error', (error) => end(describeError(error)));
  response.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > maxBytes) end(tooLarge(maxBytes));
    else chunks.push(chunk);
  });
  response.on('end', () => {
    const { etag, 'last-modified': lastModified } = response.headers;
    end({
      kind: 'document',
      text: Buffer.concat(chunks).toString('utf8'),
      validators: { etag, lastModified },
      lifetimeMs: parseCacheLifetimeMs(response.headers, nowMs()),
    });
  });
}

function tooLarge(maxBytes: number): FetchFailure {
  return failure('tooLarge', `the answer is longer than ${maxBytes} bytes`);
}

/** A redirect could lead anywhere, past the address that the operator trusts: name it, and let them decide. */
function redirected(status: number, location: string | undefined, from: URL): FetchFailure {
  const target = location === undefined ? null : URL.parse(location, from);
  const where = target === null ? '' : ` to ${quoteForLog(displayUrl(target))}`;
  return failure('redirect', `status ${status}${where}: redirects are not followed, configure the final address`);
}

/** OpenSSL's and Node's words for a peer that could not prove who it is. */
const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

function describeError(error: Error): FetchFailure {
  const code = errorCode(error);
  if (!tlsCodes.test(code)) return failure('unreachable', code);
  const problem = tlsProblem(code);
  return failure('tls', `the TLS connection failed: ${code}${problem === undefined ? '' : `: ${problem}`}`);
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
