import type { Upstream } from '../../gate/policy.ts';
import type { Bridge } from '../call/bridge.ts';
import { idleConnectionMs, type SlotHolder, type SlotWaiter, type UpstreamSlots } from '../upstream-slots.ts';
import { outOfLine } from '../waiting-line.ts';
import type { CoarseTimer } from './timers.ts';
import { type ConnectionOwner, UpstreamConnection, type UpstreamUser } from './upstream-connection.ts';

/** Closed this long before the upstream says it would. */
const hintMarginMs = 1_000;

/** This lane's connections to one upstream, kept alive, within the slots that it has for all lanes. */
export class UpstreamPool implements ConnectionOwner, SlotHolder {
  readonly upstream: Upstream;
  private readonly timer: CoarseTimer;
  private readonly bridge: Bridge;
  private readonly slots: UpstreamSlots;
  /** The one used last is used next: the others grow old, and close. */
  private readonly idle: UpstreamConnection[] = [];
  private readonly open = new Set<UpstreamConnection>();
  private retired = false;

  constructor(upstream: Upstream, timer: CoarseTimer, bridge: Bridge, slots: UpstreamSlots) {
    this.upstream = upstream;
    this.timer = timer;
    this.bridge = bridge;
    this.slots = slots;
    slots.join(this);
  }

  /** An idle connection at once, or undefined and `onUpstreamConnect` later. */
  acquire(user: UpstreamUser): UpstreamConnection | undefined {
    let connection = this.idle.pop();
    while (connection?.socket.destroyed === true) connection = this.idle.pop();
    if (connection === undefined) {
      this.acquireNew(user);
      return undefined;
    }
    connection.deadlineMs = Number.POSITIVE_INFINITY;
    connection.user = user;
    connection.reused = true;
    return connection;
  }

  /** Connects anew even where idle connections are left: one of them has just turned out to be dead. */
  acquireNew(user: UpstreamUser): void {
    if (this.slots.take()) {
      this.connect(user);
      return;
    }
    const waiter: PoolWaiter = {
      ...outOfLine,
      holder: this,
      user,
      onSlot: () => {
        user.waiter = undefined;
        this.connect(user);
      },
    };
    // It has a deadline of its own, and leaves when that passes.
    user.waiter = waiter;
    this.slots.wait(waiter);
  }

  /** Gives up waiting, or connecting. */
  leave(user: UpstreamUser): void {
    const { waiter } = user;
    if (waiter !== undefined) {
      user.waiter = undefined;
      this.slots.leave(waiter);
      return;
    }
    for (const connection of this.open) {
      if (connection.user === user) connection.destroy();
    }
  }

  /** The connection has nothing of its last user left on it, in either direction; `keepAliveMs`: the upstream's word. */
  release(connection: UpstreamConnection, keepAliveMs: number | undefined): void {
    connection.user = undefined;
    const keptMs = keepAliveMs === undefined ? idleConnectionMs : keepAliveMs - hintMarginMs;
    if (this.retired || keptMs <= 0 || connection.socket.destroyed) {
      connection.destroy();
      return;
    }
    // The end of the answer may have come although it was told to wait for the client: TLS had read it already.
    if (connection.socket.isPaused()) connection.socket.resume();
    const { first } = this.slots;
    if (first === undefined) {
      connection.deadlineMs = performance.now() + keptMs;
      this.idle.push(connection);
    } else if (first.holder === this) {
      const { user } = first as PoolWaiter;
      this.leave(user);
      connection.user = user;
      connection.reused = true;
      user.onUpstreamConnect(connection);
    } else {
      // Another lane's turn.
      connection.destroy();
    }
  }

  onConnectionLost(connection: UpstreamConnection): void {
    this.timer.delete(connection);
    this.open.delete(connection);
    const index = this.idle.indexOf(connection);
    if (index !== -1) this.idle.splice(index, 1);
    if (this.retired && this.open.size === 0) this.slots.quit(this);
    this.slots.release();
  }

  closeIdle(): boolean {
    const [oldest] = this.idle;
    oldest?.destroy();
    return oldest !== undefined;
  }

  /** Idle connections close now, busy ones when their exchange is over. */
  retire(): void {
    this.retired = true;
    for (const connection of [...this.idle]) connection.destroy();
    if (this.open.size === 0) this.slots.quit(this);
  }

  destroyAll(): void {
    for (const waiter of this.slots.waitersOf(this)) this.leave((waiter as PoolWaiter).user);
    this.retire();
    for (const connection of [...this.open]) connection.destroy();
  }

  /** With a slot of its own. */
  private connect(user: UpstreamUser): void {
    const connection = new UpstreamConnection(this.upstream, this, user, this.bridge);
    this.open.add(connection);
    this.timer.add(connection);
  }
}

interface PoolWaiter extends SlotWaiter {
  readonly user: UpstreamUser;
}
