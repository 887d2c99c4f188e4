import type { ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Upstream } from '../../gate/policy.ts';
import { nodeHttp2 } from '../http2/node-http2.ts';
import { tlsOptions } from '../upstream-pool.ts';
import { type InLine, outOfLine, WaitingLine } from '../waiting-line.ts';

/** A connection of HTTP/2 to an upstream, with room for one stream more, which is taken. */
export interface UpstreamSession {
  readonly session: ClientHttp2Session;
  /** What came on it so far. */
  readonly bytesRead: number;
  /** The stream is over. */
  release(): void;
  /** Nothing is begun on it any more: it seems to be dead. */
  retire(): void;
}

export interface SessionTaker {
  onSession(session: UpstreamSession): void;
  onFailure(error: NodeJS.ErrnoException): void;
}

/** The connections of HTTP/2 to all upstreams that speak it. */
export interface UpstreamSessions {
  /** Calls back at once, or later; what is returned gives up waiting. */
  take(upstream: Upstream, taker: SessionTaker): () => void;
  /** Lets go of connections to upstreams whose `Upstream.key` is not among these: when their streams are over. */
  retain(keys: ReadonlySet<string>): void;
  /** Closes every connection, busy or not. */
  close(): void;
}

/** A connection that nobody used for this long is closed. */
const idleMs = 60_000;

/** Where the upstream sets no limit (RFC 9113 section 6.5.2). */
const defaultMaxStreams = 100;

/** How much of an answer an upstream may send before it is taken: 64 KiB would be little over a long way. */
const windowBytes = 256 * 1024;

export function createUpstreamSessions(): UpstreamSessions {
  const pools = new Map<string, SessionPool>();
  return {
    take(upstream, taker) {
      let pool = pools.get(upstream.key);
      if (pool === undefined) {
        pool = new SessionPool(upstream);
        pools.set(upstream.key, pool);
      }
      return pool.take(taker);
    },
    retain(keys) {
      for (const [key, pool] of pools) {
        if (keys.has(key)) continue;
        pools.delete(key);
        pool.retireAll();
      }
    },
    close() {
      for (const pool of pools.values()) pool.destroyAll();
      pools.clear();
    },
  };
}

interface Held {
  readonly session: ClientHttp2Session;
  readonly socket: Socket;
  streams: number;
  maxStreams: number;
  usable: boolean;
  idle: NodeJS.Timeout | undefined;
}

interface Waiter extends InLine<Waiter> {
  readonly taker: SessionTaker;
}

class SessionPool {
  private readonly upstream: Upstream;
  private readonly held = new Set<Held>();
  private readonly connecting = new Set<Socket>();
  private readonly waiting = new WaitingLine<Waiter>();

  constructor(upstream: Upstream) {
    this.upstream = upstream;
  }

  take(taker: SessionTaker): () => void {
    const waiter: Waiter = { ...outOfLine, taker };
    this.waiting.join(waiter);
    this.serve();
    return () => void this.waiting.leave(waiter);
  }

  /** Gives room to those who wait, and connects where there is none. */
  private serve(): void {
    for (const held of this.held) {
      while (held.usable && held.streams < held.maxStreams) {
        const { first } = this.waiting;
        if (first === undefined) return;
        this.waiting.leave(first);
        held.streams++;
        clearTimeout(held.idle);
        first.taker.onSession(this.lend(held));
      }
    }
    const open = this.held.size + this.connecting.size;
    if (this.waiting.first !== undefined && this.connecting.size === 0 && open < this.upstream.maxConnections)
      this.connect();
  }

  private lend(held: Held): UpstreamSession {
    let released = false;
    return {
      session: held.session,
      get bytesRead() {
        return held.socket.bytesRead;
      },
      release: () => {
        if (released) return;
        released = true;
        held.streams--;
        if (held.streams === 0) this.rest(held);
        this.serve();
      },
      retire: () => this.retire(held),
    };
  }

  private rest(held: Held): void {
    if (!held.usable) held.session.close();
    else held.idle = setTimeout(() => this.retire(held), idleMs).unref();
  }

  private retire(held: Held): void {
    held.usable = false;
    if (held.streams === 0) held.session.close();
  }

  private connect(): void {
    const socket = openSocket(this.upstream);
    const { scheme } = this.upstream;
    let fault: NodeJS.ErrnoException = new Error('the upstream closed the connection');
    let isReady = false;
    this.connecting.add(socket);
    const note = (error: NodeJS.ErrnoException) => {
      fault = error;
    };
    socket.on('error', note).on('close', () => {
      if (!isReady) this.fail(socket, fault);
    });
    socket.once(scheme === 'https' ? 'secureConnect' : 'connect', () => {
      if (scheme === 'https' && (socket as TLSSocket).alpnProtocol !== 'h2') {
        fault = new Error('the upstream does not speak HTTP/2');
        socket.destroy();
        return;
      }
      const session = openSession(socket, scheme).on('error', note);
      // Its first frame, which says how many streams it takes.
      session.once('remoteSettings', () => {
        isReady = true;
        this.connecting.delete(socket);
        this.hold(session, socket);
      });
    });
  }

  private hold(session: ClientHttp2Session, socket: Socket): void {
    const maxStreams = () => session.remoteSettings.maxConcurrentStreams ?? defaultMaxStreams;
    const held: Held = { session, socket, streams: 0, maxStreams: maxStreams(), usable: true, idle: undefined };
    session
      .on('remoteSettings', () => {
        held.maxStreams = maxStreams();
        this.serve();
      })
      .on('goaway', () => this.retire(held))
      .on('close', () => {
        clearTimeout(held.idle);
        held.usable = false;
        this.held.delete(held);
        this.serve();
      });
    this.held.add(held);
    this.serve();
    if (held.streams === 0) this.rest(held);
  }

  /** Whoever waits, waited for this one. */
  private fail(socket: Socket, error: NodeJS.ErrnoException): void {
    this.connecting.delete(socket);
    for (const { taker } of this.dismiss()) taker.onFailure(error);
  }

  /** All who wait, who wait no more. */
  private dismiss(): Waiter[] {
    const waiters = [...this.waiting];
    for (const waiter of waiters) this.waiting.leave(waiter);
    return waiters;
  }

  retireAll(): void {
    for (const held of [...this.held]) this.retire(held);
  }

  destroyAll(): void {
    this.dismiss();
    for (const socket of this.connecting) socket.destroy();
    for (const { session } of [...this.held]) session.destroy();
  }
}

function openSession(socket: Socket, scheme: 'http' | 'https'): ClientHttp2Session {
  return nodeHttp2().connect(`${scheme}://upstream`, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: windowBytes },
    maxHeaderListPairs: 2_000,
    // What the gate lets through is not ours to judge. Node's types do not know it here.
    ...{ strictSingleValueFields: false },
  });
}

function openSocket(upstream: Upstream): Socket {
  const { scheme, host, port, socketPath } = upstream;
  const address = socketPath === undefined ? { host, port } : { path: socketPath };
  const socket =
    scheme === 'https'
      ? connectTls({ ...address, ...tlsOptions(upstream), ALPNProtocols: ['h2'] })
      : connectTcp(address);
  return socket.setNoDelay(true).setKeepAlive(true);
}
