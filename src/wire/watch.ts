/** A deadline that moves: one at a time, put off by activity. */
export class Watch {
  #timer: NodeJS.Timeout | undefined;

  /** Replaces whatever was watched: `onExpire` is called after `timeoutMs` without `refresh`. */
  start(timeoutMs: number, onExpire: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // A refresh must not bring an expired timer back.
      this.#timer = undefined;
      onExpire();
    }, timeoutMs);
  }

  /** Starts the current deadline anew. */
  refresh(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
