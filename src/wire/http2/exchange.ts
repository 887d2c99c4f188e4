import type { ServerHttp2Stream } from 'node:http2';
import type { Allowed, Answer, Answered, Decision, Refused } from '../../gate/decision.ts';
import type { Gate, Outcome } from '../../gate/gate.ts';
import type { Reason } from '../../gate/reasons.ts';
import type { RequestHead } from '../../gate/request-head.ts';
import type { CallEvents, CallFailure, CallHead, CallRequest, UpstreamCall } from '../call/upstream-call.ts';
import type { Reconsider } from '../expiry.ts';
import type { BodyFraming } from '../framing.ts';
import { refuseForGateFault } from '../gate-fault.ts';
import { ReadableBody } from '../request-body.ts';
import { interimFields, responseFields } from '../response-fields.ts';
import { announcedTrailers, requestTrailers, responseTrailers } from '../trailers.ts';
import type { InLine } from '../waiting-line.ts';
import { Watch } from '../watch.ts';
import { answerFields, fieldRecord } from './answer-fields.ts';
import { errorCodes } from './error-codes.ts';
import { grpcRefusal, speaksGrpc } from './grpc.ts';
import { resetStream } from './reset-stream.ts';

export interface Http2ExchangeInput {
  readonly stream: ServerHttp2Stream;
  /** The request's own: it keeps its policy to the end. */
  readonly gate: Gate;
  /** Undefined where the request was not clear. */
  readonly head: RequestHead | undefined;
  readonly framing: BodyFraming;
  readonly expectsContinue: boolean;
  /** Sends it upstream; `fresh`: not on a connection that was used before. */
  readonly startCall: (request: CallRequest, events: CallEvents, options: { readonly fresh: boolean }) => UpstreamCall;
  /** Called once, when it is reported. */
  readonly onOver: (end: Outcome['end']) => void;
}

/** Safe to send twice (RFC 9110 section 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** More interim answers than any real upstream sends are dropped: they would not wait for a slow client. */
const mostInterimAnswers = 32;

/** One request's life on a stream of HTTP/2, from its head to `gate.finish`. */
export class Http2Exchange implements CallEvents, InLine<Http2Exchange> {
  ahead: Http2Exchange | undefined;
  behind: Http2Exchange | undefined;
  isInLine = false;
  private readonly input: Http2ExchangeInput;
  private readonly stream: ServerHttp2Stream;
  private readonly gate: Gate;
  private readonly content: ReadableBody;
  private readonly watch = new Watch();
  private readonly startedMs = performance.now();

  private decision: Decision | undefined;
  private call: UpstreamCall | undefined;
  private callBody: BodyFraming = { kind: 'none' };
  private rawTrailers: readonly string[] = [];
  private retried = false;
  private requestIsSent = false;
  private interimAnswers = 0;
  /** Undefined until the upstream's answer is whole. */
  private trailers: Record<string, string | string[]> | undefined;
  /** The answer's head has gone out. */
  private answered = false;
  /** All of the answer was handed to the stream. */
  private ended = false;
  private clientIsGone = false;
  private over = false;
  private cutBy: Exclude<Outcome['end'], 'complete'> | undefined;

  private status = 0;
  private requestBytes = 0;
  private responseBytes = 0;
  private forwardedMs = 0;
  private upstreamMs: number | undefined;

  constructor(input: Http2ExchangeInput) {
    const { stream, gate, framing } = input;
    this.input = input;
    this.stream = stream;
    this.gate = gate;
    this.content = new ReadableBody({
      request: stream,
      isWhole: () => !stream.aborted,
      framing,
      idleMs: gate.timeouts.idleMs,
      onRead: () => this.sayContinue(),
      onBytes: (bytes) => {
        this.requestBytes += bytes;
      },
    });
    stream.on('error', () => undefined);
    stream.once('close', () => this.onClosed());
    stream.on('drain', () => this.onClientDrain());
    stream.once('wantTrailers', () => {
      if (this.trailers !== undefined) stream.sendTrailers(this.trailers);
    });
    stream.once('trailers', (_fields, _flags, raw?: readonly string[]) => {
      this.rawTrailers = raw ?? [];
    });
  }

