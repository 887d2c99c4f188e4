import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/*
 * A worker says of each client that it takes it, before it reads the first byte, by a few bytes in a file that it shares
 * with the primary: what was written is there when the call returns, and outlives its writer. A message would not do: it
 * may wait in the worker's memory while the channel is full, and end with it. Nobody reads the file before that end.
 */

/** The worker's own number for it: behind the three files that every process has, and the channel. */
export const scoreboardFd = 4;

const scoreBytes = 8;

/** One worker's, as the primary has it. */
export interface Scoreboard {
  readonly fd: number;
  /** The client that was taken last, 0 before the first; undefined: that can't be known. */
  last(): number | undefined;
  close(): void;
}

/** In memory where there is such a place, which no read-only root and no hardening takes away. Undefined: there is no place at all. */
export function createScoreboard(places: readonly string[] = ['/dev/shm', tmpdir()]): Scoreboard | undefined {
  for (const place of places) {
    try {
      return openScoreboard(join(place, `jwtgate-${randomUUID()}`));
    } catch {
      // The next, if there is one.
    }
  }
  return undefined;
}

function openScoreboard(path: string): Scoreboard {
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  // Its space is taken now: no write of a worker's needs more.
  writeSync(fd, Buffer.alloc(scoreBytes), 0, scoreBytes, 0);
  return {
    fd,
    last() {
      const score = Buffer.alloc(scoreBytes);
      try {
        return readSync(fd, score, 0, scoreBytes, 0) === scoreBytes ? score.readDoubleLE() : undefined;
      } catch {
        return undefined;
      }
    },
    close: () => closeSync(fd),
  };
}

/** Notes which client is taken; false: that could not be noted, and the client must not be taken. */
export type NoteTaken = (client: number) => boolean;

/** The worker's side. */
export function noteOn(fd: number): NoteTaken {
  const score = Buffer.alloc(scoreBytes);
  return (client) => {
    score.writeDoubleLE(client);
    try {
      return writeSync(fd, score, 0, scoreBytes, 0) === scoreBytes;
    } catch {
      return false;
    }
  };
}
