import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Upstream } from '../../gate/policy.ts';
import { tlsOptions } from '../upstream-pool.ts';
import type { Expiring } from './timers.ts';

/** Whom a connection serves. It is called with nothing that arrived before it was there. */
export interface UpstreamUser {
  onUpstreamConnect(connection: UpstreamConnection): void;
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

/** One connection to an upstream: TCP, TLS or a unix socket. It has a user, or is idle. */
export class UpstreamConnection implements Expiring {
  readonly socket: Socket;
  deadlineMs = Number.POSITIVE_INFINITY;
  user: UpstreamUser | undefined;
  /** Has served a request before: the upstream may have closed it without our knowing yet. */
  reused = false;
  private readonly owner: ConnectionOwner;
  private lost = false;

  constructor(upstream: Upstream, owner: ConnectionOwner, user: UpstreamUser) {
    this.owner = owner;
    this.user = user;
    this.socket = openSocket(upstream);
    let detail = 'the upstream closed the connection';
    this.socket
      .on('error', (error: NodeJS.ErrnoException) => {
        detail = `${error.code ?? error.name}: ${error.message}`;
      })
      .on(upstream.scheme === 'https' ? 'secureConnect' : 'connect', () => this.user?.onUpstreamConnect(this))
      .on('data', (bytes: Buffer) => {
        // Nobody asked: what follows could be taken for the next request's answer.
        if (this.user === undefined) this.destroy();
        else this.user.onUpstreamData(bytes);
      })
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
}

function openSocket(upstream: Upstream): Socket {
  const { scheme, host, port, socketPath } = upstream;
  const place = socketPath === undefined ? { host, port } : { path: socketPath };
  const socket = scheme === 'https' ? connectTls({ ...place, ...tlsOptions(upstream) }) : connectTcp(place);
  return socket.setNoDelay(true).setKeepAlive(true);
}
