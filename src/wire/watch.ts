/**
 * A deadline that moves: one at a time, put off by activity. A timer that is due before it stays, and looks again then:
 * most deadlines are put off or taken away long before they come, and each timer costs more than a look at the clock.
 */
export class Watch {
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = 0;
  #deadlineMs = 0;
  #timeoutMs = 0;
  #onExpire: (() => void) | undefined;

  /** Replaces whatever was watched: `onExpire` is called after `timeoutMs` without `refresh`. */
  start(timeoutMs: number, onExpire: () => void): void {
    this.#timeoutMs = timeoutMs;
    this.#onExpire = onExpire;
    this.#deadlineMs = performance.now() + timeoutMs;
    if (this.#timer !== undefined && this.#timerDueMs <= this.#deadlineMs) return;
    clearTimeout(this.#timer);
    this.#wake(timeoutMs);
  }

  /** Starts the current deadline anew. */
  refresh(): void {
    this.#deadlineMs = performance.now() + this.#timeoutMs;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#onExpire = undefined;
  }

  #wake(inMs: number): void {
    this.#timerDueMs = performance.now() + inMs;
    this.#timer = setTimeout(() => this.#look(), inMs);
  }

  #look(): void {
    this.#timer = undefined;
    const onExpire = this.#onExpire;
    if (onExpire === undefined) return;
    const leftMs = this.#deadlineMs - performance.now();
    if (leftMs > 0) {
      this.#wake(Math.ceil(leftMs));
      return;
    }
    // A refresh must not bring an expired deadline back.
    this.#onExpire = undefined;
    onExpire();
  }
}