  /** A request that was not clear: refused without asking the gate. */
  refuse(refused: Refused): void {
    this.decision = refused;
    this.answerOwn(refused);
  }

  start(head: RequestHead): void {
    const onFault = (error: unknown) => this.obey(refuseForGateFault(this.gate, head, error));
    let decision: Decision | Promise<Decision>;
    try {
      decision = this.gate.decide(head, this.content);
    } catch (error) {
      onFault(error);
      return;
    }
    if (decision instanceof Promise) void decision.then((made) => this.obey(made), onFault);
    else this.obey(decision);
  }

  private obey(decision: Decision): void {
    this.decision = decision;
    if (this.clientIsGone) this.finish();
    else if (decision.kind === 'allowed') this.connect(decision, { fresh: false });
    else this.answerOwn(decision);
  }

  // ——— The request, on its way upstream ———

  private connect(allowed: Allowed, options: { readonly fresh: boolean }): void {
    const { upstream, target, headers } = allowed;
    const { method, headers: received } = this.head;
    const body = allowed.body ?? this.content.bytes;
    this.callBody = body === undefined ? this.input.framing : lengthOf(body);
    const trailerNames =
      this.callBody.kind === 'chunked' ? announcedTrailers(received, (name) => this.gate.isBarredTrailer(name)) : [];
    const { connectMs } = this.gate.timeouts;
    this.watch.start(connectMs, () => this.fail('upstreamTimeout', `no connection within ${connectMs} ms`));
    const request = { upstream, method, target, headers, body: this.callBody, trailerNames };
    this.call = this.input.startCall(request, this, options);
  }

  onConnected(): void {
    const { call } = this;
    if (call === undefined || this.decision?.kind !== 'allowed') return;
    this.forwardedMs = performance.now();
    const body = this.decision.body ?? this.content.bytes;
    if (body !== undefined || this.callBody.kind === 'none') {
      if (body !== undefined && body.byteLength > 0) call.write(body);
      call.end([]);
      this.awaitAnswer();
    } else {
      this.sayContinue();
      this.awaitBody();
      this.streamBody(call);
    }
  }

  private streamBody(call: UpstreamCall): void {
    const { stream } = this;
    // They are counted as they go on.
    this.requestBytes -= this.content.bytesPutBack;
    stream.on('data', (chunk: Buffer) => {
      this.requestBytes += chunk.byteLength;
      this.watch.refresh();
      if (!call.write(chunk)) stream.pause();
    });
    stream.once('end', () => {
      // Node ends a stream that was reset, too: half a body must not pass for all of it.
      if (stream.aborted) return;
      call.end(requestTrailers(this.rawTrailers, (name) => this.gate.isBarredTrailer(name)));
    });
    // The gate had it stopped, where it gave up reading.
    stream.resume();
  }

  onDrain(): void {
    this.watch.refresh();
    this.stream.resume();
  }

  onSent(): void {
    this.requestIsSent = true;
    if (!this.answered) this.awaitAnswer();
  }

  private awaitBody(): void {
    const { idleMs } = this.gate.timeouts;
    this.watch.start(idleMs, () => {
      if (this.call?.isFull === true) {
        this.fail('upstreamTimeout', `the upstream took none of the body for ${idleMs} ms`);
      } else {
        this.failRequest(`the client sent none of its body for ${idleMs} ms`);
      }
    });
  }

  private awaitAnswer(): void {
    const { responseMs } = this.gate.timeouts;
    this.watch.start(responseMs, () => this.fail('upstreamTimeout', `no answer within ${responseMs} ms`));
  }

  /** The client waits for a 100 before it sends its body (RFC 9110 section 10.1.1). */
  private sayContinue(): void {
    if (!this.input.expectsContinue || this.stream.headersSent || this.stream.destroyed) return;
    this.stream.additionalHeaders({ ':status': 100 });
  }

  // ——— The answer, on its way to the client ———

