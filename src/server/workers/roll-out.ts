import type { LoadedConfig } from '../../config/load.ts';
import { createPacer } from '../../config/pacer.ts';
import type { Problem } from '../../config/problem.ts';
import type { SigningKeys } from '../../sign/signing-keys.ts';
import type { ConfigOrder, Loaded, StartOrder } from './messages.ts';
import type { ConfigSnapshot } from './snapshot.ts';
import type { Worker } from './worker-process.ts';

export interface RollOutOptions {
  readonly path: string;
  readonly first: LoadedConfig;
  readonly snapshot: ConfigSnapshot;
  readonly signingKeys: SigningKeys;
  /** What of a start order is the same for all configs. */
  readonly post: (worker: Worker) => Omit<StartOrder, 'config' | 'before' | 'atMs'>;
  readonly serving: () => readonly Worker[];
}

/** Which config the workers serve: all of them the same, at any time. */
export interface RollOut {
  /** Makes a worker serve the config of the moment; what kept it from that, if anything. */
  start(worker: Worker): Promise<string | undefined>;
  /** Makes all workers serve another config, or none: then the problems. */
  change(next: LoadedConfig, snapshot: ConfigSnapshot): Promise<readonly Problem[]>;
}

/** 100,000 tenants load in ten seconds or so, on a machine with other things to do in a minute. */
const loadMs = 180_000;
/** One assignment, behind whatever the worker is at. */
const commitMs = 30_000;
/** Of keys that are rotated more often than they are made known the newest are enough. */
const mostConfigsKept = 8;

interface Live {
  readonly config: ConfigOrder;
  readonly atMs: number;
}

export function createRollOut(options: RollOutOptions): RollOut {
  const { path, first, signingKeys, post, serving } = options;
  const orderOf = ({ policy }: LoadedConfig, snapshot: ConfigSnapshot): ConfigOrder => {
    return { path, generation: policy.generation, snapshot };
  };
  let live: Live = { config: orderOf(first, options.snapshot), atMs: Date.now() };
  /** What was live before it, oldest first, while keys of theirs still sign. */
  let before: readonly Live[] = [];
  let release = first.release;
  let changing: Promise<unknown> = Promise.resolve();
  const starting = new Set<Promise<unknown>>();
  signingKeys.adopt(first.signingSlots, live.atMs);

  /** A worker that starts during a change would get the one config and miss the other. */
  async function untilUnchanging(): Promise<void> {
    for (let seen: unknown; seen !== changing; ) {
      seen = changing;
      await seen;
    }
  }

  async function changeAll(next: LoadedConfig, snapshot: ConfigSnapshot, started: Promise<unknown>) {
    await started;
    const order = orderOf(next, snapshot);
    const workers = serving();
    const answers: Promise<readonly Problem[]>[] = [];
    const pause = createPacer();
    for (const worker of workers) {
      const loaded = worker.channel.ask('prepare', order, loadMs);
      answers.push(loaded.then((answer) => problemsOf(worker, answer, path)));
      // To write 8 MB of text to one of them takes more than 20 ms.
      await pause();
    }
    const problems = (await Promise.all(answers)).flat();
    if (problems.length > 0) {
      for (const worker of workers) worker.channel.tell('abandon', undefined);
      return problems;
    }
    const atMs = Date.now();
    // Published before anybody signs with it.
    signingKeys.adopt(next.signingSlots, atMs);
    before = signingKeys.isChanging(atMs) ? [...before, live].slice(-mostConfigsKept) : [];
    live = { config: order, atMs };
    // Requests that are under way may still ask for what the old config held.
    setTimeout(release, next.policy.timeouts.headerMs).unref();
    release = next.release;
    await Promise.all(workers.map((worker) => commit(worker, order.generation, atMs)));
    // There can't be any; if there were, it would serve on what is no longer to be served.
    for (const worker of serving()) if (!workers.includes(worker)) worker.kill();
    return [];
  }

  return {
    async start(worker) {
      await untilUnchanging();
      const order: StartOrder = { ...post(worker), config: live.config, before, atMs: live.atMs };
      const answer = worker.channel.ask('start', order, loadMs);
      starting.add(answer);
      const loaded = await answer;
      const [problem] = problemsOf(worker, loaded, path);
      const text =
        problem?.message ?? (loaded === undefined ? `worker ${worker.index} ended as it started` : undefined);
      // In one step with leaving `starting`: a change asks those that serve.
      if (text === undefined && worker.state === 'starting') worker.state = 'serving';
      starting.delete(answer);
      return text;
    },
    change(next, snapshot) {
      const change = changeAll(next, snapshot, Promise.all(starting));
      changing = change;
      return change;
    },
  };
}

/** One that ended meanwhile is replaced by one that gets what is live by then. */
function problemsOf(worker: Worker, loaded: Loaded | undefined, file: string): readonly Problem[] {
  if (loaded !== undefined) return loaded.problems;
  if (!worker.connected) return [];
  const message = `worker ${worker.index} did not load it within ${loadMs / 1000} s`;
  return [{ severity: 'error', file, path: '', message }];
}

/** Whoever does not take the config that all others serve must not serve any. */
async function commit(worker: Worker, generation: number, atMs: number): Promise<void> {
  const done = await worker.channel.ask('commit', { generation, atMs }, commitMs);
  if (done !== true) worker.kill();
}
