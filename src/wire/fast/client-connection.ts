import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '../../gate/client-certificate.ts';
import type { Gate } from '../../gate/gate.ts';
import type { Upstream } from '../../gate/policy.ts';
import type { Reconsider } from '../expiry.ts';
import { closeLingering, hangUp, mostReadIntoNothing } from '../linger.ts';
import { peerAddress } from '../read-head.ts';
import { clientCertificate } from '../tls/client-certificate.ts';
import { lf } from './byte-classes.ts';
import type { BodyPiece } from './chunked.ts';
import { Exchange } from './exchange.ts';
import type { BodyReader } from './framing.ts';
import { type CanonicalHead, type IllegalHead, parseRequestHead } from './head-parser.ts';
import { isFull, outgoing } from './outgoing.ts';
import { putOwnAnswer } from './put-own-answer.ts';
import type { CoarseTimer, Expiring } from './timers.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** What connections and exchanges ask of their lane. */
export interface LaneServices {
  readonly timer: CoarseTimer;
  /** Every answer that begins is its connection's last. */
  readonly ending: boolean;
  gate(): Gate;
  pool(upstream: Upstream): UpstreamPool;
  /** The node lane serves this client from now on; `bytes` were read and not judged, the first of them at `startedMs`. */
  handOver(socket: Socket, bytes: Buffer, startedMs: number): void;
  /** The lane has nothing more to do with this connection. */
  forget(connection: ClientConnection): void;
}

/**
 * One client's connection while it is on the fast lane: a loop over the bytes that came, which are the current
 * exchange's body, or the next request's head. Pipelined requests wait in `pending` until their turn (RFC 9112 section
 * 9.3.2), with the socket paused, so that there is never more of them than one read brings.
 */
export class ClientConnection implements Expiring {
  readonly socket: Socket;
  readonly peer: string;
  readonly scheme: 'http' | 'https';
  private readonly clientCertificate: ClientCertificate | undefined;
  deadlineMs = Number.POSITIVE_INFINITY;
  private readonly lane: LaneServices;
  /** Read and not yet used. */
  private pending: Buffer | undefined;
  /** `pending` is the beginning of a head. */
  private hasPartialHead = false;
  private headStartedMs = 0;
  private exchange: Exchange | undefined;
  /** What is left of a refused request's body: read into nothing. */
  private unwanted: BodyReader | undefined;
  /** So many bytes of that body may have come in all; with more, the connection is better closed. */
  private mostUnwantedBytes = 0;
  /** Nothing that arrives from now on is a request. */
  private closing = false;
  private pumping = false;

  constructor(socket: Socket, lane: LaneServices) {
    this.socket = socket;
    this.lane = lane;
    this.peer = peerAddress(socket.remoteAddress);
    this.scheme = (socket as TLSSocket).encrypted === true ? 'https' : 'http';
    this.clientCertificate = clientCertificate(socket);
    this.deadlineMs = performance.now() + lane.gate().timeouts.headerMs;
    lane.timer.add(this);
    attach(socket, this);
  }

  get busy(): boolean {
    return this.exchange !== undefined;
  }

  /** Bytes were read that nobody has used yet. */
  get hasPending(): boolean {
    return this.pending !== undefined;
  }

  /** Bytes arrived. */
  onData(bytes: Buffer): void {
    if (this.closing) return;
    const before = this.pending;
    this.pending = before === undefined ? bytes : Buffer.concat([before, bytes]);
    // A head ends with a line: without one there is nothing new to learn, but for its being too long.
    const isIdle =
      this.hasPartialHead && bytes.indexOf(lf) === -1 && this.pending.length <= this.lane.gate().limits.headerBytes;
    if (!isIdle) this.pump();
  }

  /** The client has ended its side. As Node's server takes it, nobody waits for an answer any more. */
  onEnd(): void {
    if (this.closing) return;
    if (this.exchange !== undefined) this.exchange.onClientEnd();
    else this.cut();
  }

  onClose(): void {
    this.closing = true;
    this.lane.timer.delete(this);
    this.lane.forget(this);
    this.exchange?.onClientGone();
  }

  onDrain(): void {
    this.exchange?.onClientDrain();
    this.pump();
  }

  onDeadline(): void {
    if (this.exchange !== undefined) this.exchange.onDeadline();
    else if (this.hasPartialHead) this.refuse(408, 'the head did not come in time');
    else this.leave();
  }

