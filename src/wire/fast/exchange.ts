import type { Allowed, Answered, Decision, Refused } from '../../gate/decision.ts';
import type { Gate, Outcome } from '../../gate/gate.ts';
import type { Reason } from '../../gate/reasons.ts';
import type { RequestHead } from '../../gate/request-head.ts';
import type { Reconsider } from '../expiry.ts';
import type { BodyFraming } from '../framing.ts';
import { refuseForGateFault } from '../gate-fault.ts';
import type { SlotWaiter } from '../upstream-slots.ts';
import { AnswerRelay } from './answer-relay.ts';
import type { BodyPiece } from './chunked.ts';
import type { ClientConnection, LaneServices } from './client-connection.ts';
import { isFull, outgoing, writePieces } from './outgoing.ts';
import { putOwnAnswer } from './put-own-answer.ts';
import { putRequest } from './put-request.ts';
import { type ContentOwner, RequestContent } from './request-content.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream-connection.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/**
 * What the exchange waits for, and so what it means when its deadline passes.
 *
 * deciding → (collecting → deciding) → connecting → sending → awaiting → relaying → flushing → over; an own answer goes
 * from anywhere before `relaying` to `flushing`.
 */
type Phase = 'deciding' | 'collecting' | 'connecting' | 'sending' | 'awaiting' | 'relaying' | 'flushing' | 'over';

/** Safe to send twice (RFC 9110 section 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

export interface ExchangeInput {
  readonly client: ClientConnection;
  readonly lane: LaneServices;
  /** The request's own: it keeps its policy to the end. */
  readonly gate: Gate;
  readonly head: RequestHead;
  /** Its field lines, as they came. */
  readonly fields: string;
  readonly framing: BodyFraming;
  /** The connection ends after this one. */
  readonly isLast: boolean;
  /** On `performance.now`'s clock: the head's first byte. */
  readonly startedMs: number;
}

/** One request's life, from its head to `gate.finish`. */
export class Exchange implements UpstreamUser, ContentOwner {
  isLast: boolean;
  waiter: SlotWaiter | undefined;
  private readonly client: ClientConnection;
  private readonly lane: LaneServices;
  private readonly gate: Gate;
  private readonly head: RequestHead;
  private readonly fields: string;
  private readonly startedMs: number;

  private phase: Phase = 'deciding';
  private decision: Decision | undefined;
  private clientIsGone = false;

  private readonly content: RequestContent;
  private pool: UpstreamPool | undefined;
  private upstream: UpstreamConnection | undefined;
  /** The head of a request with a body, while it waits for a connection or for the body's first bytes. */
  private unsentHead = '';
  private requestIsSent = false;
  /** The turn in which its head was sent (`Outgoing.turn`). */
  private sentTurn = 0;
  private retried = false;

  private readonly answer: AnswerRelay;
  private status = 0;
  private ownBytes = 0;
  private forwardedMs = 0;
  private upstreamMs: number | undefined;

  constructor({ client, lane, gate, head, fields, framing, isLast, startedMs }: ExchangeInput) {
    this.client = client;
    this.lane = lane;
    this.gate = gate;
    this.head = head;
    this.fields = fields;
    this.isLast = isLast;
    this.startedMs = startedMs;
    this.content = new RequestContent(framing, this, gate);
    this.answer = new AnswerRelay(client.socket, head.method);
  }

  /** The answer's head, the upstream's or our own, has been written. */
  get hasAnswer(): boolean {
    return this.phase === 'relaying' || this.phase === 'flushing' || this.answer.head !== undefined;
  }

  start(): void {
    let decision: Decision | Promise<Decision>;
    try {
      decision = this.gate.decide(this.head, this.content);
    } catch (error) {
      decision = refuseForGateFault(this.gate, this.head, error);
    }
    if (decision instanceof Promise) this.obeyLater(decision);
    else this.obey(decision);
  }

  private obeyLater(decision: Promise<Decision>): void {
    const onFault = (error: unknown) => this.obey(refuseForGateFault(this.gate, this.head, error));
    void decision.then((made) => this.obey(made), onFault);
  }

