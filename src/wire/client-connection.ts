import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Exchange } from './exchange.ts';
import { closeLingering, mostReadIntoNothing } from './linger.ts';

/** What one connection is doing: at most one request at a time, in order of arrival. */
export interface ClientConnection {
  readonly socket: Socket;
  /** True from a request's arrival until its exchange is over. */
  readonly busy: boolean;
  /** True while nothing has arrived since the last request. */
  readonly idle: boolean;
  /** When the head that comes first began, where that is known from whoever read from the socket before; told once. */
  takeStart(): number | undefined;
  /** The one under way. */
  exchange: Exchange | undefined;
  /**
   * Runs `start` when every earlier request is over, or never, if the connection is given up before. After a `last`
   * one nothing more is taken (RFC 9112 section 9.6).
   */
  enqueue(start: () => void, last: boolean): void;
  /**
   * The exchange that `enqueue` started is over. What is left of its request is read into nothing, but not for longer than
   * `idleMs`, and not without end: then the connection closes.
   */
  release(request: IncomingMessage, idleMs: number): void;
  /** Ends the connection, in order, where it is only held by a body that nobody wants; else false. */
  closeUnwanted(): boolean;
  /** The answer under way is the last one, where it can still say so. */
  announceEnd(): void;
  /** Nothing that arrives from now on is a request: what follows can't be told apart for certain, or nobody waits for it. */
  distrust(): void;
  readonly distrusted: boolean;
  /** True where the answer under way is the connection's last: it says `Connection: close`. */
  readonly closing: boolean;
}

/**
 * Requests that wait behind another on one connection. Pausing the socket stops most of a flood, but one read of 64 KiB
 * may hold thousands of tiny requests; those past this number are dropped and the connection closes in front of them,
 * which a pipelining client has to expect (RFC 9112 section 9.3.2).
 */
const mostWaiting = 128;

/** `unreadBytes`: what was read from the socket and is still to be judged, from `firstStartedMs` on. */
export function createClientConnection(socket: Socket, unreadBytes: number, firstStartedMs?: number): ClientConnection {
  const waiting: (() => void)[] = [];
  let busy = false;
  let distrusted = false;
  let lingering = false;
  let bytesBefore = socket.bytesRead - unreadBytes;
  let startedMs = firstStartedMs;

  // Before anything else is done with it: a socket without an error handler takes the process down (M6).
  socket.on('error', ignoreError);

  // Node calls this when an answer with Connection: close has been written.
  const destroySoon = socket.destroySoon.bind(socket);
  socket.destroySoon = () => (distrusted ? lingerOnce() : destroySoon());

  const lingerOnce = () => {
    if (!lingering) closeLingering(socket);
    lingering = true;
  };

  /** Gives up on a body that nobody wants. */
  let giveUp: (() => void) | undefined;

  const readIntoNothing = (request: IncomingMessage, idleMs: number) => {
    let bytes = 0;
    const count = (chunk: Uint8Array) => {
      bytes += chunk.byteLength;
      if (bytes > mostReadIntoNothing) giveUp?.();
    };
    const forget = () => {
      clearTimeout(timer);
      request.off('data', count);
      giveUp = undefined;
    };
    giveUp = () => {
      forget();
      distrusted = true;
      lingerOnce();
    };
    const timer = setTimeout(giveUp, idleMs);
    request.on('data', count).resume();
    request.once('end', forget);
    socket.once('close', forget);
  };

  return {
    socket,
    exchange: undefined,
    takeStart() {
      const known = startedMs;
      startedMs = undefined;
      return known;
    },
    get busy() {
      return busy;
    },
    get idle() {
      return !busy && socket.bytesRead === bytesBefore;
    },
    get distrusted() {
      return distrusted;
    },
    get closing() {
      return distrusted && waiting.length === 0;
    },
    enqueue(start, last) {
      if (distrusted) return;
      distrusted = last || waiting.length === mostWaiting;
      if (waiting.length === mostWaiting) return;
      if (busy) {
        waiting.push(start);
        socket.pause();
        return;
      }
      busy = true;
      start();
    },
    release(request, idleMs) {
      this.exchange = undefined;
      if (socket.destroyed) waiting.length = 0;
      else if (!request.complete && !distrusted) readIntoNothing(request, idleMs);
      const start = waiting.shift();
      if (waiting.length === 0) socket.resume();
      busy = start !== undefined;
      bytesBefore = socket.bytesRead;
      if (start !== undefined) start();
      else if (distrusted) lingerOnce();
    },
    closeUnwanted() {
      const isUnwanted = giveUp !== undefined;
      giveUp?.();
      return isUnwanted;
    },
    announceEnd() {
      if (waiting.length > 0 || this.exchange?.response.headersSent === false) distrusted = true;
    },
    distrust() {
      distrusted = true;
      waiting.length = 0;
    },
  };
}

/** What a socket's error means is learnt from its 'close', which always follows. */
function ignoreError(): void {}
