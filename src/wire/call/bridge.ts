import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Upstream } from '../../gate/policy.ts';
import { keepFields } from '../field-lists.ts';
import { announcedTrailers, requestTrailers, responseTrailers } from '../trailers.ts';
import { startHttp2Call } from './http2-call.ts';
import type { CallEvents, CallFailure, CallHead, UpstreamCall } from './upstream-call.ts';
import type { UpstreamSessions } from './upstream-sessions.ts';

/**
 * For lanes that speak HTTP/1.1 to upstreams that speak HTTP/2: connections that are none, behind each of which Node's
 * server reads what the lane wrote, and passes it on as a stream. The lanes need not know.
 */
export interface Bridge {
  /** Emits 'connect' once the upstream is connected, or closes with an error. */
  connect(upstream: Upstream): Socket;
}

const nothing = Buffer.alloc(0);

export function createBridge(sessions: UpstreamSessions): Bridge {
  // It never listens, and nobody but the lanes can reach it: they have their own limits and deadlines.
  const server = createServer({ requireHostHeader: false, keepAliveTimeout: 0, maxHeaderSize: 2 ** 24 });
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  server.maxHeadersCount = 0;
  const pass = (request: IncomingMessage, response: ServerResponse) => {
    const end = request.socket as unknown as BridgeEnd;
    new Passage(request, response, end, sessions).start();
  };
  server.on('request', pass);
  server.on('checkContinue', (request, response) => {
    response.writeContinue();
    pass(request, response);
  });
  server.on('clientError', (_error, end) => end.destroy());

  return {
    connect(upstream) {
      const near = new BridgeEnd(upstream);
      const far = new BridgeEnd(upstream);
      near.join(far);
      far.on('error', () => undefined);
      const giveUp = sessions.take(upstream, {
        onSession(session) {
          session.release();
          // There may be one already: nobody listens before this has returned.
          process.nextTick(() => {
            if (near.destroyed) return;
            near.connecting = false;
            server.emit('connection', far);
            near.emit('connect');
          });
        },
        onFailure: (error) => void near.destroy(error),
      });
      near.once('close', giveUp);
      return near as unknown as Socket;
    },
  };
}

/** One end of a connection within this process. */
class BridgeEnd extends Duplex {
  readonly upstream: Upstream;
  connecting = true;
  private other!: BridgeEnd;
  private wanted: (() => void) | undefined;

  constructor(upstream: Upstream) {
    super({ allowHalfOpen: true });
    this.upstream = upstream;
  }

  join(other: BridgeEnd): void {
    this.other = other;
    other.other = this;
  }

  /** A copy: the writer may use its buffer again as soon as this has taken it. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.other.destroyed) done();
    else if (this.other.push(Buffer.from(chunk))) done();
    else this.other.wanted = done;
  }

  override _read(): void {
    const { wanted } = this;
    this.wanted = undefined;
    wanted?.();
  }

  override _final(done: () => void): void {
    this.other.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error);
    const { other } = this;
    setImmediate(() => other.destroy());
  }

  /** For the lane's log. */
  failOther(detail: string): void {
    this.other.destroy(new Error(detail));
  }

  // What lanes ask of sockets, and has no meaning here.
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** One request on its way through. */
class Passage implements CallEvents {
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly end: BridgeEnd;
  private readonly sessions: UpstreamSessions;
  private readonly hasBody: boolean;
  private call: UpstreamCall | undefined;
  private retried = false;
  private hasData = false;

  constructor(request: IncomingMessage, response: ServerResponse, end: BridgeEnd, sessions: UpstreamSessions) {
    this.request = request;
    this.response = response;
    this.end = end;
    this.sessions = sessions;
    const { headers } = request;
    this.hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  }

  start(): void {
    const { request, response, end } = this;
    response.once('close', () => this.call?.abort());
    response.on('drain', () => this.call?.resume());
    const { method = '', url: target = '', rawHeaders: headers } = request;
    const length = request.headers['content-length'];
    const body = !this.hasBody
      ? ({ kind: 'none' } as const)
      : length === undefined
        ? ({ kind: 'chunked' } as const)
        : ({ kind: 'length', bytes: Number(length) } as const);
    const trailerNames = announcedTrailers(headers, () => false);
    const { upstream } = end;
    this.call = startHttp2Call({ upstream, method, target, headers, body, trailerNames }, this.sessions, this);
  }

  onConnected(): void {
    const { request, call } = this;
    if (call === undefined) return;
    if (!this.hasBody) {
      call.end([]);
      return;
    }
    request.on('data', (chunk: Buffer) => {
      if (!call.write(chunk)) request.pause();
    });
    request.once('end', () => call.end(requestTrailers(request.rawTrailers, () => false)));
  }

  onDrain(): void {
    this.request.resume();
  }

  onSent(): void {}

  onInterim(status: number, rawHeaders: readonly string[]): void {
    if (status > 101) this.response.writeInformation(status, rawHeaders as string[]);
  }

  onHead({ status, rawHeaders, rest }: CallHead): void {
    const { response } = this;
    const fields = keepFields(rawHeaders, (lower) => lower !== 'connection' && lower !== 'transfer-encoding');
    const hasLength = rawHeaders.some((name, index) => index % 2 === 0 && name === 'content-length');
    if (rest !== undefined && !hasLength && this.request.method !== 'HEAD' && status !== 204 && status !== 304) {
      fields.push('content-length', '0');
    }
    response.sendDate = false;
    try {
      response.writeHead(status, fields);
    } catch {
      this.end.destroy();
      return;
    }
    // Node would hold the head back until there is data, and flush it as UTF-8.
    setImmediate(() => {
      if (!this.hasData && !response.writableEnded && !response.destroyed) response.write(nothing);
    });
  }

  onData(chunk: Buffer): void {
    this.hasData = true;
    if (!this.response.write(chunk)) this.call?.pause();
  }

  onEnd(rawTrailers: readonly string[]): void {
    const { response } = this;
    this.call = undefined;
    if (response.chunkedEncoding) response.addTrailers(responseTrailers(rawTrailers));
    response.end();
  }

  onFailure({ progress, detail }: CallFailure): void {
    this.call = undefined;
    if (progress === 'untouched' && !this.hasBody && !this.retried && !this.response.headersSent) {
      this.retried = true;
      this.start();
    } else {
      this.end.failOther(detail);
    }
  }
}
