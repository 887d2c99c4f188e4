import { readdirSync, readFileSync } from 'node:fs';

/** What a process and all its descendants have used; CPU of every thread is counted. */
export interface ProcessUsage {
  readonly cpuNs: number;
  readonly rssBytes: number;
  /** Private memory (RssAnon): what is left when the executable's own shared pages are taken off. */
  readonly anonBytes: number;
}

const none: ProcessUsage = { cpuNs: 0, rssBytes: 0, anonBytes: 0 };

/** Usage of the process tree under `pid` now; a process that has ended counts as nothing. */
export function readTreeUsage(pid: number): ProcessUsage {
  let sum = readMemory(pid);
  for (const thread of listThreads(pid)) {
    sum = add(sum, readThreadTimes(pid, thread));
    for (const child of readText(`/proc/${pid}/task/${thread}/children`).split(' ')) {
      if (child !== '') sum = add(sum, readTreeUsage(Number(child)));
    }
  }
  return sum;
}

export function subtractUsage(later: ProcessUsage, earlier: ProcessUsage): ProcessUsage {
  return { ...later, cpuNs: later.cpuNs - earlier.cpuNs };
}

function add(a: ProcessUsage, b: ProcessUsage): ProcessUsage {
  return {
    cpuNs: a.cpuNs + b.cpuNs,
    rssBytes: a.rssBytes + b.rssBytes,
    anonBytes: a.anonBytes + b.anonBytes,
  };
}

function listThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** schedstat counts nanoseconds where /proc/PID/stat counts ticks of 10 ms. */
function readThreadTimes(pid: number, thread: string): ProcessUsage {
  return { ...none, cpuNs: Number(readText(`/proc/${pid}/task/${thread}/schedstat`).split(' ', 1)[0]) };
}

function readMemory(pid: number): ProcessUsage {
  const status = readText(`/proc/${pid}/status`);
  return { ...none, rssBytes: findKiB(status, 'VmRSS') * 1024, anonBytes: findKiB(status, 'RssAnon') * 1024 };
}

function findKiB(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
