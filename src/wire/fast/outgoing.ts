import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { colon, cr, lf, space } from './byte-classes.ts';
import type { BodyPiece } from './chunked.ts';

/** Room for nearly every head, with a small body. */
const usualBytes = 16 * 1024;

/** Up to this size a body is cheaper copied behind its head than written beside it. */
const mostJoinedBytes = 4_096;

/**
 * Puts a message's head together, and sends it with the first of its body: bytes in a buffer that the next message uses
 * again, since the system nearly always takes all of them at once. As text, a head would be some fifty strings.
 */
export class Outgoing {
  private length = 0;
  private bytes = allocate(usualBytes);

  /** Forgets what was put together before. */
  begin(): this {
    this.length = 0;
    return this;
  }

  /** Text in latin1. */
  text(text: string): this {
    this.makeRoom(text.length);
    this.length += this.bytes.latin1Write(text, this.length);
    return this;
  }

  /** One field line (RFC 9112 section 5), which the caller has found to be one. */
  field(name: string, value: string): this {
    this.makeRoom(name.length + value.length + 4);
    const { bytes } = this;
    let at = this.length;
    at += bytes.latin1Write(name, at);
    bytes[at++] = colon;
    bytes[at++] = space;
    at += bytes.latin1Write(value, at);
    bytes[at++] = cr;
    bytes[at++] = lf;
    this.length = at;
    return this;
  }

  /** A part of other bytes. */
  copy(source: Buffer, from: number, to: number): this {
    this.makeRoom(to - from);
    source.copy(this.bytes, this.length, from, to);
    this.length += to - from;
    return this;
  }

  toString(): string {
    return this.bytes.toString('latin1', 0, this.length);
  }

  /** Writes what was put together, and pieces of a body behind it, in one go. */
  send(socket: Socket, pieces: readonly BodyPiece[] = noPieces): void {
    const [first] = pieces;
    if (first !== undefined && (pieces.length > 1 || first.length > mostJoinedBytes)) {
      socket.cork();
      this.write(socket);
      for (const piece of pieces) writePiece(socket, piece);
      socket.uncork();
    } else {
      if (typeof first === 'string') this.text(first);
      else if (first !== undefined) this.copy(first, 0, first.length);
      this.write(socket);
    }
    // Somebody still holds on to the bytes.
    if (socket.writableLength > 0) this.bytes = allocate(usualBytes);
  }

  private write(socket: Socket): void {
    const { bytes, length } = this;
    // TLS never takes them at once: it gets bytes of its own, and no more of them than there are.
    if ((socket as TLSSocket).encrypted === true) socket.write(Buffer.from(bytes.subarray(0, length)));
    else socket.write(bytes.subarray(0, length));
  }

  private makeRoom(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.bytes.length) return;
    const larger = allocate(2 * needed);
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

/** What `write` does for latin1, without looking up each time what that is. */
interface Latin1Buffer extends Buffer {
  latin1Write(text: string, at: number): number;
}

function allocate(bytes: number): Latin1Buffer {
  return Buffer.allocUnsafeSlow(bytes) as Buffer as Latin1Buffer;
}

/** Between `begin` and `send` nobody else has a turn: one is enough for all connections. */
export const outgoing = new Outgoing();

const noPieces: readonly BodyPiece[] = [];

/** Writes pieces of a body, in one go. */
export function writePieces(socket: Socket, pieces: readonly BodyPiece[]): void {
  if (pieces.length === 1) {
    writePiece(socket, pieces[0] as BodyPiece);
  } else if (pieces.length > 1) {
    socket.cork();
    for (const piece of pieces) writePiece(socket, piece);
    socket.uncork();
  }
}

function writePiece(socket: Socket, piece: BodyPiece): void {
  if (typeof piece === 'string') socket.write(piece, 'latin1');
  else socket.write(piece);
}

/**
 * Has the socket more to send than it should hold? Node's own flag stands also after a large write that the system took
 * at once; 'drain' follows in either case.
 */
export function isFull(socket: Socket): boolean {
  return socket.writableNeedDrain && socket.writableLength > 0;
}
