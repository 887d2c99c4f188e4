import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Gate } from '../gate/gate.ts';
import { listenAt, type OpenArrivals } from './arrivals.ts';
import { createBridge } from './call/bridge.ts';
import { createUpstreamSessions } from './call/upstream-sessions.ts';
import { watchExpiry } from './expiry.ts';
import { createFastLane } from './fast/lane.ts';
import type { ConnectionEnd } from './http2/connection-end.ts';
import { createHttp2Lane } from './http2/lane.ts';
import type { ListenAddress } from './listen-address.ts';
import { createNodeLane } from './node-lane.ts';
import type { HandshakeEnd } from './tls/handshake-end.ts';
import type { ServerTls } from './tls/server-tls.ts';
import type { TicketSecret } from './tls/ticket-keys.ts';
import { openTlsDoor } from './tls/tls-door.ts';
import { createUpstreamSlots } from './upstream-slots.ts';

export interface FrontDoorOptions {
  readonly listen: ListenAddress;
  /** Instead of listening there: somebody else does, and brings the clients. */
  readonly arrivals?: OpenArrivals | undefined;
  /** The policy of the moment; asked once for each request and each connection. */
  readonly gate: () => Gate;
  /** `auto` (default): canonical requests take the fast lane. `node`: all of HTTP/1.1 take the node lane. */
  readonly lane?: 'auto' | 'node' | undefined;
  /** Undefined: plain HTTP is spoken, and no TLS. */
  readonly tls?: ServerTls | undefined;
  /** What keys of session tickets are made of; default: drawn here. */
  readonly ticketSecret?: TicketSecret | undefined;
  /** Told of each TLS handshake that has ended, well or not. */
  readonly onHandshake?: ((end: HandshakeEnd, detail: string) => void) | undefined;
  /** Told of each connection of HTTP/2 that has ended, well or not. */
  readonly onHttp2End?: ((end: ConnectionEnd, detail: string) => void) | undefined;
}

export interface FrontDoor {
  /** What is really listened on: the port that the system chose where 0 was asked for. */
  readonly address: ListenAddress;
  /** Requests under way, WebSockets included. */
  readonly activeExchanges: number;
  /** Client connections, idle ones included. */
  readonly openConnections: number;
  /**
   * From now on every answer says `Connection: close`. After `delayMs` (default: 0) no connection is accepted any more,
   * idle ones end, and what is under way gets its answer. After `drainMs` more, WebSockets are told to go away (1001),
   * and half a second later whatever is left is cut. Resolves when the last connection is gone. A second call stops now.
   */
  close(options: { readonly delayMs?: number; readonly drainMs: number }): Promise<void>;
  /** After a reload: lets go of connections to upstreams whose `Upstream.key` is not among these. */
  retainUpstreams(keys: ReadonlySet<string>): void;
  /**
   * For connections from now on; established ones live on. But where other clients are let in than before, those that
   * came by the former rules go: at once, or after the answer that is under way.
   */
  useTls(tls: ServerTls): void;
  /** For session tickets from now on; those before are worth nothing any more, which costs a full handshake. */
  useTicketSecret(secret: TicketSecret): void;
}

/** What a WebSocket client gets to answer our Close frame. */
const goodbyeMs = 500;

/**
 * Listens for clients and hands each socket to a lane: to the fast one, which passes it on to the node lane with the
 * first request that is not in canonical form. Rejects with Node's error (EADDRINUSE, EACCES, ENOENT) where it can't
 * listen.
 */
export async function createFrontDoor(options: FrontDoorOptions): Promise<FrontDoor> {
  const { listen, gate, lane = 'auto', tls, ticketSecret } = options;
  const { onHandshake = () => undefined, onHttp2End: onConnectionEnd = () => undefined } = options;
  const openArrivals = options.arrivals ?? listenAt(listen);
  const sessions = createUpstreamSessions();
  const bridge = createBridge(sessions);
  const slots = createUpstreamSlots();
  const nodeLane = createNodeLane({ gate, bridge, slots });
  const fastLane = createFastLane({ gate, bridge, slots, handOver: nodeLane.accept });
  let currentTls = tls;
  const firstLane = lane === 'node' ? nodeLane : fastLane;
  const maxStreams = () => currentTls?.http2?.maxStreams ?? 1;
  const http2Lane = tls && createHttp2Lane({ gate, bridge, sessions, slots, maxStreams, onConnectionEnd });
  const lanes = [fastLane, nodeLane, ...(http2Lane === undefined ? [] : [http2Lane])];
  const sockets = new Set<Socket>();
  const acceptSecure = (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') http2Lane?.accept(socket);
    else firstLane.accept(socket);
  };
  const door = tls && openTlsDoor({ tls, ticketSecret, gate, onHandshake, accept: acceptSecure, lanes });
  const accept = door === undefined ? firstLane.accept : door.accept;
  let accepting = true;
  let whenEmpty = () => {};
  const arrivals = await openArrivals((socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0 && !accepting) whenEmpty();
    });
    accept(socket);
  });
  const expiry = watchExpiry(gate, lanes);

  let closing: Promise<void> | undefined;
  let nextStep: NodeJS.Timeout | undefined;
  const stopAccepting = () => {
    if (!accepting) return;
    accepting = false;
    arrivals.close();
    if (sockets.size === 0) whenEmpty();
  };
  const stopNow = () => {
    clearTimeout(nextStep);
    stopAccepting();
    for (const each of lanes) each.close();
    sessions.close();
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: arrivals.address,
    get activeExchanges() {
      return lanes.reduce((active, each) => active + each.activeExchanges, 0);
    },
    get openConnections() {
      return sockets.size;
    },
    close({ delayMs = 0, drainMs }) {
      if (closing !== undefined) {
        stopNow();
        return closing;
      }
      const emptied = new Promise<void>((resolve) => {
        whenEmpty = resolve;
      });
      closing = emptied.then(() => {
        clearTimeout(nextStep);
        expiry.close();
        for (const each of lanes) each.close();
        sessions.close();
      });
      const goAway = () => {
        nodeLane.goAway();
        nextStep = setTimeout(stopNow, goodbyeMs);
      };
      const drain = () => {
        stopAccepting();
        nextStep = setTimeout(goAway, drainMs);
        // Once around the loop: a connection whose next request is here, but not read yet, is not idle.
        setImmediate(() => setImmediate(endIdle));
      };
      const endIdle = () => {
        door?.close();
        for (const each of lanes) each.drain();
      };
      for (const each of lanes) each.announceEnd();
      if (delayMs > 0) nextStep = setTimeout(drain, delayMs);
      else drain();
      return closing;
    },
    retainUpstreams(keys) {
      for (const each of lanes) each.retainUpstreams(keys);
      sessions.retain(keys);
      slots.retain(keys);
    },
    useTls(next) {
      currentTls = next;
      door?.use(next);
    },
    useTicketSecret: (secret) => door?.useTicketSecret(secret),
  };
}
