import { randomInt } from 'node:crypto';

/** So many characters of the signature: all but a few of an HMAC's, and as many random bits as any hash needs. */
const countedChars = 32;

/** So that nobody outside can choose tokens that share a place, or tell from one where another is. */
const seed = randomInt(2 ** 32);

/**
 * The number under which a table keeps what it knows of a token: a hash of the end of its signature, in 32 bits. Another
 * token may have the same: whoever finds something there compares the whole text.
 *
 * Tables are asked for every token that anybody sends, and V8 makes a copy of each text that a Map is asked for, in the old
 * generation, where only a full collection finds it again: a flood of made-up tokens would fill that with 10 MB a second.
 */
export function tokenPlace(raw: string): number {
  let hash = seed;
  for (let i = Math.max(0, raw.length - countedChars); i < raw.length; i++) {
    hash = Math.imul(hash ^ raw.charCodeAt(i), fnvPrime);
  }
  return hash ^ (hash >>> 15);
}

const fnvPrime = 0x01000193;
