import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { requestFields } from '../request-fields.ts';
import type { UpstreamPools } from '../upstream-pool.ts';
import type { CallEvents, CallFailure, CallRequest, UpstreamCall } from './upstream-call.ts';

/** Cookies make some upstreams' heads longer than Node's 16 KiB. */
const maxAnswerHeadBytes = 64 * 1024;

const nothing = Buffer.alloc(0);

/** A call by HTTP/1.1, through Node's client. `fresh`: on a connection of its own. */
export function startHttp1Call(
  call: CallRequest,
  pools: UpstreamPools,
  events: CallEvents,
  { fresh }: { readonly fresh: boolean },
): UpstreamCall {
  const { upstream, method, target, headers, body, trailerNames } = call;
  const { host, port, socketPath } = upstream;
  const secure = upstream.scheme === 'https';
  const giveUp = new AbortController();
  let outgoing: ClientRequest | undefined;
  let answer: IncomingMessage | undefined;
  let reused = false;
  let receivedBefore = 0;
  let answered = false;
  let bodyBegun = false;
  let over = false;

  const fail = (error: NodeJS.ErrnoException) => {
    if (over) return;
    over = true;
    const wasClosed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    const progress = wasClosed && reused && outgoing?.socket?.bytesRead === receivedBefore ? 'unanswered' : 'unknown';
    events.onFailure({ detail: `${error.code ?? error.name}: ${error.message}`, progress });
    outgoing?.destroy();
  };

  const start = (agent: Agent) => {
    try {
      outgoing = (secure ? httpsRequest : httpRequest)({
        agent,
        ...(socketPath === undefined ? { host, port } : { socketPath }),
        method,
        path: target,
        headers: requestFields(headers, { method, body, upgrade: undefined, expectsContinue: false, trailerNames }),
        setHost: false,
        maxHeaderSize: maxAnswerHeadBytes,
      });
    } catch (error) {
      // A target or a header that can't be sent; the gate promises that there is none.
      over = true;
      queueMicrotask(() => events.onFailure(unsendable(error as NodeJS.ErrnoException)));
      return;
    }
    listen(outgoing);
  };

  const listen = (request: ClientRequest) => {
    request.once('socket', (socket: Socket) => {
      reused = !socket.connecting;
      receivedBefore = socket.bytesRead;
      const begin = () => {
        if (over) return;
        // Node holds a head back until the body begins: one that lets wait for itself must not hold it back.
        if (body.kind !== 'none') setImmediate(sendHead);
        events.onConnected();
      };
      if (reused) begin();
      else socket.once(secure ? 'secureConnect' : 'connect', begin);
    });
    const sendHead = () => {
      if (!bodyBegun && !request.writableEnded && !request.destroyed) request.write(nothing);
    };
    request.on('error', fail);
    request.on('close', () => {
      if (!answered) fail(new Error('the upstream closed the connection'));
    });
    request.on('drain', () => events.onDrain());
    request.once('finish', () => {
      if (!over) events.onSent();
    });
    request.on('information', ({ statusCode, rawHeaders }) => {
      if (!over) events.onInterim(statusCode, rawHeaders);
    });
    // Without a listener Node drops the connection and tells nobody.
    request.once('upgrade', (_answer, socket) => {
      socket.on('error', () => undefined).destroy();
      fail(new Error('the upstream switched to a protocol that was not asked for'));
    });
    request.once('response', onAnswer);
  };

  const onAnswer = (incoming: IncomingMessage) => {
    if (over) return;
    answer = incoming;
    answered = true;
    const { statusCode = 0, httpVersion, rawHeaders } = incoming;
    events.onHead({ status: statusCode, httpVersion, rawHeaders, isWhole: false });
    incoming.on('data', (chunk: Buffer) => {
      if (!over) events.onData(chunk);
    });
    incoming.once('end', () => {
      if (over) return;
      over = true;
      events.onEnd(incoming.rawTrailers);
    });
    incoming.on('error', fail);
  };

  pools.get(upstream).admit({ fresh, signal: giveUp.signal }, start);

  return {
    write(chunk) {
      bodyBegun = true;
      return outgoing?.write(chunk) ?? true;
    },
    get isFull() {
      return outgoing?.writableNeedDrain ?? false;
    },
    end(trailers) {
      if (outgoing === undefined) return;
      if (body.kind === 'chunked') {
        // Node would make an empty one a Content-Length of 0, and drop the trailers.
        if (!outgoing.headersSent || !bodyBegun) outgoing.write(nothing);
        outgoing.addTrailers(trailers as [string, string][]);
      }
      outgoing.end();
    },
    pause: () => void answer?.pause(),
    resume: () => void answer?.resume(),
    abort() {
      over = true;
      giveUp.abort();
      outgoing?.destroy();
    },
  };
}

function unsendable(error: NodeJS.ErrnoException): CallFailure {
  return { detail: `the request can't be sent: ${error.code ?? error.name}`, progress: 'unknown' };
}