  private obey(decision: Decision): void {
    this.decision = decision;
    if (this.clientIsGone) this.finish('clientGone');
    else if (decision.kind === 'allowed') this.connect(decision);
    else this.answerOwn(decision);
  }

  // ——— The request, on its way upstream ———

  /** The client's next bytes: the offset behind what was used of them, 0 while none can be taken. */
  takeBody(bytes: Buffer): number {
    const { content, upstream } = this;
    if (content.isComplete) return 0;
    if (this.phase === 'collecting') {
      this.expireIn(this.gate.timeouts.idleMs);
      return content.collect(bytes);
    }
    if (upstream === undefined || isFull(upstream.socket)) return 0;
    const pieces: BodyPiece[] = [];
    const end = content.reader.read(bytes, 0, pieces);
    if (content.reader.problem !== undefined) {
      this.failRequest(400, content.reader.problem);
      return bytes.length;
    }
    if (this.unsentHead === '') writePieces(upstream.socket, pieces);
    else this.sendHeld(upstream, pieces);
    if (content.reader.done) this.onRequestSent();
    else this.expireIn(this.gate.timeouts.idleMs);
    return end;
  }

  onBodyWanted(): void {
    if (this.clientIsGone) {
      this.content.giveUp();
      return;
    }
    this.phase = 'collecting';
    this.expireIn(this.gate.timeouts.idleMs);
    this.client.pump();
  }

  onBodyRead(): void {
    this.phase = 'deciding';
    this.client.deadlineMs = Number.POSITIVE_INFINITY;
  }

  private connect(allowed: Allowed): void {
    const { problem } = this.content.reader;
    if (problem !== undefined) {
      this.failRequest(400, problem);
      return;
    }
    if (allowed.body !== undefined) this.content.replace(allowed.body);
    if (!this.putHead(allowed)) {
      this.fail('upstreamUnreachable', 'a header for the upstream holds a byte that no header may hold');
      return;
    }
    const hasBody = this.content.framing.kind !== 'none';
    if (hasBody) this.unsentHead = String(outgoing);
    this.phase = 'connecting';
    this.pool = this.lane.pool(allowed.upstream);
    const connection = this.pool.acquire(this);
    if (connection === undefined) this.expireIn(this.gate.timeouts.connectMs);
    else if (hasBody) this.onUpstreamConnect(connection);
    else this.sendHead(connection);
  }

  private putHead(allowed: Allowed): boolean {
    const { method, target, headers } = this.head;
    return putRequest(outgoing, { method, target, headers, fields: this.fields }, allowed, this.content.framing);
  }

  /** Of a request without a body: what was put together goes out. */
  private sendHead(connection: UpstreamConnection): void {
    this.upstream = connection;
    this.forwardedMs = performance.now();
    this.sentTurn = outgoing.turn;
    outgoing.send(connection.socket);
    this.onRequestSent();
  }

  private sendHeld(connection: UpstreamConnection, pieces: readonly BodyPiece[] | undefined): void {
    this.sentTurn = outgoing.turn;
    // Each read from a client is a buffer of its own, and so these can wait.
    outgoing.begin().text(this.unsentHead).send(connection.socket, pieces, true);
    this.unsentHead = '';
  }

  onUpstreamConnect(connection: UpstreamConnection): void {
    const { content } = this;
    if (content.framing.kind === 'none') {
      // Again: others have had their turn since, and this may be the second connection that it goes out on.
      this.putHead(this.decision as Allowed);
      this.sendHead(connection);
      return;
    }
    this.upstream = connection;
    this.forwardedMs = performance.now();
    const held = content.takeHeld();
    if (held !== undefined || !this.client.hasPending) this.sendHeld(connection, held);
    if (content.isComplete) {
      this.onRequestSent();
    } else {
      this.phase = 'sending';
      this.expireIn(this.gate.timeouts.idleMs);
      // What has come of the body makes one write with the head: pumping brings it here.
      this.client.pump();
    }
  }

  onUpstreamDrain(): void {
    this.expireIn(this.gate.timeouts.idleMs);
    this.client.pump();
  }

