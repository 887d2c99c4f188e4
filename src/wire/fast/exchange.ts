import type { Allowed, Answered, Decision, Refused } from '../../gate/decision.ts';
import type { BodyRead, Gate, Outcome, RequestBody } from '../../gate/gate.ts';
import type { Reason } from '../../gate/reasons.ts';
import type { RequestHead } from '../../gate/request-head.ts';
import type { Reconsider } from '../expiry.ts';
import { isTrailerField } from '../field-lists.ts';
import type { BodyFraming } from '../framing.ts';
import { refuseForGateFault } from '../gate-fault.ts';
import { type AnswerHead, answerText, hasBody, interimText, parseAnswerHead } from './answer-head.ts';
import { BodyCollector } from './body-collector.ts';
import { type BodyPiece, createChunkedReader } from './chunked.ts';
import type { ClientConnection, LaneServices } from './client-connection.ts';
import { type BodyReader, LengthReader, lastChunk, noBodyReader, UntilCloseReader } from './framing.ts';
import { httpDate } from './http-date.ts';
import { ownAnswer } from './own-answer.ts';
import { requestText } from './request-text.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream-connection.ts';
import type { UpstreamPool } from './upstream-pool.ts';
import { isFull, writePieces } from './write-pieces.ts';

/**
 * What the exchange waits for, and so what it means when its deadline passes.
 *
 * deciding → (collecting → deciding) → connecting → sending → awaiting → relaying → flushing → over; an own answer goes
 * from anywhere before `relaying` to `flushing`.
 */
type Phase = 'deciding' | 'collecting' | 'connecting' | 'sending' | 'awaiting' | 'relaying' | 'flushing' | 'over';

/** Safe to send twice (RFC 9110 section 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** More interim answers than any real upstream sends are dropped: they would not wait for a slow client. */
const mostInterimAnswers = 32;

/** The most of an unread body that is read into nothing to keep the connection of a refused request. */
const discardBytes = 64 * 1024;

/** One request's life, from its head to `gate.finish`. */
export class Exchange implements UpstreamUser, RequestBody {
  /** The connection ends after this one. */
  isLast: boolean;
  private readonly client: ClientConnection;
  private readonly lane: LaneServices;
  /** The request's own: it keeps its policy to the end. */
  private readonly gate: Gate;
  private readonly head: RequestHead;
  private framing: BodyFraming;
  private readonly startedMs: number;

  private phase: Phase = 'deciding';
  private decision: Decision | undefined;
  private clientIsGone = false;
  private requestReader: BodyReader;
  private collector: BodyCollector | undefined;
  /** A body that the gate gives in place of the client's. */
  private replacement: Uint8Array | undefined;

  private pool: UpstreamPool | undefined;
  private upstream: UpstreamConnection | undefined;
  private requestIsSent = false;
  /** The head for the upstream, while it waits for a connection or for the body's first bytes. */
  private unsentHead = '';
  private retried = false;

  /** The beginning of an answer's head. */
  private partialAnswer: Buffer | undefined;
  private interimAnswers = 0;
  private answer: AnswerHead | undefined;
  private answerReader: BodyReader = noBodyReader;

  private status = 0;
  private responseBytes = 0;
  private forwardedMs = 0;
  private upstreamMs: number | undefined;

  constructor(
    client: ClientConnection,
    lane: LaneServices,
    gate: Gate,
    head: RequestHead,
    framing: BodyFraming,
    isLast: boolean,
    startedMs: number,
  ) {
    this.client = client;
    this.lane = lane;
    this.gate = gate;
    this.head = head;
    this.framing = framing;
    this.isLast = isLast;
    this.startedMs = startedMs;
    this.requestReader = requestReaderFor(framing, gate);
  }

