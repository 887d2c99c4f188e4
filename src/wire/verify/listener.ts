import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from '../../gate/decision.ts';
import type { FrontName } from '../../gate/fronts.ts';
import type { Gate, Outcome } from '../../gate/gate.ts';
import { announcesBody } from '../../gate/request-head.ts';
import { serializeAnswer, writeAnswer } from '../answer.ts';
import { listenAt, type OpenArrivals } from '../arrivals.ts';
import { closeLingering } from '../linger.ts';
import type { ListenAddress } from '../listen-address.ts';
import { peerAddress, rawHead } from '../read-head.ts';
import { type Judged, judgeQuestion } from './judge-question.ts';

export interface VerifyListenerOptions {
  readonly listen: ListenAddress;
  /** Instead of listening there: somebody else does, and brings the clients. */
  readonly arrivals?: OpenArrivals | undefined;
  /** Which kind of proxy asks: it decides how the original request is told, and how the answer looks. */
  readonly front: FrontName;
  /** The policy of the moment; asked once for each question. */
  readonly gate: () => Gate;
}

export interface VerifyListener {
  /** What is really listened on: the port that the system chose where 0 was asked for. */
  readonly address: ListenAddress;
  /** Questions that are not answered yet. */
  readonly activeQuestions: number;
  /**
   * From now on every answer says `Connection: close`. After `delayMs` (default: 0) no connection is accepted any more and
   * idle ones end; after `drainMs` more whatever is left is cut. Resolves when the last connection is gone. A second call
   * stops now.
   */
  close(waits: { readonly delayMs?: number; readonly drainMs: number }): Promise<void>;
}

/**
 * Answers other proxies that ask whether a request of theirs may pass: 200 with the headers it must then carry, or the
 * refusal that its client should get. Nothing is forwarded from here, and no body is read. Rejects with Node's error
 * where it can't listen.
 */
export async function createVerifyListener(options: VerifyListenerOptions): Promise<VerifyListener> {
  const { listen, front, gate, arrivals: openArrivals = listenAt(listen) } = options;
  let activeQuestions = 0;
  let closing: Promise<void> | undefined;
  const server = createQuestionServer(gate(), (request, response) => {
    // Nothing behind an answer that closes its connection is taken for a question.
    if (unclear.has(request.socket)) return;
    activeQuestions += 1;
    const book = openBook(gate(), () => {
      activeQuestions -= 1;
    });
    response.once('close', () => book.close(response.writableFinished));
    const peer = peerAddress(request.socket.remoteAddress);
    const judged = judgeQuestion({ raw: rawHead(request), peer, front }, book.gate);
    const answer = (result: Judged) => {
      book.enter(result);
      if (response.destroyed) return;
      // Where a body is announced, the next question begins nobody knows where.
      if (announcesBody({ headers: request.rawHeaders })) {
        answerLast(request.socket, result);
        book.close(true);
      } else writeAnswer(response, wholeAnswer(result), closing !== undefined);
    };
    if (judged instanceof Promise) judged.then(answer);
    else answer(judged);
  });
  server.on('connect', (_request, stream) => refuseUnparsed(stream as Socket, gate(), 501, 'method CONNECT'));
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    refuseUnparsed(stream as Socket, gate(), 400, error.code ?? error.message);
  });

  const sockets = new Set<Socket>();
  const emptied = Promise.withResolvers<void>();
  const arrivals = await openArrivals((socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0 && !accepting) emptied.resolve();
    });
    server.emit('connection', socket);
  });
  let accepting = true;
  let nextStep: NodeJS.Timeout | undefined;
  const stopAccepting = () => {
    if (accepting) arrivals.close();
    accepting = false;
    if (sockets.size === 0) emptied.resolve();
  };
  const stopNow = () => {
    clearTimeout(nextStep);
    stopAccepting();
    for (const socket of sockets) socket.destroy();
  };

  return {
    address: arrivals.address,
    get activeQuestions() {
      return activeQuestions;
    },
    close({ delayMs = 0, drainMs }) {
      if (closing !== undefined) {
        stopNow();
        return closing;
      }
      closing = emptied.promise.then(() => {
        clearTimeout(nextStep);
        server.close();
      });
      const drain = () => {
        stopAccepting();
        server.closeIdleConnections();
        nextStep = setTimeout(stopNow, drainMs);
      };
      if (delayMs > 0) nextStep = setTimeout(drain, delayMs);
      else drain();
      return closing;
    },
  };
}

/** For the front's own headers. */
const roomForTelling = 8 * 1024;

/** A server that never listens: sockets are brought to it. */
function createQuestionServer({ limits, timeouts }: Gate, onQuestion: RequestListener): Server {
  const server = createServer({
    requireHostHeader: false,
    headersTimeout: timeouts.headerMs,
    keepAliveTimeout: timeouts.idleMs,
    connectionsCheckingInterval: Math.min(Math.max(timeouts.headerMs / 4, 50), 1_000),
    // The front repeats the target in a header of its own; what it passes on of its client is held to the limits later.
    maxHeaderSize: 2 * limits.headerBytes + roomForTelling,
    shouldUpgradeCallback: () => false,
  });
  // A head beyond this many fields would be cut short in silence.
  server.maxHeadersCount = 0;
  // Its timer for slow heads starts on this event.
  server.emit('listening');
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, onQuestion);
  return server;
}

/** Connections on which a question was not clear: what else comes there may be the rest of it. */
const unclear = new WeakSet<Socket>();

function wholeAnswer({ decision, answer }: Judged): Answer {
  return { ...answer, close: false, facts: decision.facts };
}

function answerLast(socket: Socket, judged: Judged): void {
  unclear.add(socket);
  socket.write(serializeAnswer(wholeAnswer(judged)));
  closeLingering(socket);
}

interface Book {
  readonly gate: Gate;
  enter(judged: Judged): void;
  /** The connection's end of it is over; `complete`: the answer is out. */
  close(complete: boolean): void;
}

/** Calls `gate.finish` once, when a question is judged and its answer is out, or its asker gone. */
function openBook(gate: Gate, onEnd: () => void): Book {
  const startedMs = performance.now();
  let judged: Judged | undefined;
  let end: Outcome['end'] | undefined;
  let finished = false;
  const finishOnce = () => {
    if (finished || judged === undefined || end === undefined) return;
    finished = true;
    const { head, decision, answer } = judged;
    const status = end === 'complete' ? answer.status : 0;
    finish(gate, { head, decision, end, status, durationMs: performance.now() - startedMs }, answer.body);
    onEnd();
  };
  return {
    gate,
    enter(result) {
      judged = result;
      finishOnce();
    },
    close(complete) {
      end ??= complete ? 'complete' : 'clientGone';
      finishOnce();
    },
  };
}

type Ended = Pick<Outcome, 'head' | 'decision' | 'end' | 'status' | 'durationMs'>;

function finish(gate: Gate, ended: Ended, body: string): void {
  const responseBytes = ended.end === 'complete' ? Buffer.byteLength(body) : 0;
  gate.finish({ ...ended, lane: 'verify', requestBytes: 0, responseBytes, upstreamMs: undefined });
}

/** Answers what never became a question. */
function refuseUnparsed(socket: Socket, gate: Gate, status: number, detail: string): void {
  if (unclear.has(socket) || !socket.writable) {
    socket.destroy();
    return;
  }
  unclear.add(socket);
  const decision = gate.refuse('requestRefused', detail, { status, close: true });
  socket.write(serializeAnswer(decision));
  socket.destroySoon();
  finish(gate, { head: undefined, decision, end: 'complete', status, durationMs: 0 }, decision.body);
}
