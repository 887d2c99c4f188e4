import { type AnswerHead, listFields } from '../fast/answer-head.ts';
import { AnswerReader, type InterimTaker } from '../fast/answer-reader.ts';
import type { BodyPiece } from '../fast/chunked.ts';
import { lastChunkWith } from '../fast/framing.ts';
import { isFull, outgoing, writePieces } from '../fast/outgoing.ts';
import { putRequest } from '../fast/put-request.ts';
import type { UpstreamConnection, UpstreamUser } from '../fast/upstream-connection.ts';
import type { UpstreamPool } from '../fast/upstream-pool.ts';
import type { UpstreamPools } from '../fast/upstream-pools.ts';
import type { SlotWaiter } from '../upstream-slots.ts';
import type { CallEvents, CallFailure, CallRequest, UpstreamCall } from './upstream-call.ts';

/** Up to this size data is cheaper copied than kept, and with it the buffer for the next read. */
const mostCopiedBytes = 4_096;

const nothing = Buffer.alloc(0);

/** A call by HTTP/1.1, on the fast lane's kind of connection. `fresh`: on one that was not used before. */
export function startHttp1Call(
  request: CallRequest,
  pools: UpstreamPools,
  events: CallEvents,
  { fresh }: { readonly fresh: boolean },
): UpstreamCall {
  const call = new Http1Call(request, pools.get(request.upstream), events);
  call.start(fresh);
  return call;
}

class Http1Call implements UpstreamCall, UpstreamUser, InterimTaker {
  waiter: SlotWaiter | undefined;
  private readonly request: CallRequest;
  private readonly pool: UpstreamPool;
  private readonly events: CallEvents;
  private readonly answer: AnswerReader;
  /** Undefined before there is one, and when it was given back or is gone. */
  private connection: UpstreamConnection | undefined;
  /** The head of a request with a body, until the body's first bytes are there, or the turn is over. */
  private unsentHead = '';
  /** The turn in which the head was sent (`Outgoing.turn`); -1: it was not. */
  private sentTurn = -1;
  private requestIsSent = false;
  /** Whoever started it hears no more of it. */
  private over = false;

  constructor(request: CallRequest, pool: UpstreamPool, events: CallEvents) {
    this.request = request;
    this.pool = pool;
    this.events = events;
    this.answer = new AnswerReader(request.method);
  }

  start(fresh: boolean): void {
    if (fresh) {
      this.pool.acquireNew(this);
      return;
    }
    this.connection = this.pool.acquire(this);
    // The caller has to know its call first.
    if (this.connection !== undefined) queueMicrotask(() => this.begin());
  }

  // ——— The request, on its way upstream ———

  onUpstreamConnect(connection: UpstreamConnection): void {
    this.connection = connection;
    this.begin();
  }

  private begin(): void {
    const { connection } = this;
    if (connection === undefined) return;
    const { method, target, headers, body, trailerNames } = this.request;
    const inbound = { method, target: '', headers: [], fields: '' };
    if (!putRequest(outgoing, inbound, { target, headers }, body, trailerNames)) {
      this.fail('a header for the upstream holds a byte that no header may hold', 'unknown');
      return;
    }
    if (body.kind === 'none') {
      this.sentTurn = outgoing.turn;
      outgoing.send(connection.socket);
    } else {
      this.unsentHead = String(outgoing);
      // A body that lets wait for itself must not hold its head back.
      setImmediate(() => this.send([]));
    }
    this.events.onConnected();
  }

