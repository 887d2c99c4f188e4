import type { Socket } from 'node:net';
import type { BodyPiece } from './chunked.ts';

/** Up to this size a body is cheaper copied into the head's string than written beside it. */
const mostJoinedBytes = 4_096;

/**
 * Has the socket more to send than it should hold? Node's own flag stands also after a large write that the system took
 * at once; 'drain' follows in either case.
 */
export function isFull(socket: Socket): boolean {
  return socket.writableNeedDrain && socket.writableLength > 0;
}

/** Writes a head (latin1; may be empty) and pieces of a body in one go. */
export function writePieces(socket: Socket, head: string, pieces: readonly BodyPiece[]): void {
  const first = pieces[0];
  if (first === undefined) {
    if (head !== '') socket.write(head, 'latin1');
    return;
  }
  if (pieces.length === 1 && head === '') {
    writePiece(socket, first);
    return;
  }
  if (pieces.length === 1 && first.length <= mostJoinedBytes) {
    socket.write(head + (typeof first === 'string' ? first : first.toString('latin1')), 'latin1');
    return;
  }
  socket.cork();
  if (head !== '') socket.write(head, 'latin1');
  for (const piece of pieces) writePiece(socket, piece);
  socket.uncork();
}

function writePiece(socket: Socket, piece: BodyPiece): void {
  if (typeof piece === 'string') socket.write(piece, 'latin1');
  else socket.write(piece);
}
