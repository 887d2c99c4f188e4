import { createServer, type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Gate } from '../gate/gate.ts';
import { serializeAnswer } from './answer.ts';
import type { Bridge } from './call/bridge.ts';
import { type ClientConnection, createClientConnection } from './client-connection.ts';
import type { Reconsider } from './expiry.ts';
import { judgeFraming, wantsWebSocket } from './framing.ts';
import { hangUp } from './linger.ts';
import { rawHead } from './read-head.ts';
import { serveRequest } from './serve-request.ts';
import { awaitSwitch } from './tunnel.ts';
import { createUpstreamPools } from './upstream-pool.ts';
import type { AllUpstreamSlots } from './upstream-slots.ts';

/** Node's http server and the proxy library behind it: complete, and able to take a socket over at any request. */
export interface NodeLane {
  /**
   * Serves this client from now on; `read` is what was read from the socket already and not yet judged, its first byte at
   * `startedMs` on `performance.now`'s clock.
   */
  accept(socket: Socket, read?: Buffer, startedMs?: number): void;
  /** Requests that were begun and are not over. */
  readonly activeExchanges: number;
  /** From now on each answer that begins is its connection's last, and says so. */
  announceEnd(): void;
  /** Ends idle connections now, and each busy one after its answer. */
  drain(): void;
  /** Lets these clients go: at once, or after the answer that is under way. */
  release(which: (socket: Socket) => boolean): void;
  /** Ends WebSockets politely: with a Close frame of status 1001 where one may stand. */
  goAway(): void;
  /** Ends what is under way where its permit is over. */
  reconsider(verdict: Reconsider): void;
  /** Cuts every exchange and connection. */
  close(): void;
  /** Lets go of connections to upstreams whose `Upstream.key` is not among these. */
  retainUpstreams(keys: ReadonlySet<string>): void;
}

/** What Node's parser gives up on with another status than 400. */
const statusByParserCode: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

export interface NodeLaneOptions {
  /** The policy of the moment; asked once for each request. */
  readonly gate: () => Gate;
  /** To upstreams that speak HTTP/2. */
  readonly bridge: Bridge;
  readonly slots: AllUpstreamSlots;
}

