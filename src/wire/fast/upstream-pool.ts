import type { Upstream } from '../../gate/policy.ts';
import type { Bridge } from '../call/bridge.ts';
import type { CoarseTimer } from './timers.ts';
import { type ConnectionOwner, UpstreamConnection, type UpstreamUser } from './upstream-connection.ts';

/**
 * How long an unused connection is kept where the upstream gives no hint. Below the 5 s after which common servers hang
 * up without having said so.
 */
const idleMs = 4_000;

/** Closed this long before the upstream says it would. */
const hintMarginMs = 1_000;

/** The connections to one upstream: at most `maxConnections`, kept alive, and a queue of those who wait for one. */
export class UpstreamPool implements ConnectionOwner {
  readonly upstream: Upstream;
  private readonly timer: CoarseTimer;
  private readonly bridge: Bridge;
  /** The one used last is used next: the others grow old, and close. */
  private readonly idle: UpstreamConnection[] = [];
  private readonly open = new Set<UpstreamConnection>();
  /** In order of arrival; each has a deadline of its own, and leaves when it passes. */
  private readonly waiting = new Set<UpstreamUser>();
  private retired = false;

  constructor(upstream: Upstream, timer: CoarseTimer, bridge: Bridge) {
    this.upstream = upstream;
    this.timer = timer;
    this.bridge = bridge;
  }

  /** An idle connection at once, or undefined and `onUpstreamConnect` later. */
  acquire(user: UpstreamUser): UpstreamConnection | undefined {
    let connection = this.idle.pop();
    while (connection?.socket.destroyed === true) connection = this.idle.pop();
    if (connection === undefined) {
      if (this.open.size < this.upstream.maxConnections) this.connect(user);
      else this.waiting.add(user);
      return undefined;
    }
    connection.deadlineMs = Number.POSITIVE_INFINITY;
    connection.user = user;
    connection.reused = true;
    return connection;
  }

  /** Connects anew even where idle connections are left: one of them has just turned out to be dead. */
  acquireNew(user: UpstreamUser): void {
    if (this.open.size >= this.upstream.maxConnections) {
      const oldest = this.idle.shift();
      if (oldest === undefined) {
        this.waiting.add(user);
        return;
      }
      oldest.destroy();
    }
    this.connect(user);
  }

  /** Gives up waiting, or connecting. */
  leave(user: UpstreamUser): void {
    if (this.waiting.delete(user)) return;
    for (const connection of this.open) {
      if (connection.user === user) connection.destroy();
    }
  }

  /** The connection has nothing of its last user left on it, in either direction; `keepAliveMs`: the upstream's word. */
  release(connection: UpstreamConnection, keepAliveMs: number | undefined): void {
    connection.user = undefined;
    const keptMs = keepAliveMs === undefined ? idleMs : keepAliveMs - hintMarginMs;
    if (this.retired || keptMs <= 0 || connection.socket.destroyed) {
      connection.destroy();
      return;
    }
    const [next] = this.waiting;
    if (next !== undefined) {
      this.waiting.delete(next);
      connection.user = next;
      connection.reused = true;
      next.onUpstreamConnect(connection);
      return;
    }
    connection.deadlineMs = performance.now() + keptMs;
    this.idle.push(connection);
  }

  onConnectionLost(connection: UpstreamConnection): void {
    this.timer.delete(connection);
    this.open.delete(connection);
    const index = this.idle.indexOf(connection);
    if (index !== -1) this.idle.splice(index, 1);
    const [next] = this.waiting;
    if (next !== undefined && this.open.size < this.upstream.maxConnections) {
      this.waiting.delete(next);
      this.connect(next);
    }
  }

  /** Idle connections close now, busy ones when their exchange is over. */
  retire(): void {
    this.retired = true;
    for (const connection of [...this.idle]) connection.destroy();
  }

  destroyAll(): void {
    this.retired = true;
    this.waiting.clear();
    for (const connection of this.open) connection.destroy();
  }

  private connect(user: UpstreamUser): void {
    const connection = new UpstreamConnection(this.upstream, this, user, this.bridge);
    this.open.add(connection);
    this.timer.add(connection);
  }
}
