import { readTreeUsage } from '../process-usage.ts';
import type { BenchCase } from './bench-case.ts';

const idleMs = 2_000;

/** A pod that starts, and one that nobody calls. */
export const startCase: BenchCase = {
  name: 'start',
  title: 'Start to the first accepted connection, and memory two seconds later without a request',
  columns: ['startMs', 'rssMb', 'anonMb'],
  goals: [
    { metric: 'startMs', bound: 'at most', limit: 150 },
    { metric: 'rssMb', bound: 'at most', limit: 100 },
    { metric: 'anonMb', bound: 'at most', limit: 30 },
  ],
  fresh: true,
  once: false,
  applies: () => true,
  measure: async (running) => {
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    const { rssBytes, anonBytes } = readTreeUsage(running.pid);
    return { values: { startMs: running.startMs, rssMb: rssBytes / 1e6, anonMb: anonBytes / 1e6 }, notes: [] };
  },
};
