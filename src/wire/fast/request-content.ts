import type { BodyRead, Gate, RequestBody } from '../../gate/gate.ts';
import { isTrailerField } from '../field-lists.ts';
import type { BodyFraming } from '../framing.ts';
import { lf } from './byte-classes.ts';
import { type BodyPiece, createChunkedReader } from './chunked.ts';
import { type BodyReader, LengthReader, noBodyReader } from './framing.ts';

/** The most of an unread body that is read into nothing to keep the connection of a refused request. */
const discardBytes = 64 * 1024;

/** Who has to bring the body, once the gate wants it. */
export interface ContentOwner {
  onBodyWanted(): void;
  /** The gate has it, or knows that it won't get it. */
  onBodyRead(): void;
}

/** A request's body: its framing, how far it has come, and what of it is held here because the gate had to see it. */
export class RequestContent implements RequestBody {
  readonly reader: BodyReader;
  /** How it is framed on its way upstream. */
  framing: BodyFraming;
  private readonly owner: ContentOwner;
  /** Judged and framed as it goes on. */
  private held: BodyPiece[] = [];
  private maxBytes = 0;
  private result: Promise<BodyRead> | undefined;
  private resolve: ((read: BodyRead) => void) | undefined;
  private bytes: Uint8Array | undefined;
  private isReplaced = false;

  constructor(framing: BodyFraming, owner: ContentOwner, gate: Gate) {
    this.framing = framing;
    this.owner = owner;
    this.reader = readerFor(framing, gate);
  }

  /** For the gate: the whole body, before the decision. */
  read(maxBytes: number): Promise<BodyRead> {
    const { framing } = this;
    if (framing.kind === 'none') return Promise.resolve({ kind: 'read', bytes: new Uint8Array() });
    if (framing.kind === 'length' && framing.bytes > maxBytes) return Promise.resolve({ kind: 'tooLarge' });
    if (this.result === undefined) {
      this.maxBytes = maxBytes;
      this.result = new Promise((resolve) => {
        this.resolve = resolve;
      });
      this.owner.onBodyWanted();
    }
    return this.result;
  }

  /** The client's next bytes for the gate; returns the offset behind what belongs to the body. */
  collect(bytes: Buffer): number {
    const { reader } = this;
    const end = reader.read(bytes, 0, this.held);
    if (reader.problem !== undefined) this.giveUp();
    else if (reader.bodyBytes > this.maxBytes) this.settle({ kind: 'tooLarge' });
    else if (reader.done) this.settle({ kind: 'read', bytes: this.wholeBytes() });
    return end;
  }

  /** No more of it will come. */
  giveUp(): void {
    this.settle({ kind: 'broken' });
  }

  private settle(read: BodyRead): void {
    const { resolve } = this;
    if (resolve === undefined) return;
    this.resolve = undefined;
    if (read.kind === 'read') this.bytes = read.bytes;
    this.owner.onBodyRead();
    resolve(read);
  }

  private wholeBytes(): Buffer {
    const held = this.held.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece));
    const bytes = Buffer.concat(held);
    return this.framing.kind === 'chunked' ? withoutChunks(bytes) : bytes;
  }

  /** What the gate allows to go on in place of what it has read; nearly always that is the same. */
  replace(body: Uint8Array): void {
    if (body === this.bytes || (this.framing.kind === 'none' && body.byteLength === 0)) return;
    this.isReplaced = true;
    this.framing = { kind: 'length', bytes: body.byteLength };
    this.held = [Buffer.from(body)];
  }

  /** Nothing more of it has to come from the client before the request is whole. */
  get isComplete(): boolean {
    return this.reader.done || this.isReplaced;
  }

  /** What is held goes on now, with the head; undefined where nothing is. */
  takeHeld(): readonly BodyPiece[] | undefined {
    const { held } = this;
    if (held.length === 0) return undefined;
    this.held = [];
    return held;
  }

  /** Is so much of it still to come that the client's connection is better closed than read on? */
  get isInTheWay(): boolean {
    if (this.reader.done) return false;
    return this.reader.problem !== undefined || this.framing.kind !== 'length' || this.framing.bytes > discardBytes;
  }
}

function readerFor(framing: BodyFraming, gate: Gate): BodyReader {
  switch (framing.kind) {
    case 'none':
      return noBodyReader;
    case 'length':
      return new LengthReader(framing.bytes);
    case 'chunked':
      return createChunkedReader((name) => isTrailerField(name.toLowerCase()) && !gate.isBarredTrailer(name));
  }
}

/** The data of a whole chunked body that was judged, and written canonically, before. */
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
