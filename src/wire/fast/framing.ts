import { isFieldName } from '../../gate/field-name.ts';
import { fieldValue } from '../framing.ts';
import type { BodyPiece } from './chunked.ts';

/** Follows one message body through the buffers it comes in (RFC 9112 section 6). */
export interface BodyReader {
  /** The body's last byte was read; what follows belongs to the next message. */
  readonly done: boolean;
  /** What is wrong with the framing; nothing from that point on was passed. */
  readonly problem: string | undefined;
  /** Body bytes read so far, without their framing. */
  readonly bodyBytes: number;
  /** Fields of the trailer section that pass, as a flat name, value list; of use once it is done. */
  readonly trailers: readonly string[];
  /**
   * Judges `bytes` from `from` on, adds what goes on by HTTP/1.1 to `pieces`, and returns the offset behind what it has
   * used.
   */
  read(bytes: Buffer, from: number, pieces: BodyPiece[]): number;
  /** The same for who frames it otherwise: adds the body's data alone. */
  readData(bytes: Buffer, from: number, data: Buffer[]): number;
}

const noTrailers: readonly string[] = [];

/** A message without a body (RFC 9112 section 6.3, rules 1 and 7). */
export const noBodyReader: BodyReader = {
  done: true,
  problem: undefined,
  bodyBytes: 0,
  trailers: noTrailers,
  read: (_bytes, from) => from,
  readData: (_bytes, from) => from,
};

/** A body of so many bytes (rule 6). */
export class LengthReader implements BodyReader {
  readonly problem = undefined;
  readonly trailers = noTrailers;
  bodyBytes = 0;
  private readonly length: number;

  constructor(length: number) {
    this.length = length;
  }

  get done(): boolean {
    return this.bodyBytes === this.length;
  }

  read(bytes: Buffer, from: number, pieces: BodyPiece[]): number {
    const end = Math.min(bytes.length, from + this.length - this.bodyBytes);
    if (end > from) pieces.push(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end));
    this.bodyBytes += end - from;
    return end;
  }

  readData(bytes: Buffer, from: number, data: Buffer[]): number {
    return this.read(bytes, from, data);
  }
}

/**
 * A response body that ends with its connection (rule 8). It goes on chunked, so that a client can tell its end from a
 * connection that broke.
 */
export class UntilCloseReader implements BodyReader {
  readonly done = false;
  readonly problem = undefined;
  readonly trailers = noTrailers;
  bodyBytes = 0;

  read(bytes: Buffer, from: number, pieces: BodyPiece[]): number {
    const size = bytes.length - from;
    if (size > 0) pieces.push(`${size.toString(16)}\r\n`, from === 0 ? bytes : bytes.subarray(from), '\r\n');
    this.bodyBytes += size;
    return bytes.length;
  }

  readData(bytes: Buffer, from: number, data: Buffer[]): number {
    if (from < bytes.length) data.push(bytes.subarray(from));
    this.bodyBytes += bytes.length - from;
    return bytes.length;
  }
}

/** Ends a chunked body without trailers. */
export const lastChunk = '0\r\n\r\n';

/** Ends a chunked body with these fields, but for those that can't stand in a trailer section. */
export function lastChunkWith(trailers: readonly (readonly [string, string])[]): string {
  const lines = trailers.map(([name, value]) =>
    isFieldName(name) && fieldValue.test(value) ? `${name}: ${value}\r\n` : '',
  );
  return `0\r\n${lines.join('')}\r\n`;
}
