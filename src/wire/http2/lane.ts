import type { Socket } from 'node:net';
import type { Gate } from '../../gate/gate.ts';
import type { Bridge } from '../call/bridge.ts';
import { startHttp1Call } from '../call/http1-call.ts';
import { startHttp2Call } from '../call/http2-call.ts';
import type { UpstreamSessions } from '../call/upstream-sessions.ts';
import type { Reconsider } from '../expiry.ts';
import { createCoarseTimer, defaultTickMs } from '../fast/timers.ts';
import { createUpstreamPools } from '../fast/upstream-pools.ts';
import type { AllUpstreamSlots } from '../upstream-slots.ts';
import { ClientSession } from './client-session.ts';
import type { ConnectionEnd } from './connection-end.ts';

export interface Http2LaneOptions {
  /** The policy of the moment; asked once for each request. */
  readonly gate: () => Gate;
  /** Requests at a time on one connection. */
  readonly maxStreams: () => number;
  /** Told of each connection that has ended, well or not. */
  readonly onConnectionEnd: (end: ConnectionEnd, detail: string) => void;
  readonly sessions: UpstreamSessions;
  readonly bridge: Bridge;
  readonly slots: AllUpstreamSlots;
}

/** HTTP/2 with clients (RFC 9113), by Node's implementation: each of its streams is a request like any other. */
export interface Http2Lane {
  /** Serves this client, with whom HTTP/2 was agreed upon. */
  accept(socket: Socket): void;
  readonly activeExchanges: number;
  /** Tells clients to open their next streams elsewhere; who connects all the same is served until it pauses. */
  announceEnd(): void;
  /** Ends idle connections now, and each busy one with its last answer. */
  drain(): void;
  /** Lets these clients go: at once, or after the answers that are under way. */
  release(which: (socket: Socket) => boolean): void;
  /** Ends what is under way where its permit is over. */
  reconsider(verdict: Reconsider): void;
  /** Cuts every exchange and connection. */
  close(): void;
  /** Lets go of connections to upstreams whose `Upstream.key` is not among these. */
  retainUpstreams(keys: ReadonlySet<string>): void;
}

export function createHttp2Lane(options: Http2LaneOptions): Http2Lane {
  const { gate, maxStreams, onConnectionEnd, sessions: upstreamSessions, bridge, slots } = options;
  const sessions = new Set<ClientSession>();
  const timer = createCoarseTimer(defaultTickMs);
  const pools = createUpstreamPools(timer, bridge, slots);
  let ending = false;

  return {
    accept(socket) {
      const session = new ClientSession({
        socket,
        gate,
        maxStreams: maxStreams(),
        startCall: (request, events, options) =>
          request.upstream.http2 === true
            ? startHttp2Call(request, upstreamSessions, events)
            : startHttp1Call(request, pools, events, options),
        isEnding: () => ending,
        onClose(closed, end, detail) {
          sessions.delete(closed);
          onConnectionEnd(end, detail);
        },
      });
      sessions.add(session);
    },
    get activeExchanges() {
      let active = 0;
      for (const session of sessions) active += session.activeExchanges;
      return active;
    },
    announceEnd() {
      ending = true;
      for (const session of [...sessions]) session.leave();
    },
    drain() {
      for (const session of [...sessions]) session.leave();
    },
    release(which) {
      for (const session of [...sessions]) if (which(session.socket)) session.leave();
    },
    reconsider(verdict) {
      for (const session of [...sessions]) session.reconsider(verdict);
    },
    close() {
      for (const session of [...sessions]) session.destroy();
      pools.close();
      timer.close();
    },
    retainUpstreams: pools.retain,
  };
}
