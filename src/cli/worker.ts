import { createLineWriter } from '../ops/line-writer.ts';
import { createLog } from '../ops/log.ts';
import type { Port } from '../server/workers/channel.ts';
import { runWorker } from '../server/workers/worker.ts';
import { installCrashHandler } from './crash.ts';
import { exitCodes } from './exit-codes.ts';

/** How long the last log lines may take. */
const flushMs = 1_000;

/** Serves as one of several; only `run` starts it. */
export async function worker(index: string): Promise<number> {
  const { send, connected } = process;
  if (send === undefined || !connected) {
    process.stderr.write('jwtgate: run starts workers, as many as the config says: nobody else can\n');
    return exitCodes.usage;
  }
  const writer = createLineWriter(process.stdout);
  const log = createLog(writer, 'info', 'json', { worker: Number(index) });
  installCrashHandler(log, writer);
  const end = await runWorker({ port: process as unknown as Port, writer, log });
  await writer.close(flushMs);
  // Whatever is still open: an orphan must not serve on.
  process.exit(end === 'drained' ? exitCodes.ok : exitCodes.unavailable);
}
