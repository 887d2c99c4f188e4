/**
 * Tells what comes for the second time, of things that bring random bytes of their own: a token's signature. What comes
 * once, as a flood of made-up or single tokens does, then costs four bytes in a table that never grows, instead of an
 * entry in a cache that pushes out another.
 */
export interface SecondSight {
  /** Was this there before? It may have been forgotten; that it was taken for another has odds of one in four billion. */
  wasSeen(bytes: Uint8Array): boolean;
}

/** Remembers about so many of those that came last. */
export function createSecondSight(count: number): SecondSight {
  const marks = new Uint32Array(2 ** Math.ceil(Math.log2(count)));
  const last = marks.length - 1;
  return {
    wasSeen(bytes) {
      if (bytes.length < 8) return false;
      const place = read32(bytes, 0) & last;
      // Zero is an empty place.
      const mark = read32(bytes, 4) || 1;
      const seen = marks[place] === mark;
      marks[place] = mark;
      return seen;
    },
  };
}

function read32(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) value = (value << 8) | (bytes[i] as number);
  return value >>> 0;
}
