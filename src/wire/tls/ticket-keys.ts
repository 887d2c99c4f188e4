import { hkdfSync, randomBytes } from 'node:crypto';
import type { ServerTls } from './server-tls.ts';

/** What keys of session tickets are derived from. Whoever has it reads sessions of TLS 1.2 whose tickets were sent meanwhile. */
export type TicketSecret = Uint8Array;

export function newTicketSecret(): TicketSecret {
  return randomBytes(32);
}

/**
 * The 48 bytes that Node encrypts tickets with (RFC 5077 section 4): name, AES and HMAC keys. Processes that share a
 * secret resume each other's sessions. What is spoken and whose certificates are believed is part of the derivation
 * (RFC 5869), so that a session ends with the rules that its client was verified by.
 */
export function ticketKeys(secret: TicketSecret, { id }: Pick<ServerTls, 'id'>): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `jwtgate session tickets ${id}`, 48));
}
