import type { Readable } from 'node:stream';
import type { BodyRead, RequestBody } from '../gate/gate.ts';
import type { BodyFraming } from './framing.ts';

export interface ReadableBodyInput {
  readonly request: Readable;
  /** Asked at its end, where that alone does not say that nothing is missing. */
  readonly isWhole?: () => boolean;
  readonly framing: BodyFraming;
  /** With no byte for this long the body counts as broken. */
  readonly idleMs: number;
  /** Called before the first byte is awaited: a client that asked for it is told to go on. */
  readonly onRead: () => void;
  readonly onBytes: (bytes: number) => void;
}

/**
 * A request's body, for the gate to read where a rule needs it, and for the lane to know what became of it. A class: a
 * literal with a getter gets a hidden class of its own each time, and keeps its request past the young generation.
 */
export class ReadableBody implements RequestBody {
  /** The whole body, once it was read. */
  bytes: Uint8Array | undefined;
  /** Of a body that was too long: what was read of it, which is still to come as if it were not. */
  bytesPutBack = 0;
  readonly #input: ReadableBodyInput;

  constructor(input: ReadableBodyInput) {
    this.#input = input;
  }

  async read(maxBytes: number): Promise<BodyRead> {
    const { request, framing, onRead } = this.#input;
    if (this.bytes !== undefined) return { kind: 'read', bytes: this.bytes };
    if (framing.kind === 'length' && framing.bytes > maxBytes) return { kind: 'tooLarge' };
    if (framing.kind === 'none') return { kind: 'read', bytes: new Uint8Array() };
    if (request.destroyed) return { kind: 'broken' };
    onRead();
    const { read, bytesPutBack } = await collect(this.#input, maxBytes);
    this.bytesPutBack = bytesPutBack;
    if (read.kind === 'read') this.bytes = read.bytes;
    return read;
  }
}

interface Collected {
  readonly read: BodyRead;
  readonly bytesPutBack: number;
}

function collect({ request, idleMs, onBytes, isWhole }: ReadableBodyInput, maxBytes: number): Promise<Collected> {
  const { promise, resolve } = Promise.withResolvers<Collected>();
  const chunks: Buffer[] = [];
  let total = 0;
  const stop = (read: BodyRead) => {
    clearTimeout(timer);
    request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
    request.pause();
    // Where the request goes on all the same (mode: report), it goes on whole.
    const bytesPutBack = read.kind === 'tooLarge' ? total : 0;
    if (bytesPutBack > 0) request.unshift(Buffer.concat(chunks, total));
    resolve({ read, bytesPutBack });
  };
  const onData = (chunk: Buffer) => {
    timer.refresh();
    total += chunk.byteLength;
    onBytes(chunk.byteLength);
    chunks.push(chunk);
    if (total > maxBytes) stop({ kind: 'tooLarge' });
  };
  const onEnd = () => {
    if (isWhole?.() === false) onBroken();
    else stop({ kind: 'read', bytes: Buffer.concat(chunks, total) });
  };
  const onBroken = () => stop({ kind: 'broken' });
  const timer = setTimeout(onBroken, idleMs);
  request.on('data', onData).once('end', onEnd).once('error', onBroken).once('close', onBroken);
  return promise;
}
