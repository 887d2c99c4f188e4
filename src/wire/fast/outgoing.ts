import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { colon, cr, lf, space } from './byte-classes.ts';
import type { BodyPiece } from './chunked.ts';

/** Room for what goes out in one turn of the event loop. */
const usualBytes = 64 * 1024;

/** Up to this size a body is cheaper copied behind its head than written beside it. */
const mostJoinedBytes = 4_096;

/** More would only keep the first of them waiting. */
const mostWaiting = 32;

/**
 * Puts messages' heads together, each with the first of its body where that is small, and sends them all at the end of
 * the event loop's turn: one after the other, so that a peer that was woken for the first finds the others, instead of
 * going back to sleep and being woken for each. That makes a request 15 % cheaper. Heads are bytes in a buffer that is
 * used again, since the system nearly always takes all of them at once: as text, a head would be some fifty strings.
 */
export class Outgoing {
  /** Rises as messages go out: those that were sent in the turn that it counts are still here. */
  turn = 0;
  private bytes = allocate(usualBytes);
  /** The message that is being put together lies between these. */
  private start = 0;
  private end = 0;
  /** Of the messages that wait, one behind the other from the buffer's beginning on. */
  private readonly sockets: Socket[] = [];
  private readonly ends: number[] = [];
  /** What stands behind each, where it was too large to be copied. */
  private readonly bodies: (readonly BodyPiece[])[] = [];
  private isDue = false;

  /** Forgets what was put together and not sent. */
  begin(): this {
    this.end = this.start;
    return this;
  }

  /** Text in latin1. */
  text(text: string): this {
    this.makeRoom(text.length);
    this.end += this.bytes.latin1Write(text, this.end);
    return this;
  }

  /** One field line (RFC 9112 section 5), which the caller has found to be one. */
  field(name: string, value: string): this {
    this.makeRoom(name.length + value.length + 4);
    const { bytes } = this;
    let at = this.end;
    at += bytes.latin1Write(name, at);
    bytes[at++] = colon;
    bytes[at++] = space;
    at += bytes.latin1Write(value, at);
    bytes[at++] = cr;
    bytes[at++] = lf;
    this.end = at;
    return this;
  }

  /** A part of other bytes. */
  copy(source: Buffer, from: number, to: number): this {
    this.makeRoom(to - from);
    source.copy(this.bytes, this.end, from, to);
    this.end += to - from;
    return this;
  }

  toString(): string {
    return this.bytes.toString('latin1', this.start, this.end);
  }

  /**
   * Sends what was put together, and pieces of a body behind it: with all else of this turn, or now where the pieces are
   * large and `canWait` is false, because they are overwritten by the next read.
   */
  send(socket: Socket, pieces: readonly BodyPiece[] = noPieces, canWait = false): void {
    const first = pieces[0];
    const isLarge = first !== undefined && (pieces.length > 1 || first.length > mostJoinedBytes);
    if (!isLarge && first !== undefined) {
      if (typeof first === 'string') this.text(first);
      else this.copy(first, 0, first.length);
    }
    this.sockets.push(socket);
    this.ends.push(this.end);
    this.bodies.push(isLarge ? pieces : noPieces);
    this.start = this.end;
    if ((isLarge && !canWait) || this.sockets.length >= mostWaiting) this.flush();
    else this.flushSoon();
  }

  private flushSoon(): void {
    if (this.isDue) return;
    this.isDue = true;
    setImmediate(this.onTurnEnd);
  }

  private readonly onTurnEnd = () => {
    this.isDue = false;
    this.flush();
  };

  /** Writes what waits: for whoever is about to write to a socket, or to end it, by other means. */
  flush(): void {
    const { sockets, ends, bodies, bytes } = this;
    if (sockets.length === 0) return;
    this.turn++;
    let isHeld = false;
    let from = 0;
    for (let i = 0; i < sockets.length; i++) {
      const socket = sockets[i] as Socket;
      const to = ends[i] as number;
      const body = bodies[i] as readonly BodyPiece[];
      if (!socket.destroyed) isHeld = writeMessage(socket, bytes, from, to, body) || isHeld;
      from = to;
    }
    sockets.length = 0;
    ends.length = 0;
    bodies.length = 0;
    this.restart(isHeld ? allocate(usualBytes) : bytes);
  }

  /** Goes on in a buffer from its beginning, with what is being put together. */
  private restart(bytes: Latin1Buffer): void {
    this.bytes.copy(bytes, 0, this.start, this.end);
    this.bytes = bytes;
    this.end -= this.start;
    this.start = 0;
  }

  private makeRoom(bytes: number): void {
    if (this.end + bytes <= this.bytes.length) return;
    this.flush();
    if (this.end + bytes <= this.bytes.length) return;
    this.restart(allocate(2 * (this.end + bytes)));
  }
}

/** True where somebody holds on to the bytes, because the system has not taken all of them. */
function writeMessage(socket: Socket, bytes: Buffer, from: number, to: number, body: readonly BodyPiece[]): boolean {
  if (body.length === 0) return writeShared(socket, bytes, from, to);
  socket.cork();
  writeShared(socket, bytes, from, to);
  for (const piece of body) writePiece(socket, piece);
  socket.uncork();
  return socket.writableLength > 0;
}

/** True as for `writeMessage`. */
function writeShared(socket: Socket, bytes: Buffer, from: number, to: number): boolean {
  if ((socket as TLSSocket).encrypted === true || socket.writableLength > 0) {
    // TLS never takes them at once, nor does who has not taken the last ones: a copy is as large as they are.
    socket.write(Buffer.from(bytes.subarray(from, to)));
    return false;
  }
  socket.write(bytes.subarray(from, to));
  return socket.writableLength > 0;
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

/** Writes pieces of a body now, in one go. */
export function writePieces(socket: Socket, pieces: readonly BodyPiece[]): void {
  outgoing.flush();
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
