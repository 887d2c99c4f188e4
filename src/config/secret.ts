import { inspect } from 'node:util';

const redacted = '[redacted]';

/**
 * A value that no log, dump, error or crash report shows: text, JSON and inspection all give "[redacted]". Whoever needs
 * it says so by `reveal`.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}
