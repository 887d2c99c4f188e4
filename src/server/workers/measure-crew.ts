import { type Measured, processFigures } from '../../ops/measured.ts';
import { createMeasuredTogether } from '../../ops/merge-measured.ts';
import { forgetTenants, zeroTraffic } from '../../ops/traffic.ts';
import type { Worker } from './worker-process.ts';

/** What all workers have counted and hold, those that ended included. */
export interface CrewMeasures {
  /** Asks them; one that does not answer counts by its last sign of life. */
  measure(): Promise<Measured>;
  /** Required sources that some worker has never fetched. */
  awaited(): Promise<readonly string[]>;
  /** Keeps what it had counted. */
  onEnded(worker: Worker): void;
  /** After a reload. */
  forgetTenants(kept: { has(tenant: string): boolean }): void;
}

export interface CrewMeasuresParts {
  readonly serving: () => readonly Worker[];
  /** Of the primary itself. */
  readonly usedTokens: () => number;
  readonly droppedLogLines: () => number;
}

/** A probe waits for a worker no longer than this. */
const answerMs = 1_000;

export function createCrewMeasures({ serving, usedTokens, droppedLogLines }: CrewMeasuresParts): CrewMeasures {
  const together = createMeasuredTogether();

  const ownMeasures = (): Measured => ({
    traffic: zeroTraffic(),
    activeRequests: 0,
    verdictCache: undefined,
    keySources: [],
    revocations: [],
    replays: { entries: usedTokens(), shared: [] },
    tls: undefined,
    droppedLogLines: droppedLogLines(),
    spans: undefined,
    process: processFigures(),
  });

  async function ask(worker: Worker): Promise<Measured | undefined> {
    const measured = await worker.channel.ask('measure', undefined, answerMs);
    if (measured !== undefined) worker.measured = measured;
    // Ended while we asked: then its counts are kept already.
    return worker.state === 'ended' ? undefined : worker.measured;
  }

  return {
    async measure() {
      const asked = await Promise.all(serving().map(async (worker) => ({ worker, measured: await ask(worker) })));
      const parts = asked.flatMap(({ worker, measured }) => (worker.state === 'ended' ? [] : (measured ?? [])));
      return together.merge([ownMeasures(), ...parts]);
    },
    async awaited() {
      const asked = await Promise.all(serving().map(({ channel }) => channel.ask('awaited', undefined, answerMs)));
      return [...new Set(asked.flatMap((names) => names ?? []))];
    },
    onEnded({ measured }) {
      if (measured !== undefined) together.keepCounts(measured);
    },
    forgetTenants(kept) {
      together.forgetTenants(kept);
      for (const { measured } of serving()) if (measured !== undefined) forgetTenants(measured.traffic, kept);
    },
  };
}