  start(): void {
    let decision: Decision | Promise<Decision>;
    try {
      decision = this.gate.decide(this.head, this);
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

  /** The client's next bytes: the offset behind what was used of them, 0 while none can be taken. */
  takeBody(bytes: Buffer): number {
    if (this.requestReader.done) return 0;
    if (this.phase === 'collecting') return this.collect(bytes);
    if (this.upstream === undefined || isFull(this.upstream.socket)) return 0;
    const pieces: BodyPiece[] = [];
    const end = this.requestReader.read(bytes, 0, pieces);
    if (this.requestReader.problem !== undefined) {
      this.failRequest(400, this.requestReader.problem);
      return bytes.length;
    }
    writePieces(this.upstream.socket, this.unsentHead, pieces);
    this.unsentHead = '';
    if (this.requestReader.done) this.onRequestSent();
    else this.expireIn(this.gate.timeouts.idleMs);
    return end;
  }

  /** For the gate: reads the whole body before the decision. */
  read(maxBytes: number): Promise<BodyRead> {
    const { framing } = this;
    if (framing.kind === 'none') return Promise.resolve({ kind: 'read', bytes: new Uint8Array() });
    if (framing.kind === 'length' && framing.bytes > maxBytes) return Promise.resolve({ kind: 'tooLarge' });
    if (this.collector !== undefined) return this.collector.result;
    this.collector = new BodyCollector(maxBytes);
    if (this.clientIsGone) {
      this.collector.giveUp('broken');
    } else {
      this.phase = 'collecting';
      this.expireIn(this.gate.timeouts.idleMs);
      this.client.pump();
    }
    return this.collector.result;
  }

  private collect(bytes: Buffer): number {
    const collector = this.collector as BodyCollector;
    const end = this.requestReader.read(bytes, 0, collector.held);
    const { problem, bodyBytes, done } = this.requestReader;
    if (problem === undefined && bodyBytes <= collector.maxBytes && !done) {
      this.expireIn(this.gate.timeouts.idleMs);
      return end;
    }
    this.stopCollecting();
    if (problem !== undefined) collector.giveUp('broken');
    else if (bodyBytes > collector.maxBytes) collector.giveUp('tooLarge');
    else collector.complete(this.framing.kind === 'chunked');
    return end;
  }

  private stopCollecting(): void {
    this.phase = 'deciding';
    this.client.deadlineMs = Number.POSITIVE_INFINITY;
  }

  private connect(allowed: Allowed): void {
    const { problem } = this.requestReader;
    if (problem !== undefined) {
      this.failRequest(400, problem);
      return;
    }
    if (allowed.body !== undefined && allowed.body !== this.collector?.content) this.replaceBody(allowed.body);
    const text = requestText(this.head, allowed, this.framing);
    if (text === undefined) {
      this.fail('upstreamUnreachable', 'a header for the upstream holds a byte that no header may hold');
      return;
    }
    this.unsentHead = text;
    this.phase = 'connecting';
    this.pool = this.lane.pool(allowed.upstream);
    const connection = this.pool.acquire(this);
    if (connection === undefined) this.expireIn(this.gate.timeouts.connectMs);
    else this.onUpstreamConnect(connection);
  }

  private replaceBody(body: Uint8Array): void {
    if (this.framing.kind === 'none' && body.byteLength === 0) return;
    this.replacement = body;
    this.framing = { kind: 'length', bytes: body.byteLength };
  }

  onUpstreamConnect(connection: UpstreamConnection): void {
    this.upstream = connection;
    this.forwardedMs = performance.now();
    if (this.framing.kind === 'none') {
      // The head is kept: it is sent again where the connection turns out to be dead.
      connection.socket.write(this.unsentHead, 'latin1');
      this.onRequestSent();
      return;
    }
    const held = this.replacement === undefined ? this.collector?.held : [Buffer.from(this.replacement)];
    if (held !== undefined || !this.client.hasPending) {
      writePieces(connection.socket, this.unsentHead, held ?? []);
      this.unsentHead = '';
    }
    if (this.requestReader.done || this.replacement !== undefined) {
      this.onRequestSent();
    } else {
      this.phase = 'sending';
      this.expireIn(this.gate.timeouts.idleMs);
      // What has come of the body makes one write with the head: pumping brings it here.
      this.client.pump();
    }
  }

  private onRequestSent(): void {
    this.requestIsSent = true;
    // The answer may have begun before.
    if (this.answer !== undefined) return;
    this.phase = 'awaiting';
    this.expireIn(this.gate.timeouts.responseMs);
  }

  onUpstreamDrain(): void {
    this.expireIn(this.gate.timeouts.idleMs);
    this.client.pump();
  }

  onUpstreamData(bytes: Buffer): void {
    if (this.answer !== undefined) {
      this.relay(bytes, 0, '');
      return;
    }
    const buffer = this.partialAnswer === undefined ? bytes : Buffer.concat([this.partialAnswer, bytes]);
    let at = 0;
    for (;;) {
      const answer = parseAnswerHead(buffer, at);
      if (answer.kind === 'broken') {
        this.fail('upstreamUnreachable', answer.detail);
        return;
      }
      if (answer.kind === 'incomplete') {
        this.partialAnswer = Buffer.from(buffer.subarray(at));
        return;
      }
      if (answer.status >= 200) {
        this.passHead(answer, buffer);
        return;
      }
      if (!this.passInterim(answer, buffer)) return;
      at = answer.end;
    }
  }

  /** RFC 9110 section 15.2: a proxy forwards interim answers. A switch was not asked for (section 15.2.2). */
  private passInterim(answer: AnswerHead, buffer: Buffer): boolean {
    if (answer.status === 101) {
      this.fail('upstreamUnreachable', 'the upstream switched to a protocol that was not asked for');
      return false;
    }
    this.interimAnswers++;
    if (this.interimAnswers <= mostInterimAnswers) this.client.socket.write(interimText(answer, buffer), 'latin1');
    return true;
  }

  private passHead(answer: AnswerHead, buffer: Buffer): void {
    const { method } = this.head;
    const { responseHeaders } = this.decision as Allowed;
    this.answer = answer;
    this.partialAnswer = undefined;
    this.phase = 'relaying';
    this.status = answer.status;
    this.upstreamMs = performance.now() - this.forwardedMs;
    this.answerReader = answerReaderFor(answer, method);
    this.relay(
      buffer,
      answer.end,
      answerText(answer, buffer, { method, close: this.isLast, set: responseHeaders, date: httpDate }),
    );
  }

  private relay(bytes: Buffer, from: number, head: string): void {
    const pieces: BodyPiece[] = [];
    const reader = this.answerReader;
    const end = reader.read(bytes, from, pieces);
    if (reader.problem !== undefined) {
      this.cut('upstreamGone');
      return;
    }
    const { socket } = this.client;
    writePieces(socket, head, pieces);
    // The system has not taken all of it yet.
    if (socket.writableLength > 0) this.upstream?.keepBytes();
    if (reader.done) {
      this.completeAnswer(end === bytes.length);
      return;
    }
    if (isFull(socket)) this.upstream?.socket.pause();
    this.expireIn(this.gate.timeouts.idleMs);
  }

  onClientDrain(): void {
    if (this.phase !== 'relaying') return;
    this.upstream?.socket.resume();
    this.expireIn(this.gate.timeouts.idleMs);
  }

  /** `isAll`: nothing came behind the answer's end. What did would be taken for the next request's answer. */
  private completeAnswer(isAll: boolean): void {
    const { upstream, answer } = this;
    this.upstream = undefined;
    if (upstream !== undefined) {
      const isClean = isAll && this.requestIsSent && upstream.socket.writableLength === 0;
      if (isClean && answer?.keepAlive === true) this.pool?.release(upstream, answer.keepAliveMs);
      else upstream.destroy();
    }
    this.flush();
  }

  onUpstreamEnd(): void {
    if (this.answerReader instanceof UntilCloseReader) {
      this.client.socket.write(lastChunk, 'latin1');
      this.completeAnswer(false);
    } else {
      this.upstream?.destroy();
      this.onUpstreamGone('the upstream closed the connection');
    }
  }

  onUpstreamGone(detail: string): void {
    const { upstream } = this;
    this.upstream = undefined;
    if (this.answer !== undefined) {
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
    const nothingReceived = this.partialAnswer === undefined && this.interimAnswers === 0;
    const isSafe = this.framing.kind === 'none' && idempotentMethods.has(this.head.method);
    return !this.retried && upstream.reused && nothingReceived && isSafe;
  }

  /** The client's connection has ended its side, and so nobody waits for an answer that is not written yet. */
  onClientEnd(): void {
    this.isLast = true;
    if (this.phase !== 'flushing') this.client.socket.destroy();
  }

  onClientGone(): void {
    if (this.phase === 'over') return;
    this.clientIsGone = true;
    this.dropUpstream();
    this.collector?.giveUp('broken');
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
        this.stopCollecting();
        this.collector?.giveUp('broken');
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
    if (this.answer !== undefined) {
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
    if (answer.close || this.bodyIsInTheWay()) this.isLast = true;
    this.status = answer.status;
    this.responseBytes = Buffer.byteLength(answer.body);
    this.client.socket.write(ownAnswer(answer, this.head.method, this.isLast));
    this.flush();
  }

  /** Is so much of the body still to come that the connection is better closed? */
  private bodyIsInTheWay(): boolean {
    if (this.requestReader.done) return false;
    if (this.requestReader.problem !== undefined) return true;
    return this.framing.kind !== 'length' || this.framing.bytes > discardBytes;
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
    this.client.onExchangeOver(!this.isLast, this.requestReader.done ? undefined : this.requestReader);
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
      requestBytes: this.requestReader.bodyBytes,
      responseBytes: this.responseBytes + this.answerReader.bodyBytes,
      durationMs: performance.now() - this.startedMs,
      upstreamMs: this.upstreamMs,
      end,
    });
  }
}

function requestReaderFor(framing: BodyFraming, gate: Gate): BodyReader {
  switch (framing.kind) {
    case 'none':
      return noBodyReader;
    case 'length':
      return new LengthReader(framing.bytes);
    case 'chunked':
      return createChunkedReader((name) => isTrailerField(name.toLowerCase()) && !gate.isReservedName(name));
  }
}

function answerReaderFor(answer: AnswerHead, method: string): BodyReader {
  if (!hasBody(answer, method)) return noBodyReader;
  if (answer.chunked) return createChunkedReader((name) => isTrailerField(name.toLowerCase()));
  return answer.length === undefined ? new UntilCloseReader() : new LengthReader(answer.length);
}
