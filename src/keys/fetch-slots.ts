/** A task that waits for a slot; a request that needs its result sends it to the front. */
export interface SlottedTask<T> {
  readonly result: Promise<T>;
  /** Start now, slot or no slot. */
  readonly urge: () => void;
}

export interface FetchSlots {
  run<T>(task: () => Promise<T>): SlottedTask<T>;
}

/** Bounds how many background fetches are under way, so that ten thousand providers are not all called at once. */
export function createFetchSlots(slots: number): FetchSlots {
  const waiting = new Set<() => void>();
  let busy = 0;

  function startNext(): void {
    const next = busy < slots ? waiting.values().next().value : undefined;
    next?.();
  }

  return {
    run<T>(task: () => Promise<T>): SlottedTask<T> {
      let urge = () => {};
      const result = new Promise<T>((resolve, reject) => {
        urge = () => {
          if (!waiting.delete(urge)) return;
          busy++;
          task()
            .then(resolve, reject)
            .finally(() => {
              busy--;
              startNext();
            });
        };
        waiting.add(urge);
      });
      if (busy < slots) urge();
      return { result, urge: () => urge() };
    },
  };
}
