import { describeError } from '../ops/describe-error.ts';
import type { LineWriter } from '../ops/line-writer.ts';
import type { Log } from '../ops/log.ts';
import { exitCodes } from './exit-codes.ts';

/** What a peer's socket can do to us at any moment: no reason to doubt our own state. */
const connectionCodes = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT', 'ENOTCONN', 'EHOSTUNREACH']);

/** Lines that wait for stdout get this long. */
const flushMs = 250;

/**
 * The last resort for what nobody caught. An error of some connection is logged and survived: were it fatal, one
 * client could end the service of all. After anything else our state is unknown, and what doubts itself must not
 * judge tokens: the process says so and ends with 70, to be started anew by whoever runs it.
 */
export function installCrashHandler(log: Log, writer: LineWriter): void {
  process.on('uncaughtException', (error: unknown, origin) => {
    const fault = describeError(error);
    if (fault.code !== undefined && connectionCodes.has(fault.code)) {
      log.error('a connection error reached nobody', { ...fault, origin });
      return;
    }
    log.fatal('a fault in jwtgate: exiting', { ...fault, origin });
    void writer.close(flushMs).finally(() => process.exit(exitCodes.internal));
  });
}
