import type { ChildProcess } from 'node:child_process';
import { describeError } from '../../ops/describe-error.ts';
import type { Log } from '../../ops/log.ts';
import type { PrimaryAnswers } from './messages.ts';
import { createScoreboard, type Scoreboard } from './scoreboard.ts';
import { type Worker, watchWorker } from './worker-process.ts';

/** Why a worker was lost: it ended by itself or was killed; it hung; it never got as far as to serve. */
export type LossCause = 'crash' | 'silence' | 'start';

export interface CrewOptions {
  readonly size: number;
  readonly spawn: (index: number, scoreboard: Scoreboard | undefined) => ChildProcess;
  readonly answers: (worker: Worker) => PrimaryAnswers;
  /** Makes a new worker serve, and says so in its state; what kept it from that, if anything. */
  readonly start: (worker: Worker) => Promise<string | undefined>;
  /** It serves: for the first time, or in the place of one that ended. */
  readonly onServing: (worker: Worker) => void;
  /** Nothing more will come from it. */
  readonly onEnded: (worker: Worker) => void;
  /** So many of one place's workers ended so soon that another one would, too. */
  readonly onGivenUp: (detail: string) => void;
  readonly log: Log;
  readonly waits?: Partial<CrewWaits> | undefined;
}

export interface CrewWaits {
  /** A worker that says nothing for so long is killed. */
  readonly silenceMs: number;
  /** One that served for so long was sound. */
  readonly steadyMs: number;
  /** Before the second start in a row; the first is at once, and each one after that waits twice as long. */
  readonly firstRestartMs: number;
  /** Workers of one place in a row that ended before they were steady: then it is given up. */
  readonly mostEarlyEnds: number;
}

const usualWaits: CrewWaits = { silenceMs: 30_000, steadyMs: 30_000, firstRestartMs: 500, mostEarlyEnds: 6 };
const longestRestartMs = 10_000;

/** The processes that serve: started, watched, replaced where one ends, and ended together. */
export interface Crew {
  /** Starts them all; what kept any of them from serving, if anything. */
  begin(): Promise<string | undefined>;
  /** Those that serve, until they have ended. */
  readonly serving: readonly Worker[];
  readonly losses: Readonly<Record<LossCause, number>>;
  /** No worker is started any more: each that serves is asked to leave, and killed where it has not left in time. */
  dismiss(leave: (worker: Worker) => Promise<unknown>, withinMs: number): Promise<void>;
}

export function createCrew(options: CrewOptions): Crew {
  const { size, spawn, answers, log, onServing, onEnded, onGivenUp } = options;
  const waits = { ...usualWaits, ...options.waits };
  const workers = new Map<number, Worker>();
  const earlyEnds = new Map<number, number>();
  const restarts = new Set<NodeJS.Timeout>();
  const losses: Record<LossCause, number> = { crash: 0, silence: 0, start: 0 };
  let dismissed = false;

  /** One life: resolves once it serves, or can't. */
  async function launch(index: number): Promise<string | undefined> {
    const scoreboard = createScoreboard();
    let child: ChildProcess;
    try {
      child = spawn(index, scoreboard);
    } catch (error) {
      // Node throws for some codes (ENOMEM), and has the child tell of others (EAGAIN, EMFILE).
      scoreboard?.close();
      losses.start++;
      return `worker ${index} could not be spawned (${describeError(error).error})`;
    }
    const worker = watchWorker(index, child, { scoreboard, answers, log, silenceMs: waits.silenceMs });
    workers.set(index, worker);
    let servingSinceMs: number | undefined;
    const over = worker.ended.then((end) => {
      onEnded(worker);
      if (dismissed) return;
      const cause = end.silent ? 'silence' : servingSinceMs === undefined ? 'start' : 'crash';
      losses[cause]++;
      const servedMs = servingSinceMs === undefined ? 0 : performance.now() - servingSinceMs;
      const { exitCode, signal } = end;
      const served = Math.round(servedMs / 100) / 10;
      log.error('worker ended', {
        worker: index,
        pid: worker.pid,
        cause,
        exit_code: exitCode,
        signal,
        served_s: served,
      });
      if (servingSinceMs !== undefined) replace(index, servedMs);
    });
    const endedFirst = over.then(() => `worker ${index} ended before it served`);
    const problem = (await Promise.race([options.start(worker), endedFirst])) ?? (await endOf(worker, endedFirst));
    if (problem !== undefined) {
      worker.kill();
      await over;
      return problem;
    }
    servingSinceMs = performance.now();
    onServing(worker);
    return undefined;
  }

  function replace(index: number, servedMs: number): void {
    const early = servedMs < waits.steadyMs ? (earlyEnds.get(index) ?? 0) + 1 : 0;
    earlyEnds.set(index, early);
    if (early >= waits.mostEarlyEnds) {
      onGivenUp(`worker ${index} ended ${early} times in a row soon after its start`);
      return;
    }
    const waitMs = early < 2 ? 0 : Math.min(longestRestartMs, waits.firstRestartMs * 2 ** (early - 2));
    const timer = setTimeout(() => {
      restarts.delete(timer);
      void restart(index);
    }, waitMs);
    restarts.add(timer);
  }

  async function restart(index: number): Promise<void> {
    const problem = await launch(index);
    if (dismissed) return;
    if (problem === undefined) {
      log.info('worker replaced', { worker: index, pid: workers.get(index)?.pid });
      return;
    }
    log.error('a worker could not be started', { worker: index, problem });
    replace(index, 0);
  }

  return {
    async begin() {
      const problems = await Promise.all(Array.from({ length: size }, (_, place) => launch(place + 1)));
      return problems.find((problem) => problem !== undefined);
    },
    get serving() {
      return [...workers.values()].filter(({ state }) => state === 'serving' || state === 'leaving');
    },
    losses,
    async dismiss(leave, withinMs) {
      dismissed = true;
      for (const timer of restarts) clearTimeout(timer);
      const deadline = setTimeout(() => {
        for (const worker of workers.values()) {
          if (worker.state === 'ended') continue;
          log.error('a worker did not end in time: killed', { worker: worker.index, pid: worker.pid });
          worker.kill();
        }
      }, withinMs);
      await Promise.all(
        [...workers.values()].map(async (worker) => {
          if (worker.state === 'serving') {
            worker.state = 'leaving';
            await leave(worker);
          } else if (worker.state === 'starting') worker.kill();
          await worker.ended;
        }),
      );
      clearTimeout(deadline);
    },
  };
}

/** An end may have come between an answer and its being read. */
async function endOf(worker: Worker, problem: Promise<string>): Promise<string | undefined> {
  return worker.state === 'ended' ? problem : undefined;
}
