import type { ClientRequest, IncomingMessage, OutgoingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Allowed } from '../gate/decision.ts';
import type { Reason } from '../gate/reasons.ts';
import type { RequestHead } from '../gate/request-head.ts';
import type { Exchange } from './exchange.ts';
import { type ForwardFailure, forward } from './forward.ts';
import type { BodyFraming } from './framing.ts';
import { requestFields } from './request-fields.ts';
import { interimFields, responseFields } from './response-fields.ts';
import { wrappedBy } from './tls/tls-acceptor.ts';
import { announcedTrailers, requestTrailers, responseTrailers } from './trailers.ts';
import { type Handshake, switchProtocols } from './tunnel.ts';
import { speaksTls, type UpstreamPool } from './upstream-pool.ts';
import { upstreamProblem } from './upstream-problem.ts';

export interface RelayInput {
  readonly exchange: Exchange;
  readonly head: RequestHead;
  readonly allowed: Allowed;
  readonly pool: UpstreamPool;
  /** How the request's body is framed: it goes out framed the same way. */
  readonly framing: BodyFraming;
  /** The body, where the gate has read it; undefined: it is still to come. */
  readonly read: Uint8Array | undefined;
  /** The client waits for a 100 before it sends its body. */
  readonly saysContinue: boolean;
  /** The client's side of a WebSocket handshake. */
  readonly handshake: Handshake | undefined;
}

/** Safe to send twice (RFC 9110 section 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** More interim answers than any real upstream sends are dropped: they would not wait for a slow client. */
const mostInterimAnswers = 32;

/**
 * Sends an allowed request to its upstream and the answer back, streaming both ways. Faults before the answer's head
 * become upstreamUnreachable or upstreamTimeout, later ones cut the client's connection.
 */
