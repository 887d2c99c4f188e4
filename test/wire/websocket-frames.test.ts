import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFrameTracker } from '../../src/wire/websocket-frames.ts';

function frame(payloadBytes: number, masked: boolean): Buffer {
  const mask = masked ? 0x80 : 0;
  const short = payloadBytes < 126 ? payloadBytes : payloadBytes < 65_536 ? 126 : 127;
  const head = Buffer.alloc(short === 126 ? 4 : short === 127 ? 10 : 2);
  head[0] = 0x82;
  head[1] = mask | short;
  if (short === 126) head.writeUInt16BE(payloadBytes, 2);
  if (short === 127) head.writeBigUInt64BE(BigInt(payloadBytes), 2);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 1), Buffer.alloc(payloadBytes, 0x88)]);
}

test('however frames are cut into chunks, the tracker knows when one has ended', () => {
  const anyFrame = fc.record({
    bytes: fc.constantFrom(0, 1, 125, 126, 127, 300, 65_535, 65_536),
    masked: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 5 }), fc.array(fc.integer({ min: 1, max: 70_000 })), (frames, cuts) => {
      const all = frames.map(({ bytes, masked }) => frame(bytes, masked));
      const ends = new Set([0]);
      let total = 0;
      for (const one of all) {
        total += one.byteLength;
        ends.add(total);
      }
      const stream = Buffer.concat(all);
      const tracker = createFrameTracker();
      let at = 0;
      for (const cut of [...cuts, stream.byteLength]) {
        tracker.push(stream.subarray(at, at + cut));
        at = Math.min(stream.byteLength, at + cut);
        expect(tracker.betweenFrames).toBe(ends.has(at));
      }
    }),
    { numRuns: 50 },
  );
});
