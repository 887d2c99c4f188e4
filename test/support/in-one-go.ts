/** What comes of a work that is described piece by piece, without pauses. */
export function inOneGo<T>(pieces: Generator<void, T>): T {
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
  }
}
