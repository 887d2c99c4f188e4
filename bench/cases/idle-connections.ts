import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { measureLoad } from '../measure-load.ts';
import type { Measurement } from '../metrics.ts';
import { readTreeUsage } from '../process-usage.ts';
import { startProcess } from '../processes.ts';
import { type Bench, pathFor, type RunningTarget } from '../targets/target.ts';
import type { BenchCase, Effort } from './bench-case.ts';
import { describeCachedLoad } from './cached-tokens.ts';

/** What a connection costs that has had its answer and waits: memory of the process after, less before, for each. */
export const idleConnectionsCase: BenchCase = {
  name: 'idle',
  title: 'Idle keep-alive connections, one request each',
  columns: ['idleKib', 'requests', 'rssMb', 'anonMb'],
  goals: [{ metric: 'idleKib', bound: 'at most', limit: 8 }],
  fresh: true,
  once: true,
  applies: (target) => target.verifies.includes('RS256'),
  measure: measureIdle,
};

/** Files that a process needs beside the connections: its listener, upstream connections, logs, libraries. */
const spareFiles = 300;
const settleMs = 2_000;

async function measureIdle(running: RunningTarget, bench: Bench, effort: Effort): Promise<Measurement> {
  const allowed = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim());
  if (allowed < effort.idleConnections + spareFiles) {
    return { values: {}, notes: [`skipped: ulimit -n is ${allowed}, too low for ${effort.idleConnections}`] };
  }
  const load = describeCachedLoad(running, bench, 'RS256');
  await measureLoad(running, { ...load, durationMs: effort.warmMs }, bench);
  await settle();
  const before = readTreeUsage(running.pid);
  const clients = startProcess({
    command: process.execPath,
    args: [
      join(import.meta.dirname, '../load/idle-clients.ts'),
      String(load.port),
      pathFor('RS256', 'idle'),
      load.credentials.poolFile,
      String(effort.idleConnections),
    ],
    cores: bench.cores?.load,
    stdout: 'pipe',
  });
  try {
    const [answered] = await readLine(clients);
    await settle();
    const after = readTreeUsage(running.pid);
    const kept = Number(answered);
    return {
      values: {
        idleKib: (after.rssBytes - before.rssBytes) / 1024 / kept,
        requests: kept,
        rssMb: after.rssBytes / 1e6,
        anonMb: after.anonBytes / 1e6,
      },
      notes: kept === effort.idleConnections ? [] : [`only ${kept} connections were answered and stayed`],
    };
  } finally {
    await clients.stop();
  }
}

async function readLine({ child }: ReturnType<typeof startProcess>): Promise<string[]> {
  const output = child.stdout;
  if (output === null) throw new Error('the clients have no output');
  const [bytes] = (await once(output, 'data', { signal: AbortSignal.timeout(60_000) })) as [Buffer];
  return bytes.toString('utf8').trim().split(' ');
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, settleMs));
}
