/**
 * Tells what comes for the second time, of things that bring random bytes of their own: a token's signature. What comes
 * once, as a flood of made-up or single tokens does, then costs four bytes in a table that never grows, instead of an
 * entry in a cache that pushes out another.
 */
export interface SecondSight {
  /** Was this there before? It may have been forgotten; that it was taken for another has odds of one in a billion. */
  wasSeen(bytes: Uint8Array): boolean;
}

/** What comes finds its mark in one of so many places. */
const ways = 4;

export interface SecondSightOptions {
  /** Only the last so many bytes count: enough where nobody chooses them, as with signatures that were verified. */
  readonly lastBytes?: number;
}

/** Remembers about so many of those that came last. */
export function createSecondSight(
  count: number,
  { lastBytes = Number.POSITIVE_INFINITY }: SecondSightOptions = {},
): SecondSight {
  const marks = new Uint32Array(Math.max(ways, 2 ** Math.ceil(Math.log2(count))));
  const last = marks.length - ways;
  // Which of the four makes room, by chance: in any order, five that take turns would push each other out for ever.
  let chance = fnvOffset;
  return {
    wasSeen(bytes) {
      if (bytes.length < 8) return false;
      // Else all bytes count: who alters a signature, alters any of them. FNV-1a, 32 bits twice, from either end.
      const first = Math.max(0, bytes.length - lastBytes);
      let place = fnvOffset;
      let mark = fnvOffset;
      for (let i = first, j = bytes.length - 1; j >= first; i++, j--) {
        place = Math.imul(place ^ (bytes[i] as number), fnvPrime);
        mark = Math.imul(mark ^ (bytes[j] as number), fnvPrime);
      }
      place = (place ^ (place >>> 16)) & last;
      // Zero is an empty place.
      mark = mark >>> 0 || 1;
      let free = -1;
      for (let way = 0; way < ways; way++) {
        if (marks[place + way] === mark) return true;
        if (marks[place + way] === 0) free = way;
      }
      if (free === -1) {
        chance = (Math.imul(chance, 1_664_525) + 1_013_904_223) | 0;
        free = (chance >>> 16) % ways;
      }
      marks[place + free] = mark;
      return false;
    },
  };
}

const fnvOffset = 0x811c9dc5;
const fnvPrime = 0x01000193;
