import { Agent, type AgentOptions } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Upstream } from '../gate/policy.ts';
import type { Bridge } from './call/bridge.ts';
import {
  type AllUpstreamSlots,
  idleConnectionMs,
  type SlotHolder,
  type SlotWaiter,
  type UpstreamSlots,
} from './upstream-slots.ts';
import { outOfLine } from './waiting-line.ts';

/** A lane's connections to one upstream through Node's client, by `Upstream.key`. */
export interface UpstreamPool {
  /**
   * Calls back with the agent for one request, once there may be a connection for it: at once, or when its turn has come,
   * unless the signal says before that nobody waits any more. `start` asks for it before it returns.
   */
  admit(options: AdmitOptions, start: (agent: Agent) => void): void;
  /** Its idle connections close now, busy ones when done. */
  retire(): void;
  /** Closes every connection, busy or not. */
  destroy(): void;
}

export interface AdmitOptions {
  /** On a connection of its own: for the one retry after one that the upstream had just closed. */
  readonly fresh: boolean;
  readonly signal: AbortSignal;
}

export interface UpstreamPools {
  /** The pool of this upstream, made on first use. */
  get(upstream: Upstream): UpstreamPool;
  /** Lets go of every pool whose key is not in use any more: its idle connections close now, busy ones when done. */
  retain(keys: ReadonlySet<string>): void;
  /** Closes every connection, busy or not. */
  close(): void;
}

/** `bridge`: to upstreams that speak HTTP/2. */
export function createUpstreamPools(bridge: Bridge, slots: AllUpstreamSlots): UpstreamPools {
  const pools = new Map<string, UpstreamPool>();
  return {
    get(upstream) {
      let pool = pools.get(upstream.key);
      if (pool === undefined) {
        pool = upstream.http2 === true ? bridgedPool(upstream, bridge) : new AgentPool(upstream, slots.get(upstream));
        pools.set(upstream.key, pool);
      }
      return pool;
    },
    retain(keys) {
      for (const [key, pool] of pools) {
        if (keys.has(key)) continue;
        pools.delete(key);
        pool.retire();
      }
    },
    close() {
      for (const pool of pools.values()) pool.destroy();
      pools.clear();
    },
  };
}

/** Node honours the upstream's hint by itself. */
const keptAlive: AgentOptions = { keepAlive: true, timeout: idleConnectionMs };

/** What leads to a bridge is no connection to the upstream: those are counted behind it. */
function bridgedPool(upstream: Upstream, bridge: Bridge): UpstreamPool {
  const most: AgentOptions = { maxSockets: upstream.maxConnections };
  const kept = new BridgeAgent(upstream, bridge, { ...most, ...keptAlive, maxFreeSockets: upstream.maxConnections });
  const fresh = new BridgeAgent(upstream, bridge, most);
  return {
    admit: (options, start) => start(options.fresh ? fresh : kept),
    retire: () => retire(kept),
    destroy() {
      kept.destroy();
      fresh.destroy();
    },
  };
}

/** Node's agents connect; how many connections there may be is said by the slots. */
class AgentPool implements UpstreamPool, SlotHolder {
  private readonly slots: UpstreamSlots;
  private readonly kept: Agent;
  private readonly fresh: Agent;
  /** Taken for the connection that an agent is about to open. */
  private slotInHand = false;

  constructor(upstream: Upstream, slots: UpstreamSlots) {
    this.slots = slots;
    slots.join(this);
    const tls = upstream.scheme === 'https' ? tlsOptions(upstream) : undefined;
    const create = (options: AgentOptions) =>
      this.counting(tls === undefined ? new Agent(options) : new TlsAgent({ ...options, ...tls }));
    this.kept = create({ ...keptAlive, maxFreeSockets: upstream.maxConnections });
    this.fresh = create({});
    this.kept.on('free', () => this.onFree());
  }

