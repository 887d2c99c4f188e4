import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Gate, Outcome } from '../../gate/gate.ts';
import type { Reconsider } from '../expiry.ts';
import { peerAddress } from '../read-head.ts';
import { clientCertificate } from '../tls/client-certificate.ts';
import { WaitingLine } from '../waiting-line.ts';
import { type ConnectionEnd, connectionEndOf, type SessionError } from './connection-end.ts';
import { errorCodes } from './error-codes.ts';
import { Http2Exchange, type Http2ExchangeInput } from './exchange.ts';
import { nodeHttp2 } from './node-http2.ts';
import { type FieldSection, readHttp2Head } from './request-head.ts';
import { ResetBudget } from './reset-budget.ts';

export interface ClientSessionInput {
  readonly socket: Socket;
  /** The policy of the moment; asked once for each request. */
  readonly gate: () => Gate;
  readonly maxStreams: number;
  readonly startCall: Http2ExchangeInput['startCall'];
  /** A connection on which nothing is under way is to end. */
  readonly isEnding: () => boolean;
  /** It is gone. `detail`: what was wrong with it, if anything. */
  readonly onClose: (session: ClientSession, end: ConnectionEnd, detail: string) => void;
}

/** How long a client may take to let go once it was told to; then its connection is cut. */
const goodbyeMs = 2_000;

/** One client's connection of HTTP/2, with its exchanges. */
export class ClientSession {
  readonly socket: Socket;
  private readonly input: ClientSessionInput;
  private readonly session: ServerHttp2Session;
  /** No Set: see `WaitingLine`. */
  private readonly exchanges = new WaitingLine<Http2Exchange>();
  private active = 0;
  private readonly budget = new ResetBudget(performance.now());
  private readonly peer: string;
  private idle: NodeJS.Timeout | undefined;
  private leaving = false;
  private served = false;
  /** It went with requests under way. */
  private brokeOff = false;
  private conclusion: [end: ConnectionEnd, detail: string] | undefined;

  constructor(input: ClientSessionInput) {
    const { socket, gate, maxStreams } = input;
    const { limits, timeouts } = gate();
    this.input = input;
    this.socket = socket;
    this.peer = peerAddress(socket.remoteAddress);
    // A client that ends its side has left: there are no answers to wait for on a connection that takes no more.
    socket.allowHalfOpen = false;
    const mostFields = limits.headerCount + 8;
    this.session = nodeHttp2().performServerHandshake(socket, {
      settings: {
        maxConcurrentStreams: maxStreams,
        // As RFC 9113 section 6.5.2 counts; what is a little over gets an answer, and what is more its stream reset.
        maxHeaderListSize: limits.headerBytes + mostFields * 64,
        enableConnectProtocol: false,
      },
      maxHeaderListPairs: mostFields * 2,
      maxSettings: 16,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      streamResetBurst: 500,
      streamResetRate: 50,
      // An upstream's repeated fields are not ours to judge.
      strictSingleValueFields: false,
    });
    this.session
      .on('stream', (stream, _fields, flags, section) => this.takeStream(stream, flags, section as FieldSection))
      // 'close' always follows.
      .on('error', (error: SessionError & Error) => this.conclude(connectionEndOf(error), error.message))
      .on('close', () => {
        clearTimeout(this.idle);
        this.conclude(this.brokeOff ? 'aborted' : 'complete', '');
        input.onClose(this, ...(this.conclusion as [ConnectionEnd, string]));
      });
    this.awaitStream(timeouts.headerMs);
  }

  get activeExchanges(): number {
    return this.active;
  }

  private takeStream(stream: ServerHttp2Stream, flags: number, section: FieldSection): void {
    if (stream.destroyed) {
      // Reset before it was looked at.
      stream.on('error', () => undefined);
      this.countBroken();
      return;
    }
    clearTimeout(this.idle);
    this.served = true;
    const gate = this.input.gate();
    const endsHere = (flags & endStreamFlag) !== 0;
    const read = readHttp2Head(section, endsHere, gate.limits);
    const common = { stream, gate, startCall: this.input.startCall };
    if (read.kind === 'fault') {
      const { status, detail } = read.fault;
      const none = { head: undefined, framing: { kind: 'none' }, expectsContinue: false } as const;
      this.begin({ ...common, ...none }).refuse(gate.refuse('requestRefused', detail, { status, close: false }));
      return;
    }
    const { method, target, headers, body: framing, expectsContinue } = read;
    const { peer, socket } = this;
    const head = {
      id: gate.requestId(peer, headers),
      method,
      target,
      httpVersion: '2',
      headers,
      scheme: (socket as TLSSocket).encrypted === true ? 'https' : 'http',
      peer,
      clientCertificate: clientCertificate(socket),
    } as const;
    this.begin({ ...common, head, framing, expectsContinue }).start(head);
  }

  private begin(input: Omit<Http2ExchangeInput, 'onOver'>): Http2Exchange {
    const exchange: Http2Exchange = new Http2Exchange({ ...input, onOver: (end) => this.onOver(exchange, end) });
    this.exchanges.join(exchange);
    this.active++;
    return exchange;
  }

  private onOver(exchange: Http2Exchange, end: Outcome['end']): void {
    if (this.exchanges.leave(exchange)) this.active--;
    this.brokeOff ||= end === 'clientGone' && this.session.destroyed;
    if (end === 'clientGone') this.countBroken();
    if (this.active > 0) return;
    if (this.leaving) this.cutSoon();
    else if (this.input.isEnding()) this.leave();
    else this.awaitStream(this.input.gate().timeouts.idleMs);
  }

  private countBroken(): void {
    if (this.budget.spend(performance.now()) || this.session.destroyed) return;
    this.conclude('resets', 'too many requests came to nothing');
    // Node takes a code in place of the error; its types do not.
    this.session.destroy(errorCodes.enhanceYourCalm as unknown as Error);
  }

  /** With nothing under way for this long the connection ends. */
  private awaitStream(ms: number): void {
    clearTimeout(this.idle);
    if (this.session.destroyed) return;
    this.idle = setTimeout(() => {
      if (!this.served) this.conclude('timeout', `no request within ${ms} ms`);
      this.leave();
    }, ms).unref();
  }

  /** What is known first is why it ends. */
  private conclude(end: ConnectionEnd, detail: string): void {
    this.conclusion ??= [end, detail];
  }

  /**
   * No stream is taken any more, and the client told which was the last (RFC 9113 section 6.8), so that it can try the
   * others elsewhere; the connection ends when that one has.
   */
  leave(): void {
    if (this.leaving || this.session.destroyed) return;
    this.leaving = true;
    this.session.close();
    if (this.active === 0) this.cutSoon();
  }

  /** A head that never came to its end would hold the session open. */
  private cutSoon(): void {
    clearTimeout(this.idle);
    if (!this.session.destroyed) this.idle = setTimeout(() => this.destroy(), goodbyeMs).unref();
  }

  reconsider(verdict: Reconsider): void {
    for (const exchange of [...this.exchanges]) exchange.reconsider(verdict);
  }

  /** Cuts it, and all that is under way. */
  destroy(): void {
    this.conclude('complete', '');
    for (const exchange of [...this.exchanges]) exchange.cut('clientGone', errorCodes.cancel);
    this.session.destroy();
    this.socket.destroy();
  }
}

/** RFC 9113 section 6.2. */
const endStreamFlag = 0x1;
