const iterators = [[], new Map(), new Set()].map(
  (list) => Object.getPrototypeOf(list[Symbol.iterator]()) as Iterator<unknown>,
);
const methods = ['every', 'filter', 'find', 'findIndex', 'flatMap', 'forEach', 'map', 'reduce', 'some'] as const;

/** What loops go through, of this whole process, while `work` runs: what it costs, however fast the machine is. */
export async function countingSteps<T>(work: (takeSteps: () => number) => Promise<T>): Promise<T> {
  let steps = 0;
  const restore: (() => void)[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: methods of any kind
  const watch = (owner: any, name: string, count: (self: { length: number }) => number) => {
    const original = owner[name];
    owner[name] = function counted(...args: unknown[]) {
      steps += count(this);
      return Reflect.apply(original, this, args);
    };
    restore.push(() => {
      owner[name] = original;
    });
  };
  for (const iterator of iterators) watch(iterator, 'next', () => 1);
  for (const method of methods) watch(Array.prototype, method, ({ length }) => length);
  try {
    return await work(() => {
      const taken = steps;
      steps = 0;
      return taken;
    });
  } finally {
    for (const undo of restore) undo();
  }
}
