import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answered, Decision, Refused } from '../gate/decision.ts';
import type { Gate, Outcome } from '../gate/gate.ts';
import type { RequestHead } from '../gate/request-head.ts';
import { writeAnswer } from './answer.ts';
import type { ClientConnection } from './client-connection.ts';
import type { BodyFraming } from './framing.ts';
import { createWatch, type Watch } from './watch.ts';

/** A request of the node lane, in both directions, from its head to its last byte. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: ClientConnection;
  /** The request's own: it keeps its policy to the end. */
  readonly gate: Gate;
  readonly watch: Watch;
  /** True once our own answer was given or the exchange is finished: nothing more may be sent, either way. */
  readonly over: boolean;
  countRequestBytes(bytes: number): void;
  countResponseBytes(bytes: number): void;
  /** The head is on its way upstream. */
  markForwarded(): void;
  /** The upstream's head is here; its status is what the client is told. */
  markAnswered(status: number): void;
  /** Writes an answer of our own; where another has already begun, the client's connection is cut instead. */
  answer(answer: Refused | Answered): void;
  /** Ends both sides at once, and says whose doing it was. */
  cut(by: 'clientGone' | 'upstreamGone'): void;
  /** Asks a tunnel to end politely; anything else goes on. */
  goAway(): void;
  /** The answer no longer hangs on `response`: the caller says how the exchange ends. */
  takeOver(tunnel: TunnelControl): (end: Outcome['end']) => void;
}

export interface TunnelControl {
  /** Destroys both sides. */
  cut(): void;
  /** Says goodbye to both sides. */
  goAway(): void;
}

export interface ExchangeInput {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: ClientConnection;
  readonly gate: Gate;
  /** Undefined where the framing was not clear. */
  readonly head: RequestHead | undefined;
  readonly body: BodyFraming;
  readonly expectsContinue: boolean;
  readonly onOver: () => void;
}

/** The most of an unread body that is read into nothing to keep the connection of a refused request. */
const discardBytes = 64 * 1024;

export interface DecidableExchange extends Exchange {
  /** What is reported at the end; an answer of our own replaces it. */
  decide(decision: Decision): void;
}

/** Keeps the books of one request; whatever happens to it, `gate.finish` is called once, when the answer is out or the client gone. */
export function createExchange(input: ExchangeInput): DecidableExchange {
  const { request, response, connection, gate } = input;
  const startedMs = performance.now();
  const watch = createWatch();
  let forwardedMs: number | undefined;
  let upstreamMs: number | undefined;
  let requestBytes = 0;
  let responseBytes = 0;
  let status = 0;
  let decision: Decision | undefined;
  let cutBy: 'clientGone' | 'upstreamGone' | undefined;
  let gone: Outcome['end'] | undefined;
  let answered = false;
  let over = false;
  let tunnel: TunnelControl | undefined;

  const finish = (end: Outcome['end']) => {
    if (over) return;
    // A client may leave while the gate still thinks: then the outcome waits for the decision.
    gone = end;
    if (decision === undefined) return;
    over = true;
    watch.stop();
    const durationMs = performance.now() - startedMs;
    gate.finish({
      head: input.head,
      decision,
      lane: 'node',
      status,
      requestBytes,
      responseBytes,
      durationMs,
      upstreamMs,
      end,
    });
    input.onOver();
    connection.release();
  };
  const onResponseClose = () => finish(cutBy ?? (response.writableFinished ? 'complete' : 'clientGone'));
  response.once('close', onResponseClose);

  /** Is so much of the body still to come that the connection is better closed? */
  const bodyIsInTheWay = () => {
    if (input.body.kind === 'none' || request.complete) return false;
    return input.expectsContinue || input.body.kind === 'chunked' || input.body.bytes > discardBytes;
  };

  return {
    request,
    response,
    connection,
    gate,
    watch,
    get over() {
      return over || answered || gone !== undefined;
    },
    decide(made) {
      // A client that broke its own framing meanwhile has its answer.
      if (!answered) decision = made;
      if (gone !== undefined) finish(gone);
    },
    countRequestBytes(bytes) {
      requestBytes += bytes;
    },
    countResponseBytes(bytes) {
      responseBytes += bytes;
    },
    markForwarded() {
      forwardedMs = performance.now();
    },
    markAnswered(upstreamStatus) {
      status = upstreamStatus;
      if (forwardedMs !== undefined) upstreamMs = performance.now() - forwardedMs;
    },
    answer(answer) {
      if (over || answered) return;
      if (response.headersSent) {
        this.cut('upstreamGone');
        return;
      }
      answered = true;
      // What the client is told is what is reported, also where the gate had allowed and the upstream failed.
      decision = answer;
      const close = answer.close || connection.closing || bodyIsInTheWay();
      if (close) connection.distrust();
      status = answer.status;
      writeAnswer(response, answer, close);
      responseBytes += Buffer.byteLength(answer.body);
      // What is left of the body goes nowhere; unread it would hold up the next request, or reset this answer.
      request.resume();
      // A client that doesn't take the answer may not hold the connection.
      watch.start(gate.timeouts.idleMs, () => this.cut('clientGone'));
    },
    cut(by) {
      if (over) return;
      cutBy ??= by;
      if (tunnel !== undefined) {
        tunnel.cut();
        return;
      }
      response.destroy();
      connection.socket.destroy();
    },
    goAway() {
      if (!over) tunnel?.goAway();
    },
    takeOver(control) {
      response.off('close', onResponseClose);
      tunnel = control;
      return (end) => finish(cutBy ?? end);
    },
  };
}
