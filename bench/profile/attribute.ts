/** A function on a stack, as V8's profiles name it. */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** What was spent while `stack`, outermost first, was running: microseconds or bytes. */
export interface Sample {
  readonly stack: readonly CallFrame[];
  readonly amount: number;
}

export interface Attribution {
  /** By part of the program; what a library or Node spent counts for the file in src that called it. */
  readonly parts: ReadonlyMap<string, number>;
  /** By the function on top of the stack. */
  readonly functions: ReadonlyMap<string, number>;
  readonly total: number;
}

/** Adds up samples by part and by function; idleness and the profiler's own work are left out. */
export function attribute(samples: Iterable<Sample>): Attribution {
  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  let total = 0;
  for (const { stack, amount } of samples) {
    const top = stack.at(-1);
    if (top === undefined || top.functionName === '(idle)' || top.url.startsWith('node:inspector')) continue;
    total += amount;
    addTo(parts, findPart(stack, top), amount);
    addTo(functions, describe(top), amount);
  }
  return { parts, functions, total };
}

/** The innermost file of ours; below none, what Node does by itself between its socket and our handler. */
function findPart(stack: readonly CallFrame[], top: CallFrame): string {
  const ours = stack.findLast(({ url }) => sourceFile(url) !== undefined);
  if (ours !== undefined) return sourceFile(ours.url) as string;
  if (top.functionName.startsWith('(')) return top.functionName;
  if (top.url === '') return '(node, native)';
  return top.url.startsWith('node:')
    ? `(${top.url.replace('node:internal/', 'node:').split('/')[0]})`
    : shorten(top.url);
}

function describe({ functionName, url, lineNumber }: CallFrame): string {
  const place = url === '' ? '' : ` ${shorten(url)}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}

/** "gate/decide.ts" for a file of ours. */
function sourceFile(url: string): string | undefined {
  return /\/src\/((?:[a-z-]+\/)*[a-z-]+\.ts)$/.exec(url)?.[1];
}

function shorten(url: string): string {
  const library = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  return library ?? sourceFile(url) ?? url.split('/').slice(-2).join('/');
}

function addTo(sums: Map<string, number>, name: string, amount: number): void {
  sums.set(name, (sums.get(name) ?? 0) + amount);
}
