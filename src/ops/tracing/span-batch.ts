/** Spans as the bytes of one request to a collector, written as they come: text that waits is garbage to collect. */
export interface SpanBatch {
  /** How many it holds. */
  readonly spans: number;
  /** False where it has no room for this one, which is ASCII. */
  add(span: string): boolean;
  /** The whole request, from what stands before the first span to what stands behind the last. */
  request(): Uint8Array;
  /** Empties it, to be used again. */
  clear(): void;
}

/** `envelope`: what stands before and behind the list of spans. */
export function createSpanBatch(bytes: number, envelope: readonly [before: string, behind: string]): SpanBatch {
  const [before, behind] = envelope;
  const buffer = Buffer.allocUnsafe(bytes + before.length + behind.length);
  const start = buffer.write(before, 0, 'latin1');
  let end = start;
  let spans = 0;
  return {
    get spans() {
      return spans;
    },
    add(span) {
      if (end + span.length + 1 > buffer.length - behind.length) return false;
      if (spans > 0) buffer[end++] = comma;
      end += buffer.write(span, end, 'latin1');
      spans++;
      return true;
    },
    request() {
      const length = end + buffer.write(behind, end, 'latin1');
      return buffer.subarray(0, length);
    },
    clear() {
      end = start;
      spans = 0;
    },
  };
}

const comma = 0x2c;
