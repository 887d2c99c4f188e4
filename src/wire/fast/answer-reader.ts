import { isTrailerField } from '../field-lists.ts';
import { type AnswerHead, hasBody, mostAnswerHeadBytes, parseAnswerHead } from './answer-head.ts';
import { lf } from './byte-classes.ts';
import { type BodyPiece, createChunkedReader } from './chunked.ts';
import { type BodyReader, LengthReader, noBodyReader, UntilCloseReader } from './framing.ts';

/** More interim answers than any real upstream sends are dropped: they would not wait for a slow client. */
const mostInterimAnswers = 32;

/** Who is told of interim answers (RFC 9110 section 15.2). */
export interface InterimTaker {
  takeInterim(answer: AnswerHead, bytes: Buffer): void;
}

/** Reads one upstream's answer in the pieces it comes in: interim ones, the head, the body. */
export class AnswerReader {
  /** The final head, once it was found. */
  head: AnswerHead | undefined;
  /** What is wrong with the answer; nothing from that point on was read. */
  problem: string | undefined;
  /** Anything at all has come. */
  hasBegun = false;
  /** More came than belongs to the answer: it would be taken for the next one. */
  hasSurplus = false;
  protected readonly method: string;
  private body: BodyReader = noBodyReader;
  /** The beginning of a head. */
  private partial: Buffer | undefined;
  private interimAnswers = 0;

  constructor(method: string) {
    this.method = method;
  }

  /** The answer's last byte was read. */
  get done(): boolean {
    return this.head !== undefined && this.body.done;
  }

  get bodyBytes(): number {
    return this.body.bodyBytes;
  }

  /** Fields of the trailer section that pass, as a flat name, value list; of use once it is done. */
  get trailers(): readonly string[] {
    return this.body.trailers;
  }

  /** The answer is whole once the upstream has ended its side, in order. */
  get endsWithConnection(): boolean {
    return this.body instanceof UntilCloseReader;
  }

  /** Looks for the head in what came; where it is found, returns the bytes in which it lies, with the body's first behind. */
  findHead(bytes: Buffer, taker: InterimTaker): Buffer | undefined {
    this.hasBegun = true;
    const all = this.partial === undefined ? bytes : Buffer.concat([this.partial, bytes]);
    // A head ends with a line: without one there is nothing new to learn, but for its being too long.
    const isVain = this.partial !== undefined && bytes.indexOf(lf) === -1 && all.length < mostAnswerHeadBytes;
    if (!isVain) return this.readHeads(all, taker);
    this.partial = all;
    return undefined;
  }

  private readHeads(bytes: Buffer, taker: InterimTaker): Buffer | undefined {
    let at = 0;
    for (;;) {
      const answer = parseAnswerHead(bytes, at);
      if (answer.kind === 'broken') {
        this.problem = answer.detail;
        return undefined;
      }
      if (answer.kind === 'incomplete') {
        this.partial = Buffer.from(bytes.subarray(at));
        return undefined;
      }
      if (answer.status >= 200) {
        this.head = answer;
        this.partial = undefined;
        this.body = readerFor(answer, this.method);
        return bytes;
      }
      // RFC 9110 section 15.2.2: a switch was not asked for.
      if (answer.status === 101) {
        this.problem = 'the upstream switched to a protocol that was not asked for';
        return undefined;
      }
      this.interimAnswers++;
      if (this.interimAnswers <= mostInterimAnswers) taker.takeInterim(answer, bytes);
      at = answer.end;
    }
  }

  /** The body's next bytes as they go on by HTTP/1.1; undefined where there is something wrong with them. */
  readBody(bytes: Buffer, from: number): readonly BodyPiece[] | undefined {
    const pieces: BodyPiece[] = [];
    return this.judge(this.body.read(bytes, from, pieces), bytes) ? pieces : undefined;
  }

  /** The same for who frames them otherwise: the data alone. */
  readData(bytes: Buffer, from: number): readonly Buffer[] | undefined {
    const data: Buffer[] = [];
    return this.judge(this.body.readData(bytes, from, data), bytes) ? data : undefined;
  }

  private judge(end: number, bytes: Buffer): boolean {
    this.problem = this.body.problem;
    this.hasSurplus = end < bytes.length;
    return this.problem === undefined;
  }
}

function readerFor(answer: AnswerHead, method: string): BodyReader {
  if (!hasBody(answer, method)) return noBodyReader;
  if (answer.chunked) return createChunkedReader((name) => isTrailerField(name.toLowerCase()));
  return answer.length === undefined ? new UntilCloseReader() : new LengthReader(answer.length);
}
