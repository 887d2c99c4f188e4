/** Things with a state that a reload must not begin anew: a rate's burst, an access token. */
export interface KeptAcrossReloads<T> {
  /** The one that is held under this key already, or a new one. The key says everything that two alike have in common. */
  acquire(key: string, make: () => T): Lease<T>;
  /** The one that is held under this key. */
  find(key: string): T | undefined;
}

export interface Lease<T> {
  readonly value: T;
  /** Gives the hold up; with the last one the thing is ended and forgotten. A second call does nothing. */
  release(): void;
}

/** A reload acquires what the new config needs before the old one is released, so that what stays stays held. */
export function createKeptAcrossReloads<T>(end: (value: T) => void = () => {}): KeptAcrossReloads<T> {
  const held = new Map<string, { readonly value: T; leases: number }>();
  return {
    find: (key) => held.get(key)?.value,
    acquire(key, make) {
      const entry = held.get(key) ?? { value: make(), leases: 0 };
      held.set(key, entry);
      entry.leases++;
      let released = false;
      return {
        value: entry.value,
        release() {
          if (released) return;
          released = true;
          if (--entry.leases > 0) return;
          held.delete(key);
          end(entry.value);
        },
      };
    },
  };
}
