import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Enough for a client to read an answer that it did not expect while it was still sending. */
const lingerMs = 2_000;

/**
 * Ends our side and reads on, into nothing, until the client has ended its own or two seconds are over. Closing a
 * socket with unread bytes resets it, and a reset takes the answer with it that the client should read (RFC 9112
 * section 9.6).
 */
export function closeLingering(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
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
