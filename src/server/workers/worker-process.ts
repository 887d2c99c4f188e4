import type { ChildProcess } from 'node:child_process';
import { describeError } from '../../ops/describe-error.ts';
import type { Log } from '../../ops/log.ts';
import type { Measured } from '../../ops/measured.ts';
import { openChannel } from './channel.ts';
import type { DealtCounts } from './dealt-clients.ts';
import { createHandover, type Handover } from './handover.ts';
import type { ChannelToWorker, PrimaryAnswers } from './messages.ts';
import type { Scoreboard } from './scoreboard.ts';

/** One process that serves, as the primary sees it. */
export interface Worker {
  /** 1 to `workers`; a worker that takes the place of another has its number. */
  readonly index: number;
  readonly pid: number | undefined;
  readonly channel: ChannelToWorker;
  readonly hand: Handover['hand'];
  /** `leaving`: it serves as long as it takes. */
  state: 'starting' | 'serving' | 'leaving' | 'ended';
  /** Clients handed to it that it had not taken when it last spoke of them, and those that were connected to it. */
  readonly onTheWay: number;
  readonly open: number;
  hear(counts: DealtCounts): void;
  /** By its last sign of life. */
  measured: Measured | undefined;
  /** False: it has ended, or is about to. */
  readonly connected: boolean;
  readonly ended: Promise<WorkerEnd>;
  /** Ends it once it has nothing left to do. */
  release(): void;
  kill(): void;
}

export interface WorkerEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** It was killed because it said nothing any more. */
  readonly silent: boolean;
}

export interface WorkerProcessParts {
  /** What it was spawned with. */
  readonly scoreboard: Scoreboard | undefined;
  readonly answers: (worker: Worker) => PrimaryAnswers;
  readonly log: Log;
  /** Without a sign of life for so long a worker that serves hangs, as far as anybody can tell. */
  readonly silenceMs: number;
}

/** Watches over one child from its start to its end. */
export function watchWorker(index: number, child: ChildProcess, parts: WorkerProcessParts): Worker {
  const { log, silenceMs, scoreboard } = parts;
  const { pid } = child;
  let silent = false;
  let counts: DealtCounts = { taken: 0, open: 0 };

  const onFault = (question: string, error: unknown) =>
    log.error('a worker got no answer', { worker: index, question, error: describeError(error).error });
  const worker: Worker = {
    index,
    pid,
    get channel() {
      return channel;
    },
    get connected() {
      return child.connected;
    },
    hand: (...client) => handover.hand(...client),
    get onTheWay() {
      return handover.handed - counts.taken;
    },
    get open() {
      return counts.open;
    },
    hear({ taken, open }) {
      counts = { taken, open };
      handover.onTaken(taken);
    },
    state: 'starting',
    measured: undefined,
    ended: new Promise((resolve) => {
      const end = (exitCode: number | null, signal: string | null) => {
        clearInterval(listening);
        worker.state = 'ended';
        handover.end();
        resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined, silent });
      };
      child.on('exit', end);
      // What could not be started never exits. Any other error is told by what comes of it.
      child.on('error', () => {
        if (pid === undefined) end(null, null);
      });
    }),
    release() {
      if (child.connected) child.disconnect();
    },
    kill: () => void child.kill('SIGKILL'),
  };
  const channel: ChannelToWorker = openChannel(child, parts.answers(worker), onFault);
  const handover = createHandover(channel, scoreboard);

  let heardMs = performance.now();
  child.on('message', () => {
    heardMs = performance.now();
  });
  let lookedMs = performance.now();
  const lookEveryMs = silenceMs / 10;
  const listening = setInterval(() => {
    const nowMs = performance.now();
    // Whoever was not awake has not listened: what was said meanwhile is still to be read.
    if (nowMs - lookedMs > 2 * lookEveryMs || worker.state === 'starting') heardMs = nowMs;
    lookedMs = nowMs;
    if (nowMs - heardMs < silenceMs) return;
    silent = true;
    child.kill('SIGKILL');
  }, lookEveryMs);
  listening.unref();
  return worker;
}