export function relay(input: RelayInput): void {
  const { exchange, allowed, head, pool, handshake, read } = input;
  const { request, response, gate, watch } = exchange;
  const { timeouts } = gate;
  const content = allowed.body ?? read;
  const framing: BodyFraming =
    content !== undefined && input.framing.kind === 'length'
      ? { kind: 'length', bytes: content.byteLength }
      : input.framing;
  const isBarredTrailer = (name: string) => gate.isBarredTrailer(name);
  // Node writes a head that goes out alone as UTF-8. With bytes above 0x7f in it, we say 100 in the upstream's place.
  const forwardsExpectation = input.saysContinue && !allowed.headers.some((text) => /[\x80-\xff]/.test(text));
  const fields = requestFields(allowed.headers, {
    method: head.method,
    body: framing,
    upgrade: handshake === undefined ? undefined : 'websocket',
    expectsContinue: forwardsExpectation,
    trailerNames: framing.kind === 'chunked' ? announcedTrailers(head.headers, isBarredTrailer) : [],
  });
  let giveUp = new AbortController();
  let sent: ClientRequest | undefined;
  let reusedConnection = false;
  let receivedBefore = 0;
  let retried = false;
  let settled = false;
  let bodyBegun = false;
  let upstreamDone = false;
  let interimAnswers = 0;

  const fail = (reason: Extract<Reason, 'upstreamUnreachable' | 'upstreamTimeout'>, detail: string) => {
    if (settled || exchange.over) return;
    settled = true;
    giveUp.abort();
    exchange.answer(gate.refuse(reason, detail, { head, allowed }));
  };

  const attempt = (fresh: boolean) => {
    watch.start(timeouts.connectMs, () => fail('upstreamTimeout', `no connection within ${timeouts.connectMs} ms`));
    const { upstream, target } = allowed;
    const { signal } = giveUp;
    pool.admit({ fresh, signal }, (agent) => {
      forward({ request, response, upstream, agent, target, fields, signal, onConnection }, onFailure);
    });
  };

  const onFailure = (failure: ForwardFailure) => {
    if (settled || exchange.over) return;
    if (mayRetry(failure)) {
      retried = true;
      giveUp = new AbortController();
      attempt(true);
      return;
    }
    fail('upstreamUnreachable', upstreamProblem(failure));
  };

  /** A connection from the pool that the upstream had closed meanwhile: nothing was answered, and nobody minds a second try. */
  const mayRetry = ({ code }: ForwardFailure) =>
    !retried &&
    reusedConnection &&
    (code === 'ECONNRESET' || code === 'EPIPE') &&
    framing.kind === 'none' &&
    idempotentMethods.has(head.method) &&
    sent?.socket?.bytesRead === receivedBefore;

  const onConnection = (upstreamRequest: ClientRequest) => {
    sent = upstreamRequest;
    const socket = upstreamRequest.socket as Socket;
    reusedConnection = !socket.connecting;
    receivedBefore = socket.bytesRead;
    upstreamRequest.on('information', onInterim);
    upstreamRequest.once('response', onAnswer);
    upstreamRequest.once('finish', onSent);
    // Without a listener Node drops the connection and tells nobody.
    upstreamRequest.once('upgrade', onSwitch);
    if (reusedConnection) send();
    else socket.once(speaksTls(allowed.upstream) ? 'secureConnect' : 'connect', send);
  };

  const send = () => {
    if (settled || exchange.over || sent === undefined) return;
    exchange.markForwarded();
    if (framing.kind === 'none' || content !== undefined) {
      if (content !== undefined && content.byteLength > 0) sent.write(content);
      endBody(sent);
      return;
    }
    if (forwardsExpectation) awaitAnswer();
    else {
      if (input.saysContinue) sayContinue();
      awaitBody();
    }
    sendBody(sent);
  };

  const sendBody = (upstreamRequest: ClientRequest) => {
    request.on('data', (chunk: Buffer) => {
      // A client that did not wait for its 100.
      if (!bodyBegun && forwardsExpectation && !settled) awaitBody();
      bodyBegun = true;
      exchange.requestBytes += chunk.byteLength;
      watch.refresh();
    });
    upstreamRequest.on('drain', () => watch.refresh());
    request.pipe(upstreamRequest, { end: false });
    request.once('end', () => endBody(upstreamRequest));
    sendHeadSoon(upstreamRequest, () => bodyBegun);
    // An upstream that answers without reading on: what the client still sends is read into nothing.
    upstreamRequest.once('close', () => {
      request.unpipe(upstreamRequest);
      request.resume();
    });
  };

  const endBody = (upstreamRequest: ClientRequest) => {
    if (framing.kind === 'chunked') {
      // Node would make an empty one a Content-Length of 0, and drop the trailers.
      if (!upstreamRequest.headersSent) upstreamRequest.write(nothing);
      upstreamRequest.addTrailers(requestTrailers(request.rawTrailers, isBarredTrailer));
    }
    upstreamRequest.end();
  };

  const awaitBody = () =>
    watch.start(timeouts.idleMs, () => {
      if (sent?.writableNeedDrain === true) {
        fail('upstreamTimeout', `the upstream took none of the body for ${timeouts.idleMs} ms`);
        return;
      }
      settled = true;
      giveUp.abort();
      const detail = `the client sent none of its body for ${timeouts.idleMs} ms`;
      exchange.answer(gate.refuse('requestRefused', detail, { head, allowed, status: 408, close: true }));
    });

  const awaitAnswer = () =>
    watch.start(timeouts.responseMs, () => fail('upstreamTimeout', `no answer within ${timeouts.responseMs} ms`));

  const onSent = () => {
    if (!settled) awaitAnswer();
  };

  const sayContinue = () => {
    if (!response.headersSent) response.writeContinue();
  };

  /** RFC 9110 section 15.2: a proxy forwards interim answers, but for a client of HTTP/1.0. */
  const onInterim = ({ statusCode, rawHeaders }: { statusCode: number; rawHeaders: string[] }) => {
    if (settled || exchange.over) return;
    if (statusCode === 100 && forwardsExpectation && sent?.writableEnded === false) awaitBody();
    interimAnswers += 1;
    if (head.httpVersion === '1.0' || interimAnswers > mostInterimAnswers) return;
    try {
      response.writeInformation(statusCode, interimFields(rawHeaders));
    } catch {
      // A field that can't be sent: the answer itself is still to come.
    }
  };

  const onAnswer = (answer: IncomingMessage) => {
    if (settled || exchange.over) return;
    const statusCode = answer.statusCode as number;
    const close = exchange.connection.closing || (input.saysContinue && !request.complete);
    try {
      const context = { method: head.method, clientVersion: head.httpVersion, close, set: allowed.responseHeaders };
      const list = responseFields(
        { statusCode, httpVersion: answer.httpVersion, rawHeaders: answer.rawHeaders },
        context,
      );
      response.writeHead(statusCode, answer.statusMessage ?? '', list);
    } catch (error) {
      fail('upstreamUnreachable', `the answer's head can't be passed on: ${(error as NodeJS.ErrnoException).code}`);
      return;
    }
    settled = true;
    if (close) exchange.connection.distrust();
    exchange.markAnswered(statusCode);
    relayBody(answer);
  };

  const relayBody = (answer: IncomingMessage) => {
    const endsWithConnection = !response.chunkedEncoding && answer.headers['content-length'] === undefined;
    watch.start(timeouts.idleMs, () => exchange.cut(response.writableNeedDrain ? 'clientGone' : 'upstreamGone'));
    answer.prependOnceListener('error', () => {
      if (exchange.over) return;
      // Where closing is how a body ends, only a reset tells that it did not (RFC 9112 section 8).
      if (endsWithConnection) resetConnection(exchange.connection.socket);
      exchange.cut('upstreamGone');
    });
    answer.on('data', (chunk: Buffer) => {
      exchange.responseBytes += chunk.byteLength;
      watch.refresh();
    });
    response.on('drain', () => watch.refresh());
    answer.pipe(response, { end: false });
    answer.once('end', () => {
      upstreamDone = sent?.writableFinished === true;
      if (response.chunkedEncoding) response.addTrailers(responseTrailers(answer.rawTrailers));
      response.end();
    });
    sendHeadSoon(response, () => exchange.responseBytes > 0);
  };

  const onSwitch = (answer: IncomingMessage, upstreamSocket: Socket, upstreamHead: Buffer) => {
    upstreamSocket.on('error', () => undefined);
    const isOver = settled || exchange.over;
    if (!isOver && handshake !== undefined && answer.headers.upgrade?.toLowerCase() === 'websocket') {
      settled = true;
      switchProtocols({ exchange, handshake, answer, upstreamSocket, upstreamHead, idleMs: timeouts.idleMs });
      return;
    }
    upstreamSocket.destroy();
    fail('upstreamUnreachable', 'the upstream switched to a protocol that was not asked for');
  };

  // Whatever ends the answer early ends the upstream request with it: a refusal in mid-upload, a client that left.
  response.once('close', () => {
    if (!upstreamDone) giveUp.abort();
  });
  // A connection that will not be kept should not come from those that are: one that switches, or that the library
  // has marked with Connection: close, which Node's pool would overlook.
  const isLastOnConnection = handshake !== undefined || fields['transfer-encoding'] !== undefined;
  attempt(isLastOnConnection);
}

/**
 * Node holds a head back until the body begins. One that lets wait for itself (a slow upload, SSE, long polling) must
 * not hold back the head; one that is there goes out with it in one piece. Flushing would write the head as UTF-8.
 */
function sendHeadSoon(message: OutgoingMessage, hasBegun: () => boolean): void {
  setImmediate(() => {
    if (!hasBegun() && !message.writableEnded && !message.destroyed) message.write(nothing);
  });
}

const nothing = Buffer.alloc(0);

function resetConnection(socket: Socket): void {
  try {
    if ((socket as TLSSocket).encrypted === true) wrappedBy(socket as TLSSocket).resetAndDestroy();
    else socket.resetAndDestroy();
  } catch {
    // Not a TCP socket: it has no reset.
    socket.destroy();
  }
}
