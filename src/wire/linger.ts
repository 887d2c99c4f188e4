import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Enough for a client to read an answer that it did not expect while it was still sending. */
const lingerMs = 2_000;

/** And for all that may be on its way by then, in the buffers of both systems; a flood gets no more attention. */
const lingerBytes = 16 * 1024 * 1024;

/**
 * Of a body whose request was answered early, for the sake of a connection that is kept: a client that goes on sending
 * after that will not read another answer. And no longer than a connection may be idle.
 */
export const mostReadIntoNothing = 4 * 1024 * 1024;

/**
 * Ends our side and reads on, into nothing, until the client has ended its own, or two seconds or 16 MiB are over. Closing a
 * socket with unread bytes resets it, and a reset takes the answer with it that the client should read (RFC 9112
 * section 9.6).
 */
export function closeLingering(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
  let bytes = 0;
  socket.on('data', (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    if (bytes > lingerBytes) socket.destroy();
  });
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}

/**
 * Ends a connection on which nothing is under way. Over TLS it says so (close_notify, RFC 8446 section 6.1): a client
 * could else take it for cut.
 */
export function hangUp(socket: Socket): void {
  if ((socket as TLSSocket).encrypted === true) socket.end(() => socket.destroy());
  else socket.destroy();
}