  private onRequestSent(): void {
    this.requestIsSent = true;
    // The answer may have begun before.
    if (this.answer.head !== undefined) return;
    this.phase = 'awaiting';
    this.expireIn(this.gate.timeouts.responseMs);
  }

  // ——— The answer, on its way to the client ———

  onUpstreamData(bytes: Buffer): void {
    const { answer, upstream } = this;
    if (upstream !== undefined && this.isUnasked()) {
      upstream.destroy();
      this.onUpstreamGone('the upstream spoke before it was asked');
      return;
    }
    const { socket } = this.client;
    const hadHead = answer.head !== undefined;
    answer.take(bytes, this.isLast, (this.decision as Allowed).responseHeaders);
    if (answer.head === undefined) {
      if (answer.problem !== undefined) this.fail('upstreamUnreachable', answer.problem);
      return;
    }
    if (!hadHead) this.noteAnswer(answer.head.status);
    // The client's system has not taken all of it yet.
    if (socket.writableLength > 0) upstream?.keepBytes();
    if (answer.problem !== undefined) {
      this.cut('upstreamGone');
    } else if (answer.done) {
      this.completeAnswer();
    } else {
      if (isFull(socket)) upstream?.socket.pause();
      this.expireIn(this.gate.timeouts.idleMs);
    }
  }

  /** What comes before the request has gone out, as a word of farewell may, is the answer to none. */
  private isUnasked(): boolean {
    return !this.answer.hasBegun && (this.unsentHead !== '' || this.sentTurn === outgoing.turn);
  }

  private noteAnswer(status: number): void {
    this.phase = 'relaying';
    this.status = status;
    this.upstreamMs = performance.now() - this.forwardedMs;
  }

  onClientDrain(): void {
    if (this.phase !== 'relaying') return;
    this.upstream?.socket.resume();
    this.expireIn(this.gate.timeouts.idleMs);
  }

  onUpstreamEnd(): void {
    if (this.answer.takeEnd()) {
      this.completeAnswer();
    } else {
      this.upstream?.destroy();
      this.onUpstreamGone('the upstream closed the connection');
    }
  }

  private completeAnswer(): void {
    const { upstream, answer } = this;
    this.upstream = undefined;
    if (upstream !== undefined) {
      // Whatever is left on it, in either direction, would be taken for the next request's.
      const isClean = answer.done && !answer.hasSurplus && this.requestIsSent && upstream.socket.writableLength === 0;
      if (isClean && answer.head?.keepAlive === true) this.pool?.release(upstream, answer.head.keepAliveMs);
      else upstream.destroy();
    }
    this.flush();
  }

  onUpstreamGone(detail: string): void {
    const { upstream } = this;
    this.upstream = undefined;
    if (this.answer.head !== undefined) {
      this.cut('upstreamGone');
    } else if (upstream !== undefined && this.mayRetry(upstream)) {
      this.retried = true;
      this.phase = 'connecting';
      this.expireIn(this.gate.timeouts.connectMs);
      this.pool?.acquireNew(this);
    } else {
      this.fail('upstreamUnreachable', detail);
    }
  }

  /** A connection that the upstream had closed meanwhile: nothing was answered, and nobody minds a second try. */
  private mayRetry(upstream: UpstreamConnection): boolean {
    const isSafe = this.content.framing.kind === 'none' && idempotentMethods.has(this.head.method);
    return !this.retried && upstream.reused && !this.answer.hasBegun && isSafe;
  }

  // ——— The end, good or bad ———

  /** The client's connection has ended its side, and so nobody waits for an answer that is not written yet. */
  onClientEnd(): void {
    this.isLast = true;
    if (this.phase !== 'flushing') this.client.socket.destroy();
  }

  onClientGone(): void {
    if (this.phase === 'over') return;
    this.clientIsGone = true;
    this.dropUpstream();
    this.content.giveUp();
    // The outcome names the decision, and so waits for it.
    if (this.decision !== undefined) this.finish('clientGone');
  }

