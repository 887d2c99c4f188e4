/** Items that are sorted, or merged, in one go. */
const atOnce = 1_000;

/** Sorts strings, or what has them for keys, as `<` orders them, yielding all along: short runs, merged two by two. */
export function* sortPieces<T>(items: readonly T[], keyOf: (item: T) => string): Generator<void, readonly T[]> {
  if (items.length <= atOnce) {
    yield;
    return items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }
  const middle = items.length >> 1;
  const left = yield* sortPieces(items.slice(0, middle), keyOf);
  const right = yield* sortPieces(items.slice(middle), keyOf);
  const merged: T[] = [];
  let l = 0;
  let r = 0;
  while (l < left.length && r < right.length) {
    if (merged.length % atOnce === 0) yield;
    const a = left[l] as T;
    const b = right[r] as T;
    const isRight = keyOf(b) < keyOf(a);
    merged.push(isRight ? b : a);
    if (isRight) r++;
    else l++;
  }
  return merged.concat(left.slice(l), right.slice(r));
}
