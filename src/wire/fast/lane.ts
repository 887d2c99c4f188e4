import type { Socket } from 'node:net';
import type { Gate } from '../../gate/gate.ts';
import type { Bridge } from '../call/bridge.ts';
import type { Reconsider } from '../expiry.ts';
import type { AllUpstreamSlots } from '../upstream-slots.ts';
import { ClientConnection, type LaneServices } from './client-connection.ts';
import { createCoarseTimer, defaultTickMs } from './timers.ts';
import { createUpstreamPools } from './upstream-pools.ts';

export interface FastLaneOptions {
  /** The policy of the moment; asked once for each request. */
  readonly gate: () => Gate;
  /** Takes a client over whose next request is not canonical; `bytes` were read from it and not judged. */
  readonly handOver: LaneServices['handOver'];
  /** To upstreams that speak HTTP/2. */
  readonly bridge: Bridge;
  readonly slots: AllUpstreamSlots;
  readonly tickMs?: number;
}

/** A strict HTTP/1.1 server and client on sockets, for requests in canonical form; all others go elsewhere untouched. */
export interface FastLane {
  accept(socket: Socket): void;
  /** Requests that were begun and are not over. */
  readonly activeExchanges: number;
  /** From now on each answer that begins is its connection's last, and says so. */
  announceEnd(): void;
  /** Ends idle connections now, and each busy one after its answer. */
  drain(): void;
  /** Lets these clients go: at once, or after the answer that is under way. */
  release(which: (socket: Socket) => boolean): void;
  /** Ends what is under way where its permit is over. */
  reconsider(verdict: Reconsider): void;
  /** Cuts every exchange and connection. */
  close(): void;
  /** Lets go of connections to upstreams whose `Upstream.key` is not among these. */
  retainUpstreams(keys: ReadonlySet<string>): void;
}

export function createFastLane({ gate, handOver, bridge, slots, tickMs = defaultTickMs }: FastLaneOptions): FastLane {
  const timer = createCoarseTimer(tickMs);
  const connections = new Set<ClientConnection>();
  const pools = createUpstreamPools(timer, bridge, slots);
  let ending = false;

  const services: LaneServices = {
    timer,
    gate,
    handOver,
    get ending() {
      return ending;
    },
    pool: pools.get,
    forget: (connection) => void connections.delete(connection),
  };

  return {
    accept(socket) {
      connections.add(new ClientConnection(socket, services));
    },
    get activeExchanges() {
      let active = 0;
      for (const connection of connections) if (connection.busy) active++;
      return active;
    },
    announceEnd() {
      ending = true;
      for (const connection of connections) connection.announceEnd();
    },
    drain() {
      for (const connection of [...connections]) connection.drain();
    },
    release(which) {
      for (const connection of [...connections]) if (which(connection.socket)) connection.release();
    },
    reconsider(verdict) {
      for (const connection of [...connections]) connection.reconsider(verdict);
    },
    close() {
      for (const { socket } of connections) socket.destroy();
      pools.close();
      timer.close();
    },
    retainUpstreams: pools.retain,
  };
}