  admit({ fresh, signal }: AdmitOptions, start: (agent: Agent) => void): void {
    const agent = fresh ? this.fresh : this.kept;
    if (!fresh && this.findIdle() !== undefined) {
      start(agent);
      return;
    }
    const startWithSlot = () => {
      this.slotInHand = true;
      start(agent);
      if (!this.slotInHand) return;
      // It did not connect after all.
      this.slotInHand = false;
      this.slots.release();
    };
    if (this.slots.take()) {
      startWithSlot();
      return;
    }
    const leave = () => void this.slots.leave(waiter);
    const stay = () => signal.removeEventListener('abort', leave);
    const waiter: AgentWaiter = {
      ...outOfLine,
      holder: this,
      onSlot: () => {
        stay();
        startWithSlot();
      },
      ...(!fresh && {
        onIdle: () => {
          stay();
          start(agent);
        },
      }),
    };
    signal.addEventListener('abort', leave, { once: true });
    this.slots.wait(waiter);
  }

  closeIdle(): boolean {
    const idle = this.findIdle();
    idle?.destroy();
    if (idle !== undefined) giveBack.get(idle)?.();
    return idle !== undefined;
  }

  retire(): void {
    this.slots.quit(this);
    retire(this.kept);
  }

  destroy(): void {
    this.slots.quit(this);
    this.kept.destroy();
    this.fresh.destroy();
  }

  /** A connection has nothing more to do, and has been put aside where it may be kept. */
  private onFree(): void {
    const { first } = this.slots;
    if (first === undefined || this.findIdle() === undefined) return;
    const { onIdle } = first as AgentWaiter;
    if (first.holder === this && onIdle !== undefined) {
      this.slots.leave(first);
      onIdle();
    } else {
      // Another lane's turn.
      this.closeIdle();
    }
  }

  /** The one that has been idle for the longest. */
  private findIdle(): Socket | undefined {
    for (const sockets of Object.values(this.kept.freeSockets)) {
      for (const socket of sockets ?? []) if (!socket.destroyed) return socket;
    }
    return undefined;
  }

  /** Each connection that the agent opens has a slot until it is closed, or becomes a WebSocket. */
  private counting(agent: Agent): Agent {
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (options, callback) => {
      if (!this.slotInHand) this.slots.takeAnyway();
      this.slotInHand = false;
      const socket = connect(options, callback) as Socket;
      let isHeld = true;
      const release = () => {
        if (isHeld) this.slots.release();
        isHeld = false;
      };
      giveBack.set(socket, release);
      return socket.once('close', release).once('agentRemove', release);
    };
    return agent;
  }
}

interface AgentWaiter extends SlotWaiter {
  /** There is an idle connection now; undefined: it wants none. */
  readonly onIdle?: () => void;
}

/** Gives a connection's slot back before it is quite closed. */
const giveBack = new WeakMap<Socket, () => void>();

class BridgeAgent extends Agent {
  private readonly upstream: Upstream;
  private readonly bridge: Bridge;

  constructor(upstream: Upstream, bridge: Bridge, options: AgentOptions) {
    super(options);
    this.upstream = upstream;
    this.bridge = bridge;
  }

  override createConnection(): Socket {
    return this.bridge.connect(this.upstream);
  }
}

/** Does a lane itself speak TLS to this upstream? */
export function speaksTls({ scheme, http2 }: Upstream): boolean {
  return scheme === 'https' && http2 !== true;
}

/**
 * The server name is always given, as Node would otherwise take it from the request's Host: a client could then
 * choose which name the upstream's certificate has to carry.
 */
export function tlsOptions({ host, tls }: Upstream): Record<string, unknown> {
  return {
    servername: tls?.serverName ?? (isIP(host) === 0 ? host : ''),
    rejectUnauthorized: tls?.insecure !== true,
    minVersion: 'TLSv1.2',
    ...(tls?.ca !== undefined && { ca: tls.ca }),
    ...(tls?.cert !== undefined && { cert: tls.cert }),
    ...(tls?.key !== undefined && { key: tls.key }),
  };
}

/** `destroy` would cut exchanges under way; without keep-alive they close their connection as they end. */
function retire(agent: Agent): void {
  Object.assign(agent, { keepAlive: false });
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}