  onDeadline(): void {
    const { connectMs, idleMs, responseMs } = this.gate.timeouts;
    switch (this.phase) {
      case 'connecting':
        this.fail('upstreamTimeout', `no connection within ${connectMs} ms`);
        break;
      case 'collecting':
        this.content.giveUp();
        break;
      case 'sending':
        if (this.upstream !== undefined && isFull(this.upstream.socket)) {
          this.fail('upstreamTimeout', `the upstream took none of the body for ${idleMs} ms`);
        } else {
          this.failRequest(408, `the client sent none of its body for ${idleMs} ms`);
        }
        break;
      case 'awaiting':
        this.fail('upstreamTimeout', `no answer within ${responseMs} ms`);
        break;
      case 'relaying':
        this.cut(isFull(this.client.socket) ? 'clientGone' : 'upstreamGone');
        break;
      case 'flushing':
        this.cut('clientGone');
        break;
    }
  }

  /** Ends an answer that is still streaming where its permit is over. */
  reconsider(verdict: Reconsider): void {
    if (this.phase !== 'relaying' || this.decision?.kind !== 'allowed') return;
    if (verdict(this.decision, performance.now() - this.startedMs) === 'end') this.cut('permitEnded');
  }

  /** The upstream's fault, before its answer began. */
  private fail(reason: Extract<Reason, 'upstreamUnreachable' | 'upstreamTimeout'>, detail: string): void {
    const allowed = this.decision as Allowed;
    this.answerOwn(this.gate.refuse(reason, detail, { head: this.head, allowed }));
  }

  /** The client's fault within its body: what follows can't be told apart from the next request. */
  private failRequest(status: 400 | 408, detail: string): void {
    if (this.answer.head !== undefined) {
      this.cut('clientGone');
      return;
    }
    const allowed = this.decision as Allowed;
    this.answerOwn(this.gate.refuse('requestRefused', detail, { head: this.head, allowed, status, close: true }));
  }

  /** Writes the whole answer, where none has begun. */
  private answerOwn(answer: Answered | Refused): void {
    this.dropUpstream();
    // What the client is told is what is reported, also where the gate had allowed and the upstream failed.
    this.decision = answer;
    if (answer.close || this.content.isInTheWay) this.isLast = true;
    this.status = answer.status;
    this.ownBytes = Buffer.byteLength(answer.body);
    putOwnAnswer(outgoing, answer, this.head.method, this.isLast);
    outgoing.send(this.client.socket);
    this.flush();
  }

  /** Waits until the client's system has taken the answer. */
  private flush(): void {
    const { socket } = this.client;
    this.phase = 'flushing';
    if (socket.writableLength === 0) {
      this.conclude();
      return;
    }
    this.expireIn(this.gate.timeouts.idleMs);
    socket.write('', () => {
      if (this.phase === 'flushing' && !socket.destroyed) this.conclude();
    });
  }

  private conclude(): void {
    this.finish('complete');
    const { reader } = this.content;
    this.client.onExchangeOver(!this.isLast, reader.done ? undefined : reader);
  }

  /** Ends both sides at once, so that neither waits for what will not come. */
  private cut(by: Exclude<Outcome['end'], 'complete'>): void {
    this.dropUpstream();
    this.finish(by);
    this.client.socket.destroy();
  }

  private dropUpstream(): void {
    if (this.upstream !== undefined) this.upstream.destroy();
    else if (this.phase === 'connecting') this.pool?.leave(this);
    this.upstream = undefined;
  }

  private expireIn(ms: number): void {
    this.client.deadlineMs = performance.now() + ms;
  }

  private finish(end: Outcome['end']): void {
    this.phase = 'over';
    this.gate.finish({
      head: this.head,
      decision: this.decision as Decision,
      lane: 'fast',
      status: this.status,
      requestBytes: this.content.reader.bodyBytes,
      responseBytes: this.ownBytes + this.answer.bodyBytes,
      durationMs: performance.now() - this.startedMs,
      forwardedMs: this.forwardedMs === 0 ? undefined : this.forwardedMs - this.startedMs,
      upstreamMs: this.upstreamMs,
      end,
    });
  }
}