  onInterim(status: number, rawHeaders: readonly string[]): void {
    this.interimAnswers += 1;
    // A 100 is ours to say, and a switch of protocols is not known here.
    if (this.isOver || status < 102 || this.interimAnswers > mostInterimAnswers) return;
    this.stream.additionalHeaders({ ...fieldRecord(pairsOf(interimFields(rawHeaders))), ':status': status });
  }

  onHead(answer: CallHead): void {
    if (this.isOver) return;
    const { stream } = this;
    const { status, rest } = answer;
    const { method } = this.head;
    const list = responseFields(
      { statusCode: status, httpVersion: shortVersion(answer.httpVersion), rawHeaders: answer.rawHeaders },
      { method, clientVersion: '1.1', close: false, set: (this.decision as Allowed).responseHeaders },
    );
    const fields = answerFields(status, list);
    const mayHaveBody = method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304;
    const hasBody = mayHaveBody && rest?.byteLength !== 0;
    try {
      if (fields === undefined) throw new Error('a field that no header can be');
      // Node ends a stream in order before it resets it, and half an answer would pass for all of it: so that one which is
      // not all here waits for trailers, and with them for our word that it is whole.
      stream.respond(fields as string[], { endStream: !hasBody, waitForTrailers: hasBody && rest === undefined });
    } catch (error) {
      this.fail('upstreamUnreachable', `the answer's head can't be passed on: ${(error as Error).message}`);
      return;
    }
    this.answered = true;
    this.status = status;
    this.upstreamMs = performance.now() - this.forwardedMs;
    const { idleMs } = this.gate.timeouts;
    this.watch.start(idleMs, () => this.cut(stream.writableNeedDrain ? 'clientGone' : 'upstreamGone'));
    if (!hasBody) {
      this.endAnswer();
    } else if (rest !== undefined) {
      this.responseBytes = rest.byteLength;
      stream.end(rest);
      this.endAnswer();
    }
  }

  onData(chunk: Buffer): void {
    if (this.isOver || this.ended) return;
    this.responseBytes += chunk.byteLength;
    this.watch.refresh();
    if (!this.stream.write(chunk)) this.call?.pause();
  }

  private onClientDrain(): void {
    this.watch.refresh();
    this.call?.resume();
  }

  onEnd(rawTrailers: readonly string[]): void {
    if (this.isOver) return;
    const { stream, call } = this;
    this.trailers = fieldRecord(responseTrailers(rawTrailers));
    this.call = undefined;
    // Answered before all of the request was there: the upstream does not want the rest.
    if (!this.requestIsSent && !stream.readableEnded) call?.abort();
    this.endAnswer();
  }

  /** Nothing is to be added; what the client has still to send is not wanted (RFC 9113 section 8.1). */
  private endAnswer(): void {
    if (this.ended) return;
    this.ended = true;
    const { stream } = this;
    if (!stream.writableEnded) stream.end();
    // An unread body would hold the stream open.
    stream.resume();
    if (this.input.framing.kind === 'none') return;
    // Node hands frames over once around the loop: before, a reset would overtake the answer.
    const leave = () =>
      setImmediate(() => {
        if (!stream.readableEnded) stream.close(errorCodes.noError);
      });
    if (stream.writableFinished) leave();
    else stream.once('finish', leave);
  }

  onFailure(failure: CallFailure): void {
    if (this.isOver) return;
    this.call = undefined;
    if (this.answered) {
      this.cut('upstreamGone', failure.errorCode);
    } else if (this.mayRetry(failure)) {
      this.retried = true;
      this.connect(this.decision as Allowed, { fresh: true });
    } else {
      this.fail('upstreamUnreachable', failure.detail);
    }
  }

  private mayRetry({ progress }: CallFailure): boolean {
    if (this.retried || this.callBody.kind !== 'none') return false;
    return progress === 'untouched' || (progress === 'unanswered' && idempotentMethods.has(this.head.method));
  }

  // ——— The end, good or bad ———

  /** The upstream's fault, before its answer began. */
  private fail(reason: Extract<Reason, 'upstreamUnreachable' | 'upstreamTimeout'>, detail: string): void {
    if (this.isOver) return;
    const allowed = this.decision as Allowed;
    this.answerOwn(this.gate.refuse(reason, detail, { head: this.head, allowed }));
  }

