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
      // All bytes count: who alters a signature, alters any of them. FNV-1a, 32 bits twice, from either end.
      let place = fnvOffset;
      let mark = fnvOffset;
      for (let i = 0, j = bytes.length - 1; j >= 0; i++, j--) {
        place = Math.imul(place ^ (bytes[i] as number), fnvPrime);
        mark = Math.imul(mark ^ (bytes[j] as number), fnvPrime);
      }
      place = (place ^ (place >>> 16)) & last;
      // Zero is an empty place.
      mark = mark >>> 0 || 1;
      const seen = marks[place] === mark;
      marks[place] = mark;
      return seen;
    },
  };
}

const fnvOffset = 0x811c9dc5;
const fnvPrime = 0x01000193;
