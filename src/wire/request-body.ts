import type { IncomingMessage } from 'node:http';
import type { BodyRead, RequestBody } from '../gate/gate.ts';
import type { BodyFraming } from './framing.ts';

/** A request's body, for the gate to read where a rule needs it, and for the lane to know what became of it. */
export interface ReadableBody extends RequestBody {
  /** The whole body, once it was read. */
  readonly bytes: Uint8Array | undefined;
}

export interface RequestBodyInput {
  readonly request: IncomingMessage;
  readonly framing: BodyFraming;
  /** With no byte for this long the body counts as broken. */
  readonly idleMs: number;
  /** Called before the first byte is awaited: a client that asked for it is told to go on. */
  readonly onRead: () => void;
  readonly count: (bytes: number) => void;
}

export function createRequestBody({ request, framing, idleMs, onRead, count }: RequestBodyInput): ReadableBody {
  let bytes: Uint8Array | undefined;
  const collect = (maxBytes: number) =>
    new Promise<BodyRead>((resolve) => {
      const chunks: Buffer[] = [];
      let total = 0;
      const stop = (read: BodyRead) => {
        clearTimeout(timer);
        request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
        request.pause();
        if (read.kind === 'read') bytes = read.bytes;
        resolve(read);
      };
      const onData = (chunk: Buffer) => {
        timer.refresh();
        total += chunk.byteLength;
        count(chunk.byteLength);
        if (total > maxBytes) stop({ kind: 'tooLarge' });
        else chunks.push(chunk);
      };
      const onEnd = () => stop({ kind: 'read', bytes: Buffer.concat(chunks, total) });
      const onBroken = () => stop({ kind: 'broken' });
      const timer = setTimeout(onBroken, idleMs);
      request.on('data', onData).once('end', onEnd).once('error', onBroken).once('close', onBroken);
    });
  return {
    get bytes() {
      return bytes;
    },
    async read(maxBytes) {
      if (bytes !== undefined) return { kind: 'read', bytes };
      if (framing.kind === 'length' && framing.bytes > maxBytes) return { kind: 'tooLarge' };
      if (framing.kind === 'none') return { kind: 'read', bytes: new Uint8Array() };
      if (request.destroyed) return { kind: 'broken' };
      onRead();
      return collect(maxBytes);
    },
  };
}