  private failRequest(detail: string): void {
    if (this.answered) this.cut('clientGone');
    const allowed = this.decision as Allowed;
    if (!this.isOver)
      this.answerOwn(this.gate.refuse('requestRefused', detail, { head: this.head, allowed, status: 408 }));
  }

  /** Writes the whole answer, where none has begun. */
  private answerOwn(answer: Answered | Refused): void {
    this.dropCall();
    // What the client is told is what is reported, also where the gate had allowed and the upstream failed.
    this.decision = answer;
    this.status = answer.status;
    const { idleMs } = this.gate.timeouts;
    this.watch.start(idleMs, () => this.cut('clientGone'));
    const isGrpc = answer.kind === 'refused' && this.input.head !== undefined && speaksGrpc(this.input.head);
    this.respond(isGrpc ? grpcRefusal(answer) : answer);
  }

  private respond({ status, headers, body }: Pick<Answer, 'status' | 'headers' | 'body'>): void {
    const { stream } = this;
    const bytes = Buffer.from(body, 'utf8');
    const length = bytes.byteLength === 0 ? [] : ['content-length', String(bytes.byteLength)];
    const fields = answerFields(status, [...headers, ...length]) ?? [':status', status, ...length];
    const endStream = bytes.byteLength === 0 || this.input.head?.method === 'HEAD';
    try {
      stream.respond(fields as string[], { endStream });
    } catch {
      this.cut('clientGone');
      return;
    }
    this.answered = true;
    if (!endStream) {
      stream.end(bytes);
      this.responseBytes = bytes.byteLength;
    }
    this.endAnswer();
  }

  /** Ends both sides at once; the client sees that the answer is not whole. */
  cut(by: Exclude<Outcome['end'], 'complete'>, errorCode: number = errorCodes.internalError): void {
    if (this.over) return;
    this.cutBy ??= by;
    this.dropCall();
    resetStream(this.stream, errorCode === errorCodes.noError ? errorCodes.internalError : errorCode);
  }

  /** Ends an answer that is still streaming where its permit is over. */
  reconsider(verdict: Reconsider): void {
    if (!this.answered || this.ended || this.isOver || this.decision?.kind !== 'allowed') return;
    if (verdict(this.decision, performance.now() - this.startedMs) === 'end') {
      this.cut('permitEnded', errorCodes.cancel);
    }
  }

  private get isOver(): boolean {
    return this.over || this.clientIsGone || this.cutBy !== undefined;
  }

  private get head(): RequestHead {
    return this.input.head as RequestHead;
  }

  private dropCall(): void {
    this.call?.abort();
    this.call = undefined;
  }

  private onClosed(): void {
    this.clientIsGone = true;
    this.dropCall();
    // A client may leave while the gate still thinks: then the outcome waits for the decision.
    if (this.decision !== undefined) this.finish();
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.watch.stop();
    const { rstCode, aborted } = this.stream;
    const isWhole = this.ended && rstCode === errorCodes.noError && !aborted;
    const end = this.cutBy ?? (isWhole ? 'complete' : 'clientGone');
    this.gate.finish({
      head: this.input.head,
      decision: this.decision as Decision,
      lane: 'http2',
      status: this.status,
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
      durationMs: performance.now() - this.startedMs,
      forwardedMs: this.forwardedMs === 0 ? undefined : this.forwardedMs - this.startedMs,
      upstreamMs: this.upstreamMs,
      end,
    });
    this.input.onOver(end);
  }
}

function lengthOf(bytes: Uint8Array): BodyFraming {
  return bytes.byteLength === 0 ? { kind: 'none' } : { kind: 'length', bytes: bytes.byteLength };
}

/** As Via has it (RFC 9110 section 7.6.3). */
function shortVersion(version: string): string {
  return version === '2.0' ? '2' : version;
}

function* pairsOf(list: readonly string[]): Iterable<[string, string]> {
  for (let i = 0; i < list.length; i += 2) yield [list[i] as string, list[i + 1] as string];
}
