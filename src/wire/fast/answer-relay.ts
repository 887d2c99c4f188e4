import type { Socket } from 'node:net';
import { type AnswerHead, putAnswer, putInterim } from './answer-head.ts';
import { AnswerReader, type InterimTaker } from './answer-reader.ts';
import { lastChunk } from './framing.ts';
import { httpDate } from './http-date.ts';
import { outgoing, writePieces } from './outgoing.ts';

/** One upstream's answer on its way to the client's socket: what was read of it has been passed on. */
export class AnswerRelay extends AnswerReader implements InterimTaker {
  private readonly socket: Socket;

  constructor(socket: Socket, method: string) {
    super(method);
    this.socket = socket;
  }

  /**
   * Passes on what came from the upstream; keeps nothing of `bytes`, but the socket may. `isLast`: the client's
   * connection ends after this answer. `set`: fields from the gate, as a flat list.
   */
  take(bytes: Buffer, isLast: boolean, set: readonly string[]): void {
    if (this.head === undefined) {
      const whole = this.findHead(bytes, this);
      if (whole !== undefined) this.passHead(whole, isLast, set);
      return;
    }
    const pieces = this.readBody(bytes, 0);
    if (pieces !== undefined) writePieces(this.socket, pieces);
  }

  /** RFC 9110 section 15.2: a proxy forwards interim answers. */
  takeInterim(answer: AnswerHead, bytes: Buffer): void {
    putInterim(outgoing, answer, bytes);
    outgoing.send(this.socket);
  }

  private passHead(bytes: Buffer, isLast: boolean, set: readonly string[]): void {
    const answer = this.head as AnswerHead;
    const pieces = this.readBody(bytes, answer.end);
    if (pieces === undefined) return;
    putAnswer(outgoing, answer, bytes, { method: this.method, close: isLast, set, date: httpDate });
    outgoing.send(this.socket, pieces);
  }

  /** The upstream has ended its side, in order: true where that is how this answer ends. */
  takeEnd(): boolean {
    if (!this.endsWithConnection) return false;
    writePieces(this.socket, [lastChunk]);
    return true;
  }
}
