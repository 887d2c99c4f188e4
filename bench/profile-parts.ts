/** V8's .cpuprofile: a tree of call frames, and which of them each sample found on top. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before; the first since `startTime`. */
  readonly timeDeltas: readonly number[];
  /** Microseconds of the monotonic clock. */
  readonly startTime: number;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

export interface Attribution {
  /** Microseconds by part of the program; time in a library or in Node counts for the file in src that called it. */
  readonly parts: ReadonlyMap<string, number>;
  /** Microseconds on top of the stack, by function. */
  readonly functions: ReadonlyMap<string, number>;
  /** All of it but idleness. */
  readonly busyUs: number;
}

/** Adds up a profile's samples of a span of time (monotonic microseconds) by part and by function. */
export function attribute(profile: CpuProfile, fromUs: number, toUs: number): Attribution {
  const { nodes, samples, timeDeltas } = profile;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const selfUs = new Map<number, number>();
  let atUs = profile.startTime;
  for (const [i, id] of samples.entries()) {
    const deltaUs = timeDeltas[i] ?? 0;
    atUs += deltaUs;
    if (atUs >= fromUs && atUs <= toUs) selfUs.set(id, (selfUs.get(id) ?? 0) + deltaUs);
  }

  const partOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const part = sourcePart(byId.get(at)?.callFrame.url ?? '');
      if (part !== undefined) return part;
    }
    return outsidePart(id);
  };
  /** Frames that src never called: what Node does by itself between its socket and our handler. */
  const outsidePart = (id: number): string => {
    const { functionName, url } = (byId.get(id) as ProfileNode).callFrame;
    if (functionName.startsWith('(')) return functionName;
    if (url === '') return '(node, native)';
    return url.startsWith('node:') ? `(${url.replace('node:internal/', 'node:').split('/')[0]})` : nameOfLibrary(url);
  };

  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  let busyUs = 0;
  for (const [id, us] of selfUs) {
    const { functionName, url, lineNumber } = (byId.get(id) as ProfileNode).callFrame;
    if (functionName === '(idle)') continue;
    busyUs += us;
    addTo(parts, partOf(id), us);
    const place = url === '' ? '' : ` ${shorten(url)}:${lineNumber + 1}`;
    addTo(functions, `${functionName || '(anonymous)'}${place}`, us);
  }
  return { parts, functions, busyUs };
}

/** "gate/decide.ts" for a file of ours. */
function sourcePart(url: string): string | undefined {
  return /\/src\/((?:[a-z-]+\/)*[a-z-]+\.ts)$/.exec(url)?.[1];
}

function nameOfLibrary(url: string): string {
  return /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? shorten(url);
}

function shorten(url: string): string {
  return sourcePart(url) ?? url.split('/').slice(-2).join('/');
}

function addTo(sums: Map<string, number>, name: string, us: number): void {
  sums.set(name, (sums.get(name) ?? 0) + us);
}
