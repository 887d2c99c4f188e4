import type { Socket } from 'node:net';
import { isTrailerField } from '../field-lists.ts';
import {
  type AnswerHead,
  hasBody,
  mostAnswerHeadBytes,
  parseAnswerHead,
  putAnswer,
  putInterim,
} from './answer-head.ts';
import { lf } from './byte-classes.ts';
import { type BodyPiece, createChunkedReader } from './chunked.ts';
import { type BodyReader, LengthReader, lastChunk, noBodyReader, UntilCloseReader } from './framing.ts';
import { httpDate } from './http-date.ts';
import { outgoing, writePieces } from './outgoing.ts';

/** More interim answers than any real upstream sends are dropped: they would not wait for a slow client. */
const mostInterimAnswers = 32;

/** One upstream's answer on its way to the client's socket: interim ones, the head, the body. */
export class AnswerRelay {
  /** The final head, once it has been passed on. */
  head: AnswerHead | undefined;
  /** What is wrong with the answer; nothing from that point on was passed. */
  problem: string | undefined;
  /** Anything at all has come. */
  hasBegun = false;
  /** More came than belongs to the answer: it would be taken for the next one. */
  hasSurplus = false;
  private readonly socket: Socket;
  private readonly method: string;
  private reader: BodyReader | undefined;
  /** The beginning of a head. */
  private partial: Buffer | undefined;
  private interimAnswers = 0;

  constructor(socket: Socket, method: string) {
    this.socket = socket;
    this.method = method;
  }

  /** The answer's last byte has been passed on. */
  get done(): boolean {
    return this.reader?.done === true;
  }

  get bodyBytes(): number {
    return this.reader === undefined ? 0 : this.reader.bodyBytes;
  }

  /**
   * Passes on what came from the upstream; keeps nothing of `bytes`, but the socket may. `isLast`: the client's
   * connection ends after this answer. `set`: fields from the gate, as a flat list.
   */
  take(bytes: Buffer, isLast: boolean, set: readonly string[]): void {
    this.hasBegun = true;
    if (this.reader !== undefined) {
      const pieces = this.readBody(bytes, 0, this.reader);
      if (pieces !== undefined) writePieces(this.socket, pieces);
      return;
    }
    const all = this.partial === undefined ? bytes : Buffer.concat([this.partial, bytes]);
    // A head ends with a line: without one there is nothing new to learn, but for its being too long.
    const isVain = this.partial !== undefined && bytes.indexOf(lf) === -1 && all.length < mostAnswerHeadBytes;
    if (isVain) this.partial = all;
    else this.takeHead(all, isLast, set);
  }

  private takeHead(bytes: Buffer, isLast: boolean, set: readonly string[]): void {
    let at = 0;
    for (;;) {
      const answer = parseAnswerHead(bytes, at);
      if (answer.kind === 'broken') {
        this.problem = answer.detail;
        return;
      }
      if (answer.kind === 'incomplete') {
        this.partial = Buffer.from(bytes.subarray(at));
        return;
      }
      if (answer.status >= 200) {
        this.passHead(answer, bytes, isLast, set);
        return;
      }
      // RFC 9110 section 15.2.2: a switch was not asked for.
      if (answer.status === 101) {
        this.problem = 'the upstream switched to a protocol that was not asked for';
        return;
      }
      this.passInterim(answer, bytes);
      at = answer.end;
    }
  }

  /** RFC 9110 section 15.2: a proxy forwards interim answers. */
  private passInterim(answer: AnswerHead, bytes: Buffer): void {
    this.interimAnswers++;
    if (this.interimAnswers > mostInterimAnswers) return;
    putInterim(outgoing, answer, bytes);
    outgoing.send(this.socket);
  }

  private passHead(answer: AnswerHead, bytes: Buffer, isLast: boolean, set: readonly string[]): void {
    this.head = answer;
    this.partial = undefined;
    this.reader = readerFor(answer, this.method);
    const pieces = this.readBody(bytes, answer.end, this.reader);
    if (pieces === undefined) return;
    putAnswer(outgoing, answer, bytes, { method: this.method, close: isLast, set, date: httpDate });
    outgoing.send(this.socket, pieces);
  }

  /** What goes on to the client; undefined where there is something wrong with it. */
  private readBody(bytes: Buffer, from: number, reader: BodyReader): readonly BodyPiece[] | undefined {
    const pieces: BodyPiece[] = [];
    const end = reader.read(bytes, from, pieces);
    this.problem = reader.problem;
    if (this.problem !== undefined) return undefined;
    this.hasSurplus = end < bytes.length;
    return pieces;
  }

  /** The upstream has ended its side, in order: true where that is how this answer ends. */
  takeEnd(): boolean {
    if (!(this.reader instanceof UntilCloseReader)) return false;
    writePieces(this.socket, [lastChunk]);
    return true;
  }
}

function readerFor(answer: AnswerHead, method: string): BodyReader {
  if (!hasBody(answer, method)) return noBodyReader;
  if (answer.chunked) return createChunkedReader((name) => isTrailerField(name.toLowerCase()));
  return answer.length === undefined ? new UntilCloseReader() : new LengthReader(answer.length);
}
