import type { Writable } from 'node:stream';

export interface LineWriter {
  /** Takes one ASCII line without its newline; never blocks, never throws. */
  write(line: string): void;
  /** Lines given up since the start because the reader was too slow or gone. */
  readonly droppedLines: number;
  /** Writes what is buffered, but waits no longer than this; further lines are dropped. */
  close(deadlineMs: number): Promise<void>;
}

export interface LineWriterOptions {
  /** Lines are gathered for this long, so that a busy proxy pays one system call for many. */
  readonly gatherMs?: number;
  /** Or until this many characters wait. */
  readonly gatherChars?: number;
  /** More than this is never held: what comes on top is dropped and counted. */
  readonly maxBufferedChars?: number;
}

/**
 * A bounded buffer before stdout. Logging must not be able to stop traffic: a reader that is slow costs lines, a
 * reader that is gone (EPIPE) costs the log, and neither costs a request.
 */
export function createLineWriter(stream: Writable, options: LineWriterOptions = {}): LineWriter {
  const { gatherMs = 20, gatherChars = 16_384, maxBufferedChars = 1_048_576 } = options;
  let gathered = '';
  let gatheredLines = 0;
  let inFlightChars = 0;
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
    inFlightChars = 0;
    if (broken) {
      droppedLines += gatheredLines;
      gathered = '';
      gatheredLines = 0;
    }
    if (gathered === '') whenIdle?.();
    else if (gathered.length >= gatherChars || timer === undefined) flush();
  }

  function flush(): void {
    if (inFlightChars > 0 || gathered === '') return;
    const chunk = gathered;
    inFlightChars = chunk.length;
    gathered = '';
    gatheredLines = 0;
    // One write in flight: what the stream holds is bounded by what we handed it.
    stream.write(chunk, 'latin1', (error) => {
      if (error) broken = true;
      settle();
    });
  }

  /** The first line after a pause goes out at once; those that follow within `gatherMs` go together. */
  function flushSoon(): void {
    if (timer !== undefined || inFlightChars > 0) return;
    flush();
    timer = setTimeout(() => {
      timer = undefined;
      flush();
    }, gatherMs);
    timer.unref();
  }

  return {
    write(line) {
      if (broken || closed || gathered.length + inFlightChars + line.length > maxBufferedChars) {
        droppedLines++;
        return;
      }
      gathered += line;
      gathered += '\n';
      gatheredLines++;
      if (gathered.length >= gatherChars) flush();
      else flushSoon();
    },
    get droppedLines() {
      return droppedLines;
    },
    async close(deadlineMs) {
      closed = true;
      if (broken || (gathered === '' && inFlightChars === 0)) return;
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
