/** Follows a stream of WebSocket frames (RFC 6455 section 5.2) by their lengths alone. */
export interface FrameTracker {
  push(chunk: Uint8Array): void;
  /** True between two frames: only there may a frame of our own be put in. */
  readonly betweenFrames: boolean;
}

export function createFrameTracker(): FrameTracker {
  /** Bytes of the current frame's head, as far as they came; a head has 2 to 14. */
  const head = new Uint8Array(14);
  let headLength = 0;
  let payloadLeft = 0;
  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.byteLength) {
        if (payloadLeft > 0) {
          const taken = Math.min(payloadLeft, chunk.byteLength - at);
          payloadLeft -= taken;
          at += taken;
          continue;
        }
        head[headLength] = chunk[at] as number;
        headLength += 1;
        at += 1;
        if (headLength < frameHeadLength(head, headLength)) continue;
        payloadLeft = payloadLength(head);
        headLength = 0;
      }
    },
    get betweenFrames() {
      return headLength === 0 && payloadLeft === 0;
    },
  };
}

function frameHeadLength(head: Uint8Array, known: number): number {
  if (known < 2) return 2;
  const second = head[1] as number;
  const short = second & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (second & 0x80 ? 4 : 0);
}

function payloadLength(head: Uint8Array): number {
  const view = new DataView(head.buffer);
  const short = (head[1] as number) & 0x7f;
  if (short < 126) return short;
  return short === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
}

/** An unmasked Close frame with status 1001, "going away" (RFC 6455 section 7.4.1). */
export const goingAwayFrame: Uint8Array = Uint8Array.of(0x88, 0x02, 0x03, 0xe9);

/** One with status 1008, "policy violation": what a client that may no longer be connected is told. */
export const policyViolationFrame: Uint8Array = Uint8Array.of(0x88, 0x02, 0x03, 0xf0);
