import type { BodyRead } from '../../gate/gate.ts';
import { lf } from './byte-classes.ts';
import type { BodyPiece } from './chunked.ts';

/** A request body that a rule must see before the request goes on: it is held here as it will go on. */
export class BodyCollector {
  readonly held: BodyPiece[] = [];
  readonly maxBytes: number;
  readonly result: Promise<BodyRead>;
  /** What the gate was given, once it was given something. */
  content: Uint8Array | undefined;
  private resolve: (read: BodyRead) => void = () => undefined;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
    this.result = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  complete(isChunked: boolean): void {
    const bytes = Buffer.concat(
      this.held.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)),
    );
    this.content = isChunked ? withoutChunks(bytes) : bytes;
    this.resolve({ kind: 'read', bytes: this.content });
  }

  giveUp(kind: 'tooLarge' | 'broken'): void {
    this.resolve({ kind });
  }
}

/** The data of a whole chunked body that was judged and written canonically before. */
function withoutChunks(bytes: Buffer): Buffer {
  const data: Buffer[] = [];
  let at = 0;
  for (;;) {
    const dataStart = bytes.indexOf(lf, at) + 1;
    const size = Number.parseInt(bytes.toString('latin1', at, dataStart), 16);
    if (size === 0) return Buffer.concat(data);
    data.push(bytes.subarray(dataStart, dataStart + size));
    at = dataStart + size + 2;
  }
}