  write(chunk: Uint8Array): boolean {
    const { byteLength } = chunk;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, byteLength);
    // An empty chunk would be the last one.
    if (byteLength === 0) return !this.isFull;
    this.send(this.request.body.kind === 'chunked' ? [`${byteLength.toString(16)}\r\n`, bytes, '\r\n'] : [bytes]);
    return !this.isFull;
  }

  get isFull(): boolean {
    return this.connection !== undefined && isFull(this.connection.socket);
  }

  end(trailers: readonly (readonly [string, string])[]): void {
    if (this.connection === undefined) return;
    this.send(this.request.body.kind === 'chunked' ? [lastChunkWith(trailers)] : []);
    this.requestIsSent = true;
    this.events.onSent();
  }

  private send(pieces: readonly BodyPiece[]): void {
    const { connection, unsentHead } = this;
    if (connection === undefined) return;
    if (unsentHead === '') {
      if (pieces.length > 0) writePieces(connection.socket, pieces);
      return;
    }
    this.unsentHead = '';
    this.sentTurn = outgoing.turn;
    // Whoever writes leaves the bytes alone from then on, and so these can wait.
    outgoing.begin().text(unsentHead).send(connection.socket, pieces, true);
  }

  onUpstreamDrain(): void {
    this.events.onDrain();
  }

  // ——— The answer ———

  onUpstreamData(bytes: Buffer): void {
    const { answer } = this;
    if (this.isUnasked()) {
      this.onUpstreamGone('the upstream spoke before it was asked');
      return;
    }
    if (answer.head !== undefined) {
      this.passData(answer.readData(bytes, 0));
      return;
    }
    const whole = answer.findHead(bytes, this);
    if (whole !== undefined) this.passHead(answer.head as unknown as AnswerHead, whole);
    else if (answer.problem !== undefined) this.fail(answer.problem, 'unknown');
  }

  /** What comes before the request has gone out, as a word of farewell may, is the answer to none. */
  private isUnasked(): boolean {
    return !this.answer.hasBegun && (this.sentTurn === -1 || this.sentTurn === outgoing.turn);
  }

  takeInterim(head: AnswerHead, bytes: Buffer): void {
    if (!this.over) this.events.onInterim(head.status, listFields(head, bytes));
  }

  private passHead(head: AnswerHead, bytes: Buffer): void {
    const { answer, events } = this;
    const data = answer.readData(bytes, head.end);
    if (this.over) return;
    if (data === undefined) {
      this.fail(answer.problem as string, 'unknown');
      return;
    }
    const rest = answer.done && answer.trailers.length === 0 ? this.keep(data) : undefined;
    const rawHeaders = listFields(head, bytes);
    events.onHead({ status: head.status, httpVersion: head.version, rawHeaders, rest });
    this.passData(rest === undefined ? data : []);
  }

  private passData(data: readonly Buffer[] | undefined): void {
    const { answer } = this;
    if (this.over) return;
    if (data === undefined) {
      this.fail(answer.problem as string, 'unknown');
      return;
    }
    if (data.length > 0) this.events.onData(this.keep(data));
    if (!this.over && answer.done) this.complete();
  }

  /** The next read overwrites what this one brought, and the client takes it when it can. */
  private keep(data: readonly Buffer[]): Buffer {
    const [first = nothing, ...more] = data;
    if (more.length > 0) return Buffer.concat(data);
    if (first.length <= mostCopiedBytes) return Buffer.from(first);
    this.connection?.keepBytes();
    return first;
  }

  pause(): void {
    // One that is about to serve others goes on reading.
    if (!this.answer.done) this.connection?.socket.pause();
  }

  resume(): void {
    this.connection?.socket.resume();
  }

  onUpstreamEnd(): void {
    if (this.answer.endsWithConnection) this.complete();
    else this.onUpstreamGone('the upstream closed the connection');
  }

  private complete(): void {
    const { connection, answer } = this;
    this.connection = undefined;
    this.over = true;
    if (connection !== undefined) {
      // Whatever is left on it, in either direction, would be taken for the next request's.
      const isClean = answer.done && !answer.hasSurplus && this.requestIsSent && connection.socket.writableLength === 0;
      if (isClean && answer.head?.keepAlive === true) this.pool.release(connection, answer.head.keepAliveMs);
      else connection.destroy();
    }
    this.events.onEnd(answer.trailers);
  }

  // ——— The end before its time ———

  onUpstreamGone(detail: string): void {
    // A connection that the upstream had closed meanwhile, or was about to.
    const isUnanswered = this.connection?.reused === true && !this.answer.hasBegun;
    this.fail(detail, isUnanswered ? 'unanswered' : 'unknown');
  }

  private fail(detail: string, progress: CallFailure['progress']): void {
    if (this.over) return;
    this.abort();
    this.events.onFailure({ detail, progress });
  }

  abort(): void {
    if (this.over) return;
    this.over = true;
    if (this.connection !== undefined) this.connection.destroy();
    else this.pool.leave(this);
    this.connection = undefined;
  }
}
