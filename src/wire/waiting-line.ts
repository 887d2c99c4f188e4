/** Somebody who can stand in a line, in one at a time. The line alone writes these. */
export interface InLine<T> {
  ahead: T | undefined;
  behind: T | undefined;
  isInLine: boolean;
}

/** What everybody begins with. */
export const outOfLine = { ahead: undefined, behind: undefined, isInLine: false } as const;

/**
 * First come, first served, but for those who leave before.
 *
 * Neither a Set nor a Map, though they keep the order: one that is filled and emptied all the time outgrows its table every
 * few dozen entries, and each old table keeps the next one alive, with the requests in it, until V8 collects its whole
 * heap. Here nobody who has left points at anybody.
 */
export class WaitingLine<T extends InLine<T>> {
  first: T | undefined;
  private last: T | undefined;

  join(one: T): void {
    one.isInLine = true;
    one.ahead = this.last;
    if (this.last === undefined) this.first = one;
    else this.last.behind = one;
    this.last = one;
  }

  /** False where it was not in the line. */
  leave(one: T): boolean {
    if (!one.isInLine) return false;
    const { ahead, behind } = one;
    if (ahead === undefined) this.first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.last = ahead;
    else behind.ahead = ahead;
    one.ahead = undefined;
    one.behind = undefined;
    one.isInLine = false;
    return true;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let one = this.first; one !== undefined; one = one.behind) yield one;
  }
}
