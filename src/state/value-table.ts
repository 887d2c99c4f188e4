import { randomInt } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

/** Many short texts, packed: exact look-ups at a fraction of what a Set of strings takes. */
export interface ValueTable {
  readonly size: number;
  /** Memory of the table, in bytes. */
  readonly bytes: number;
  /** Undefined: not in the table; else the highest number it was added with. */
  find(value: string): number | undefined;
}

export interface ValueTableBuilder {
  add(value: string, number: number): void;
  /** Takes breaths, so that a table of a million holds nobody up. */
  build(): Promise<ValueTable>;
}

/** Values put in place between two breaths: a few milliseconds. */
const valuesAtOnce = 10_000;

/** So that nobody outside can choose values that share a slot. */
const seed = randomInt(2 ** 32);

/**
 * Collects values into one buffer, with an open-addressing table of 32-bit hashes beside it. A hash only points: the
 * bytes decide, so a value is found if and only if it was added. `numbers: false` saves the numbers; all are Infinity.
 */
export function createValueTable({ numbers: keepsNumbers }: { readonly numbers: boolean }): ValueTableBuilder {
  let text = Buffer.alloc(1024);
  let ends = new Uint32Array(16);
  let numbers = new Float64Array(keepsNumbers ? 16 : 0);
  let count = 0;

  function add(value: string, number: number): void {
    const start = count === 0 ? 0 : (ends[count - 1] as number);
    const most = start + value.length * 3;
    if (most > text.length) text = Buffer.concat([text], Math.max(most, text.length * 2));
    if (count === ends.length) {
      ends = grown(ends, new Uint32Array(count * 2));
      if (keepsNumbers) numbers = grown(numbers, new Float64Array(count * 2));
    }
    ends[count] = start + text.write(value, start, 'utf8');
    if (keepsNumbers) numbers[count] = number;
    count++;
  }

  function build(): Promise<ValueTable> {
    const used = count === 0 ? 0 : (ends[count - 1] as number);
    const parts = { text: Buffer.from(text.subarray(0, used)), ends: ends.slice(0, count) };
    return index(parts, keepsNumbers ? numbers.slice(0, count) : undefined);
  }

  return { add, build };
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

interface Values {
  readonly text: Buffer;
  /** Where in `text` each value ends; it begins where the one before it ends. */
  readonly ends: Uint32Array;
}

async function index({ text, ends }: Values, numbers: Float64Array | undefined): Promise<ValueTable> {
  const count = ends.length;
  // At most half full: look-ups of what is not there end after one or two steps.
  const mask = 2 ** Math.ceil(Math.log2(Math.max(2, count * 2))) - 1;
  /** Index of a value, plus one. */
  const slots = new Uint32Array(mask + 1);
  const hashes = new Uint32Array(count);
  let size = 0;

  const startOf = (value: number) => (value === 0 ? 0 : (ends[value - 1] as number));

  /** The slot that holds these bytes, or the free one where they would stand. */
  function seek(bytes: string, hash: number): number {
    let slot = hash & mask;
    for (let held = slots[slot] as number; held !== 0; held = slots[slot] as number) {
      if (hashes[held - 1] === hash && equals(held - 1, bytes)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  function equals(value: number, bytes: string): boolean {
    const start = startOf(value);
    if ((ends[value] as number) - start !== bytes.length) return false;
    for (let i = 0; i < bytes.length; i++) if (text[start + i] !== bytes.charCodeAt(i)) return false;
    return true;
  }

  for (let value = 0; value < count; value++) {
    if (value % valuesAtOnce === valuesAtOnce - 1) await setImmediate();
    const bytes = text.toString('latin1', startOf(value), ends[value]);
    const hash = hashOf(bytes);
    hashes[value] = hash;
    const slot = seek(bytes, hash);
    const held = slots[slot] as number;
    if (held === 0) {
      slots[slot] = value + 1;
      size++;
    } else if (numbers !== undefined) {
      numbers[held - 1] = Math.max(numbers[held - 1] as number, numbers[value] as number);
    }
  }

  return {
    size,
    bytes: text.byteLength + ends.byteLength + slots.byteLength + hashes.byteLength + (numbers?.byteLength ?? 0),
    find(value) {
      const bytes = utf8Bytes(value);
      const held = slots[seek(bytes, hashOf(bytes))] as number;
      if (held === 0) return undefined;
      return numbers === undefined ? Number.POSITIVE_INFINITY : (numbers[held - 1] as number);
    },
  };
}

/** FNV-1a with a final mix, over one byte a character. */
function hashOf(bytes: string): number {
  let hash = seed;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The UTF-8 bytes of a text, one a character: for most ids, the text itself. */
function utf8Bytes(value: string): string {
  for (let i = 0; i < value.length; i++) {
    if (value.charCodeAt(i) > 0x7f) return Buffer.from(value, 'utf8').toString('latin1');
  }
  return value;
}
