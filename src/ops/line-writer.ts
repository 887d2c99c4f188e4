import type { Writable } from 'node:stream';

export interface LineWriter {
  /** Takes one ASCII line without its newline, or several without the last one; never blocks, never throws. */
  write(line: string): void;
  /** Lines given up since the start because the reader was too slow or gone. */
  readonly droppedLines: number;
  /** Writes what is buffered, but waits no longer than this; further lines are dropped. */
  close(deadlineMs: number): Promise<void>;
}

export interface LineWriterOptions {
  /** Lines are gathered for this long, so that a busy proxy pays one system call for many. */
  readonly gatherMs?: number;
  /** Or until this many bytes wait. */
  readonly gatherBytes?: number;
  /** More than this is never held: what comes on top is dropped and counted. */
  readonly maxBufferedBytes?: number;
}

const newline = 0x0a;

/**
 * A bounded buffer before stdout. Logging must not be able to stop traffic: a reader that is slow costs lines, a
 * reader that is gone (EPIPE) costs the log, and neither costs a request.
 *
 * A line becomes bytes at once, in one of two buffers that take turns: as text, thousands of small pieces a second would
 * outlive a collection of garbage or two before they are written.
 */
export function createLineWriter(stream: Writable, options: LineWriterOptions = {}): LineWriter {
  const { gatherMs = 20, gatherBytes = 16_384, maxBufferedBytes = 1_048_576 } = options;
  const usualBytes = 2 * gatherBytes;
  let gathered: Buffer = Buffer.allocUnsafeSlow(usualBytes);
  let gatheredBytes = 0;
  /** The buffer that is not being filled, unless it is being written. */
  let spare: Buffer | undefined;
  let inFlightBytes = 0;
  let droppedLines = 0;
  let broken = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let whenIdle: (() => void) | undefined;

  // Without a listener, EPIPE on stdout would be an uncaught exception.
  stream.on('error', () => {
    broken = true;
    settle();
  });

  function settle(): void {
    inFlightBytes = 0;
    if (broken) {
      droppedLines += newlinesIn(gathered.toString('latin1', 0, gatheredBytes));
      gatheredBytes = 0;
    }
    if (gatheredBytes === 0) whenIdle?.();
    else if (gatheredBytes >= gatherBytes || timer === undefined) flush();
  }

  function flush(): void {
    if (inFlightBytes > 0 || gatheredBytes === 0) return;
    const written = gathered;
    inFlightBytes = gatheredBytes;
    gathered = spare ?? Buffer.allocUnsafeSlow(usualBytes);
    spare = undefined;
    gatheredBytes = 0;
    // One write in flight: what the stream holds is bounded by what we handed it.
    stream.write(written.subarray(0, inFlightBytes), (error) => {
      // One that had to grow for a slow reader is not kept.
      if (written.length === usualBytes) spare = written;
      if (error) broken = true;
      settle();
    });
  }

  /** The first line after a pause goes out at once; those that follow within `gatherMs` go together. */
  function flushSoon(): void {
    if (timer !== undefined || inFlightBytes > 0) return;
    flush();
    timer = setTimeout(() => {
      timer = undefined;
      flush();
    }, gatherMs);
    timer.unref();
  }

  function makeRoom(bytes: number): void {
    if (gatheredBytes + bytes <= gathered.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * gathered.length, gatheredBytes + bytes));
    gathered.copy(larger, 0, 0, gatheredBytes);
    gathered = larger;
  }

  return {
    write(line) {
      const bytes = line.length + 1;
      if (broken || closed || gatheredBytes + inFlightBytes + bytes > maxBufferedBytes) {
        droppedLines += newlinesIn(line) + 1;
        return;
      }
      makeRoom(bytes);
      gathered.write(line, gatheredBytes, 'latin1');
      gatheredBytes += bytes;
      gathered[gatheredBytes - 1] = newline;
      if (gatheredBytes >= gatherBytes) flush();
      else flushSoon();
    },
    get droppedLines() {
      return droppedLines;
    },
    async close(deadlineMs) {
      closed = true;
      if (broken || (gatheredBytes === 0 && inFlightBytes === 0)) return;
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, deadlineMs);
        whenIdle = () => {
          clearTimeout(deadline);
          resolve();
        };
        clearTimeout(timer);
        timer = undefined;
        flush();
      });
    },
  };
}

function newlinesIn(text: string): number {
  return text.split('\n').length - 1;
}
