import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
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
  const { agent, freshAgent } = pools.get(upstream);
  const { host, port, socketPath } = upstream;
  const secure = upstream.scheme === 'https';
  let reused = false;
  let receivedBefore = 0;
  let answered = false;
  let bodyBegun = false;
  let over = false;

  const fail = (error: NodeJS.ErrnoException) => {
    if (over) return;
    over = true;
    const wasClosed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    const progress = wasClosed && reused && outgoing.socket?.bytesRead === receivedBefore ? 'unanswered' : 'unknown';
    events.onFailure({ detail: `${error.code ?? error.name}: ${error.message}`, progress });
    outgoing.destroy();
  };

  let outgoing: ClientRequest;
  try {
    outgoing = (secure ? httpsRequest : httpRequest)({
      agent: fresh ? freshAgent : agent,
      ...(socketPath === undefined ? { host, port } : { socketPath }),
      method,
      path: target,
      headers: requestFields(headers, { method, body, upgrade: undefined, expectsContinue: false, trailerNames }),
      setHost: false,
      maxHeaderSize: maxAnswerHeadBytes,
    });
  } catch (error) {
    // A target or a header that can't be sent; the gate promises that there is none.
    queueMicrotask(() => events.onFailure(unsendable(error as NodeJS.ErrnoException)));
    return noCall;
  }

  outgoing.once('socket', (socket: Socket) => {
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
    if (!bodyBegun && !outgoing.writableEnded && !outgoing.destroyed) outgoing.write(nothing);
  };
  outgoing.on('error', fail);
  outgoing.on('close', () => {
    if (!answered) fail(new Error('the upstream closed the connection'));
  });
  outgoing.on('drain', () => events.onDrain());
  outgoing.once('finish', () => {
    if (!over) events.onSent();
  });
  outgoing.on('information', ({ statusCode, rawHeaders }) => {
    if (!over) events.onInterim(statusCode, rawHeaders);
  });
  // Without a listener Node drops the connection and tells nobody.
  outgoing.once('upgrade', (_answer, socket) => {
    socket.on('error', () => undefined).destroy();
    fail(new Error('the upstream switched to a protocol that was not asked for'));
  });

  let answer: IncomingMessage | undefined;
  outgoing.once('response', (incoming) => {
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
  });

  return {
    write(chunk) {
      bodyBegun = true;
      return outgoing.write(chunk);
    },
    get isFull() {
      return outgoing.writableNeedDrain;
    },
    end(trailers) {
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
      outgoing.destroy();
    },
  };
}

function unsendable(error: NodeJS.ErrnoException): CallFailure {
  return { detail: `the request can't be sent: ${error.code ?? error.name}`, progress: 'unknown' };
}

/** What was never begun. */
const noCall: UpstreamCall = {
  write: () => true,
  isFull: false,
  end: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  abort: () => undefined,
};
