import { connect as connectTcp, type NetConnectOpts, type OnReadOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Upstream } from '../../gate/policy.ts';
import type { Bridge } from '../call/bridge.ts';
import { speaksTls, tlsOptions } from '../upstream-pool.ts';
import { upstreamProblem } from '../upstream-problem.ts';
import type { SlotWaiter } from '../upstream-slots.ts';
import type { Expiring } from './timers.ts';

/** Whom a connection serves. It is called with nothing that arrived before it was there. */
export interface UpstreamUser {
  /** Stands in line for a connection; the pool writes it. */
  waiter: SlotWaiter | undefined;
  onUpstreamConnect(connection: UpstreamConnection): void;
  /** `bytes` are overwritten by the next read, unless `keepBytes` is called before this returns. */
  onUpstreamData(bytes: Buffer): void;
  /** What was written has gone out; more may be. */
  onUpstreamDrain(): void;
  /** The upstream has ended its side, in order. */
  onUpstreamEnd(): void;
  /** There is no connection any more, or there never was one; `detail` for the log. */
  onUpstreamGone(detail: string): void;
}

/** What the pool wants to know. */
export interface ConnectionOwner {
  /** Once, and before the connection's user hears of it. */
  onConnectionLost(connection: UpstreamConnection): void;
}

/**
 * What one read brings at most: little, until it was all taken. Most answers are small; and each connection has a buffer of
 * its own, which V8 counts when it asks itself whether to look through the whole heap.
 */
const firstReadBytes = 8 * 1024;
const mostReadBytes = 64 * 1024;

/**
 * One connection to an upstream: TCP, TLS, a unix socket, or a bridge to HTTP/2. It has a user, or is idle. All its reads go into one buffer:
 * a fresh one for each, as streams have it, costs more than anything else that a large answer costs.
 */
export class UpstreamConnection implements Expiring {
  readonly socket: Socket;
  deadlineMs = Number.POSITIVE_INFINITY;
  user: UpstreamUser | undefined;
  /** Has served a request before: the upstream may have closed it without our knowing yet. */
  reused = false;
  private readonly owner: ConnectionOwner;
  private buffer: Buffer = Buffer.alloc(0);
  private bufferIsKept = false;
  private bufferBytes = firstReadBytes;
  private lost = false;

  constructor(upstream: Upstream, owner: ConnectionOwner, user: UpstreamUser, bridge: Bridge) {
    this.owner = owner;
    this.user = user;
    const callback = (size: number, bytes: Uint8Array) => this.onRead(size, bytes as Buffer);
    if (upstream.http2 === true) {
      this.socket = bridge.connect(upstream).on('data', (bytes: Buffer) => void this.onRead(bytes.length, bytes));
    } else {
      this.socket = openSocket(upstream, { buffer: () => this.nextBuffer(), callback });
    }
    let detail = 'the upstream closed the connection';
    this.socket
      .on('error', (error: NodeJS.ErrnoException) => {
        detail = upstreamProblem(error);
      })
      .on(speaksTls(upstream) ? 'secureConnect' : 'connect', () => this.user?.onUpstreamConnect(this))
      .on('drain', () => this.user?.onUpstreamDrain())
      .on('end', () => {
        if (this.user === undefined) this.destroy();
        else this.user.onUpstreamEnd();
      })
      .on('close', () => {
        const user = this.user;
        this.destroy();
        user?.onUpstreamGone(detail);
      });
  }

  /** What was read last is still in use: the next read goes elsewhere. */
  keepBytes(): void {
    this.bufferIsKept = true;
  }

  onDeadline(): void {
    this.destroy();
  }

  /** Its user hears no more of it. */
  destroy(): void {
    this.user = undefined;
    if (this.lost) return;
    this.lost = true;
    this.socket.destroy();
    this.owner.onConnectionLost(this);
  }

  private onRead(size: number, buffer: Buffer): boolean {
    // Nobody asked: what follows could be taken for the next request's answer.
    if (this.user === undefined) this.destroy();
    else this.user.onUpstreamData(buffer.subarray(0, size));
    if (size === buffer.length) this.bufferBytes = mostReadBytes;
    return true;
  }

  /** Asked by Node before the first read and after each. */
  private nextBuffer(): Buffer {
    const isTooSmall = this.buffer.length < this.bufferBytes;
    if (this.bufferIsKept || isTooSmall) this.buffer = Buffer.allocUnsafeSlow(this.bufferBytes);
    this.bufferIsKept = false;
    return this.buffer;
  }
}

function openSocket(upstream: Upstream, onread: OnReadOpts): Socket {
  const { scheme, host, port, socketPath } = upstream;
  const options: NetConnectOpts = socketPath === undefined ? { host, port, onread } : { path: socketPath, onread };
  // Node's TLS sockets know `onread`, too; their types don't.
  const tls = () => connectTls({ ...options, ...tlsOptions(upstream) } as ConnectionOptions);
  const socket = scheme === 'https' ? tls() : connectTcp(options);
  return socket.setNoDelay(true).setKeepAlive(true);
}