export function createNodeLane({ gate, bridge, slots }: NodeLaneOptions): NodeLane {
  const connections = new Map<Socket, ClientConnection>();
  const pools = createUpstreamPools(bridge, slots);
  const { timeouts } = gate();
  let ending = false;
  const server = createServer({
    // Every refusal is the gate's to word, also for a missing Host.
    requireHostHeader: false,
    // Long uploads are fine as long as something moves: each exchange watches for that.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(Math.max(timeouts.headerMs / 4, 50), 1_000),
    shouldUpgradeCallback: (request) => {
      const head = rawHead(request);
      const isFree = connections.get(request.socket)?.busy !== true;
      // One behind another request, or with a body, stays an ordinary request.
      return isFree && wantsWebSocket(head) && judgeFraming(head, gate().limits).kind === 'clear';
    },
  });
  // A head beyond this many fields would be cut short in silence; framing.ts counts and refuses.
  server.maxHeadersCount = 0;
  // This server never listens: the front door hands it sockets. Its timer for slow heads starts on this event.
  server.emit('listening');

  const takeRequest = (request: IncomingMessage, response: ServerResponse) => {
    const connection = connections.get(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    const startedMs = connection.takeStart();
    const start = () =>
      serveRequest({ request, response, connection, gate: gate(), pools, handshake: undefined, startedMs });
    // Behind an upgrade that is ignored, Node loses what was read along with it: nothing more may count as a request.
    const mayLoseBytes = request.headers.upgrade !== undefined;
    connection.enqueue(start, ending || mayLoseBytes || !response.shouldKeepAlive);
  };
  server.on('request', takeRequest);
  server.on('checkContinue', takeRequest);
  server.on('checkExpectation', takeRequest);

  server.on('upgrade', (request, stream, head) => {
    const socket = stream as Socket;
    const connection = connections.get(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => {
      response.detachSocket(socket);
      response.emit('close');
      socket.destroySoon();
    });
    const startedMs = connection.takeStart();
    const start = () =>
      serveRequest({
        request,
        response,
        connection,
        gate: gate(),
        pools,
        handshake: awaitSwitch(socket, head),
        startedMs,
      });
    connection.enqueue(start, true);
  });

  server.on('connect', (_request, stream) => refuseUnparsed(stream as Socket, 501, 'method CONNECT'));

  server.on('clientError', (error: ParserError, stream) => {
    // It ended its side within a body: nobody is there to be told.
    if (error.code === 'HPE_INVALID_EOF_STATE') {
      stream.destroy();
      return;
    }
    const socket = stream as Socket;
    const status = isTargetTooLong(error, socket) ? 414 : (statusByParserCode[error.code ?? ''] ?? 400);
    refuseUnparsed(socket, status, error.code ?? error.message);
  });

  /** Answers what never became a request. Where one is under way on the connection, that one ends it. */
  const refuseUnparsed = (socket: Socket, status: number, detail: string) => {
    const connection = connections.get(socket);
    if (connection === undefined || connection.distrusted || !socket.writable) {
      if (connection?.busy !== true) socket.destroySoon();
      return;
    }
    const requestGate = gate();
    const refused = requestGate.refuse('requestRefused', detail, { status, close: true });
    if (connection.busy) {
      connection.distrust();
      const current = connection.exchange;
      // Broken within its body: its own fault. Broken behind it: it may still be answered.
      if (current !== undefined && !current.request.complete) current.answer(refused);
      return;
    }
    connection.distrust();
    const startedMs = connection.takeStart();
    socket.write(serializeAnswer(refused));
    socket.destroySoon();
    requestGate.finish({
      head: undefined,
      decision: refused,
      lane: 'node',
      status: refused.status,
      requestBytes: 0,
      responseBytes: Buffer.byteLength(refused.body),
      durationMs: startedMs === undefined ? 0 : performance.now() - startedMs,
      upstreamMs: undefined,
      end: 'complete',
    });
  };

  return {
    accept(socket, read, startedMs) {
      const connection = createClientConnection(socket, read?.byteLength ?? 0, startedMs);
      connections.set(socket, connection);
      socket.once('close', () => connections.delete(socket));
      applyLimits(server, gate());
      if (read !== undefined && read.byteLength > 0) socket.unshift(read);
      server.emit('connection', socket);
      // Whoever read from it before may have paused it; Node's server starts only one that was never touched.
      if (socket.isPaused()) socket.resume();
    },
    get activeExchanges() {
      let count = 0;
      for (const { exchange } of connections.values()) if (exchange !== undefined) count += 1;
      return count;
    },
    announceEnd() {
      ending = true;
      for (const connection of connections.values()) connection.announceEnd();
    },
    drain() {
      for (const connection of connections.values()) {
        if (connection.busy) connection.distrust();
        else if (!connection.closeUnwanted() && connection.idle) hangUp(connection.socket);
      }
    },
    release(which) {
      for (const connection of connections.values()) {
        if (!which(connection.socket)) continue;
        const isFree = !connection.busy;
        connection.distrust();
        if (isFree && !connection.closeUnwanted()) hangUp(connection.socket);
      }
    },
    goAway() {
      for (const { exchange } of connections.values()) exchange?.goAway();
    },
    reconsider(verdict) {
      for (const { exchange } of connections.values()) exchange?.reconsider(verdict);
    },
    close() {
      for (const { exchange, socket } of connections.values()) {
        exchange?.cut('clientGone');
        socket.destroy();
      }
      pools.close();
      server.close();
    },
    retainUpstreams: pools.retain,
  };
}

interface ParserError extends NodeJS.ErrnoException {
  /** What was read last, and how much of it was taken. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

/** Certain only where all there is was read at once, without a line end so far; else a long head is just a long head. */
function isTargetTooLong({ code, rawPacket, bytesParsed }: ParserError, socket: Socket): boolean {
  if (code !== 'HPE_HEADER_OVERFLOW' || rawPacket === undefined) return false;
  return rawPacket.byteLength === socket.bytesRead && !rawPacket.subarray(0, bytesParsed).includes(0x0a);
}

/** Limits and timeouts follow a reload: Node reads them anew for each connection, each head and each idle wait. */
function applyLimits(server: ReturnType<typeof createServer>, { limits, timeouts }: Gate): void {
  server.headersTimeout = timeouts.headerMs;
  server.keepAliveTimeout = timeouts.idleMs;
  // Read by Node for each new connection, though its types only know it as an option.
  (server as { maxHeaderSize?: number }).maxHeaderSize = limits.headerBytes;
}