  /** Uses what can be used of `pending`; called whenever that may have changed. */
  pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.pending !== undefined && !this.closing && this.step(this.pending));
    this.pumping = false;
    if (this.closing) return;
    const isStuck = this.pending !== undefined && !this.hasPartialHead;
    if (isStuck !== this.socket.isPaused()) {
      if (isStuck) this.socket.pause();
      else this.socket.resume();
    }
  }

  /** False when nothing of it can be used now. */
  private step(bytes: Buffer): boolean {
    if (this.exchange !== undefined) return this.use(bytes, this.exchange.takeBody(bytes));
    if (this.unwanted !== undefined) return this.skip(bytes, this.unwanted);
    // A client that doesn't take its answers gets no further ones.
    if (isFull(this.socket)) return false;
    const gate = this.lane.gate();
    const parsed = parseRequestHead(bytes, 0, gate.limits);
    switch (parsed.kind) {
      case 'incomplete':
        if (!this.hasPartialHead) this.awaitHead(gate);
        return false;
      case 'odd':
        this.leaveLane(bytes);
        return false;
      case 'illegal':
        this.refuse(parsed.status, parsed.detail);
        return false;
      case 'head':
        this.begin(parsed, gate, bytes);
        return true;
    }
  }

  private use(bytes: Buffer, end: number): boolean {
    if (end === 0) return false;
    this.pending = end === bytes.length ? undefined : bytes.subarray(end);
    return true;
  }

  private skip(bytes: Buffer, unwanted: BodyReader): boolean {
    const end = unwanted.read(bytes, 0, nowhere);
    nowhere.length = 0;
    if (unwanted.problem !== undefined || unwanted.bodyBytes > this.mostUnwantedBytes) this.close();
    if (unwanted.done) {
      this.unwanted = undefined;
      this.awaitRequest();
    }
    return this.use(bytes, end);
  }

  private awaitHead(gate: Gate): void {
    this.hasPartialHead = true;
    this.headStartedMs = performance.now();
    this.deadlineMs = this.headStartedMs + gate.timeouts.headerMs;
  }

  private begin(parsed: CanonicalHead, gate: Gate, bytes: Buffer): void {
    const startedMs = this.hasPartialHead ? this.headStartedMs : performance.now();
    this.hasPartialHead = false;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.use(bytes, parsed.end);
    const { method, target, headers, fields } = parsed;
    const { peer, scheme, clientCertificate } = this;
    const head = {
      id: gate.requestId(peer, headers),
      method,
      target,
      httpVersion: '1.1',
      headers,
      scheme,
      peer,
      clientCertificate,
    } as const;
    const isLast = parsed.close || this.lane.ending;
    this.exchange = new Exchange({
      client: this,
      lane: this.lane,
      gate,
      head,
      fields,
      framing: parsed.body,
      isLast,
      startedMs,
    });
    this.exchange.start();
  }

  /** Its exchange is over and its answer sent; `unwanted` is what of the request was not read. */
  onExchangeOver(keepAlive: boolean, unwanted: BodyReader | undefined): void {
    this.exchange = undefined;
    if (!keepAlive) {
      this.close();
      return;
    }
    this.unwanted = unwanted;
    if (unwanted !== undefined) this.mostUnwantedBytes = unwanted.bodyBytes + mostReadIntoNothing;
    this.awaitRequest();
    this.pump();
  }

  private awaitRequest(): void {
    this.deadlineMs = performance.now() + this.lane.gate().timeouts.idleMs;
  }

  reconsider(verdict: Reconsider): void {
    this.exchange?.reconsider(verdict);
  }

  /** The answer under way is the last one, where it can still say so; else the next one is. */
  announceEnd(): void {
    if (this.exchange?.hasAnswer === false) this.exchange.isLast = true;
  }

  /** Busy: the answer under way is the last one. A head is on its way: so is its answer. Idle: it ends now. */
  drain(): void {
    if (this.exchange !== undefined) this.exchange.isLast = true;
    else if (this.unwanted !== undefined) this.close();
    else if (!this.hasPartialHead) this.leave();
  }

  /** Busy: the answer under way is the last one, whatever came behind its request. Else it ends now. */
  release(): void {
    if (this.exchange !== undefined) this.exchange.isLast = true;
    else if (this.unwanted !== undefined) this.close();
    else this.leave();
  }

  /** The client has gone; what was answered goes out, for those that have ended no more than their own side. */
  private cut(): void {
    outgoing.flush();
    this.socket.destroy();
  }

  /** Ends it while nothing is under way. */
  private leave(): void {
    this.closing = true;
    outgoing.flush();
    hangUp(this.socket);
  }

  /** Ends our side, in order. */
  private close(): void {
    if (this.closing) return;
    this.closing = true;
    this.pending = undefined;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    outgoing.flush();
    closeLingering(this.socket);
  }

  private refuse(status: IllegalHead['status'] | 408, detail: string): void {
    const gate = this.lane.gate();
    const refused = gate.refuse('requestRefused', detail, { status, close: true });
    putOwnAnswer(outgoing, refused, undefined, true);
    outgoing.send(this.socket);
    this.close();
    gate.finish({
      head: undefined,
      decision: refused,
      lane: 'fast',
      status: refused.status,
      requestBytes: 0,
      responseBytes: Buffer.byteLength(refused.body),
      durationMs: this.hasPartialHead ? performance.now() - this.headStartedMs : 0,
      upstreamMs: undefined,
      end: 'complete',
    });
  }

  private leaveLane(bytes: Buffer): void {
    this.closing = true;
    this.pending = undefined;
    detach(this.socket);
    this.lane.timer.delete(this);
    this.lane.forget(this);
    outgoing.flush();
    // What is put back must wait until the node lane listens.
    this.socket.pause();
    this.lane.handOver(this.socket, bytes, this.hasPartialHead ? this.headStartedMs : performance.now());
    this.socket.resume();
  }
}

const nowhere: BodyPiece[] = [];

const owner = Symbol('the connection of a socket');
type OwnedSocket = Socket & { [owner]: ClientConnection };

/** One function for all sockets instead of one each: ten thousand idle connections should cost little. */
const handlers = {
  data(this: OwnedSocket, bytes: Buffer): void {
    this[owner].onData(bytes);
  },
  end(this: OwnedSocket): void {
    this[owner].onEnd();
  },
  drain(this: OwnedSocket): void {
    this[owner].onDrain();
  },
  close(this: OwnedSocket): void {
    this[owner].onClose();
  },
  /** What an error means is learnt from 'close', which always follows. */
  error(): void {},
};

function attach(socket: Socket, connection: ClientConnection): void {
  (socket as OwnedSocket)[owner] = connection;
  for (const [event, handler] of Object.entries(handlers)) socket.on(event, handler);
}

function detach(socket: Socket): void {
  for (const [event, handler] of Object.entries(handlers)) socket.off(event, handler);
}
