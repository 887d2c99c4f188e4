import { randomFillSync } from 'node:crypto';

/** Random bytes are cheap by the page and dear by the piece. */
const pool = Buffer.alloc(4_096);
let used = pool.length;

function take(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}

/** 32 hex digits. All zero, which would be no id, does not happen in the life of the universe. */
export function newTraceId(): string {
  return take(16);
}

/** 16 hex digits. */
export function newSpanId(): string {
  return take(8);
}
