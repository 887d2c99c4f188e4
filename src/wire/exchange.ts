import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answered, Decision, Refused } from '../gate/decision.ts';
import type { Gate, Outcome } from '../gate/gate.ts';
import type { RequestHead } from '../gate/request-head.ts';
import { writeAnswer } from './answer.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Reconsider } from './expiry.ts';
import type { BodyFraming } from './framing.ts';
import { Watch } from './watch.ts';
import { goingAwayFrame, policyViolationFrame } from './websocket-frames.ts';

export interface ExchangeInput {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: ClientConnection;
  /** The request's own: it keeps its policy to the end. */
  readonly gate: Gate;
  /** Undefined where the framing was not clear. */
  readonly head: RequestHead | undefined;
  readonly framing: BodyFraming;
  readonly expectsContinue: boolean;
  /** Undefined: now. */
  readonly startedMs: number | undefined;
}

/** What takes the client's socket over from `response`. */
export interface TunnelControl {
  /** Destroys both sides. */
  cut(): void;
  /** Says goodbye to both sides. */
  goAway(frame: Uint8Array): void;
}

/** Whose doing it is that an exchange breaks off. */
type CutBy = Exclude<Outcome['end'], 'complete'>;

/** The most of an unread body that is read into nothing to keep the connection of a refused request. */
const discardBytes = 64 * 1024;

/**
 * The books of one request, from its head to its last byte in either direction. Whatever happens to it, `gate.finish`
 * is called once: when the answer is out, or the client gone.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: ClientConnection;
  readonly gate: Gate;
  readonly watch: Watch = new Watch();
  requestBytes = 0;
  responseBytes = 0;
  readonly #input: ExchangeInput;
  readonly #startedMs: number;
  #forwardedMs: number | undefined;
  #upstreamMs: number | undefined;
  #status = 0;
  #decision: Decision | undefined;
  #cutBy: CutBy | undefined;
  #gone: Outcome['end'] | undefined;
  #tunnel: TunnelControl | undefined;
  #answered = false;
  #over = false;

  constructor(input: ExchangeInput) {
    this.#input = input;
    this.#startedMs = input.startedMs ?? performance.now();
    this.request = input.request;
    this.response = input.response;
    this.connection = input.connection;
    this.gate = input.gate;
    this.response.once('close', () => {
      if (this.#tunnel === undefined) this.#finish(this.response.writableFinished ? 'complete' : 'clientGone');
    });
  }

  /** True once our own answer was given or the exchange is finished: nothing more may be sent, either way. */
  get over(): boolean {
    return this.#over || this.#answered || this.#gone !== undefined;
  }

  /** What is reported at the end; an answer of our own replaces it. */
  decide(decision: Decision): void {
    // A client that broke its own framing meanwhile has its answer.
    if (!this.#answered) this.#decision = decision;
    if (this.#gone !== undefined) this.#finish(this.#gone);
  }

  /** The head is on its way upstream. */
  markForwarded(): void {
    this.#forwardedMs = performance.now();
  }

  /** The upstream's head is here; its status is what the client is told. */
  markAnswered(status: number): void {
    this.#status = status;
    if (this.#forwardedMs !== undefined) this.#upstreamMs = performance.now() - this.#forwardedMs;
  }

  /** Writes an answer of our own; where another has already begun, the client's connection is cut instead. */
  answer(answer: Refused | Answered): void {
    const { request, response, connection } = this;
    if (this.#over || this.#answered) return;
    if (response.headersSent) {
      this.cut('upstreamGone');
      return;
    }
    this.#answered = true;
    // What the client is told is what is reported, also where the gate had allowed and the upstream failed.
    this.#decision = answer;
    this.#status = answer.status;
    const close = answer.close || connection.closing || this.#bodyIsInTheWay();
    if (close) connection.distrust();
    writeAnswer(response, answer, close);
    this.responseBytes += Buffer.byteLength(answer.body);
    // What is left of the body goes nowhere; unread it would hold up the next request, or reset this answer.
    request.resume();
    // A client that doesn't take the answer may not hold the connection.
    this.watch.start(this.gate.timeouts.idleMs, () => this.cut('clientGone'));
  }

  /** Ends both sides at once, and says whose doing it was. */
  cut(by: CutBy): void {
    if (this.#over) return;
    this.#cutBy ??= by;
    if (this.#tunnel !== undefined) {
      this.#tunnel.cut();
      return;
    }
    this.response.destroy();
    this.connection.socket.destroy();
  }

  /** Asks a tunnel to end politely; anything else goes on. */
  goAway(): void {
    if (!this.#over) this.#tunnel?.goAway(goingAwayFrame);
  }

  /** Ends what is still under way where its permit is over: a tunnel politely, and at the next call for good. */
  reconsider(verdict: Reconsider): void {
    const decision = this.#decision;
    const isUnderWay = this.#tunnel !== undefined || this.response.headersSent;
    if (this.#over || this.#answered || !isUnderWay || decision?.kind !== 'allowed') return;
    if (this.#cutBy === 'permitEnded') this.cut('permitEnded');
    else if (verdict(decision, performance.now() - this.#startedMs) === 'goOn') return;
    else if (this.#tunnel === undefined) this.cut('permitEnded');
    else {
      this.#cutBy = 'permitEnded';
      this.#tunnel.goAway(policyViolationFrame);
    }
  }

  /** From now on the answer no longer hangs on `response`: the caller says how the exchange ends. */
  takeOver(tunnel: TunnelControl): (end: Outcome['end']) => void {
    this.#tunnel = tunnel;
    return (end) => this.#finish(end);
  }

  /** Is so much of the body still to come that the connection is better closed? */
  #bodyIsInTheWay(): boolean {
    const { framing, expectsContinue } = this.#input;
    if (framing.kind === 'none' || this.request.complete) return false;
    return expectsContinue || framing.kind === 'chunked' || framing.bytes > discardBytes;
  }

  #finish(how: Outcome['end']): void {
    if (this.#over) return;
    const end = this.#cutBy ?? how;
    this.#gone = end;
    this.watch.stop();
    const decision = this.#decision;
    // A client may leave while the gate still thinks: then the outcome waits for the decision.
    if (decision === undefined) return;
    this.#over = true;
    this.gate.finish({
      head: this.#input.head,
      decision,
      lane: 'node',
      status: this.#status,
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
      durationMs: performance.now() - this.#startedMs,
      forwardedMs: this.#forwardedMs && this.#forwardedMs - this.#startedMs,
      upstreamMs: this.#upstreamMs,
      end,
    });
    this.connection.release(this.request, this.gate.timeouts.idleMs);
  }
}
