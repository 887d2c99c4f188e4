import type { Socket } from 'node:net';
import type { HeldState } from '../../config/deps.ts';
import { type LoadedConfig, loadConfig, type RefusedConfig } from '../../config/load.ts';
import type { Problem } from '../../config/problem.ts';
import type { Settings } from '../../config/settings.ts';
import { describeError } from '../../ops/describe-error.ts';
import type { LineWriter } from '../../ops/line-writer.ts';
import { createLog, type Log } from '../../ops/log.ts';
import { heldBy } from '../kept-state.ts';
import { type ListenerName, type Serving, startServing } from '../serving.ts';
import { createDealtClients, type DealtCounts } from './dealt-clients.ts';
import type { ChannelToPrimary, ConfigOrder, StartOrder } from './messages.ts';
import { noteOn, scoreboardFd } from './scoreboard.ts';
import { readingOf } from './snapshot.ts';
import { createWorkerState } from './worker-state.ts';

/** A worker's work: serving what it is dealt, by the config that the primary last committed. */
export interface Post {
  readonly serving: Serving;
  readonly log: Log;
  /** A client that came to this listener; `id`: counts them. Undefined: it was given up. */
  receive(listener: ListenerName, id: number, socket: Socket | undefined): void;
  /** Loads a config and keeps it at hand; the problems, if it can't be served. */
  prepare(order: ConfigOrder): Promise<readonly Problem[]>;
  /** Serves what was prepared; false where that was another config. */
  commit(generation: number, atMs: number): boolean;
  abandon(): void;
  /** Asks for this source at once. */
  refresh(source: string): void;
  close(): void;
}

export interface PostParts {
  readonly order: StartOrder;
  readonly channel: ChannelToPrimary;
  readonly writer: LineWriter;
  readonly onLoad: (counts: DealtCounts) => void;
}

/** Takes the post that the primary orders. */
export async function takePost({ order, channel, writer, onLoad }: PostParts): Promise<Post | RefusedConfig> {
  const { worker, workers, env, log: logChoice, listeners } = order;
  const log = createLog(writer, order.logLevelNow, logChoice.logFormat ?? logChoice.autoFormat, { worker });
  const state = createWorkerState(channel, env, log);

  function load({ path, generation, snapshot }: ConfigOrder, held: HeldState, served?: Settings) {
    const share = { index: worker, of: workers };
    const deps = { ...readingOf(snapshot), ...held, servedTls: served?.tls, worker: share, generation };
    return loadConfig(path, deps).catch((error: unknown): RefusedConfig => {
      const message = `worker ${worker} failed to load it (${describeError(error).error})`;
      return { ok: false, problems: [{ severity: 'error', file: path, path: '', message }] };
    });
  }

  for (const { config, atMs } of order.before) {
    // Nothing of it is served: but its keys sign until the newer ones are known.
    const former = await load(config, { sending: state.sending });
    if (!former.ok) return former;
    state.sending.signingKeys.adopt(former.signingSlots, atMs);
    former.release();
  }
  const first = await load(order.config, heldBy(state));
  if (!first.ok) return first;

  const clients = createDealtClients(listeners, noteOn(scoreboardFd), onLoad);
  const { arrivals: dealt } = clients;
  const start = await startServing(first, {
    env,
    version: order.version,
    state,
    writer,
    log,
    logChoice,
    dealt,
    liveSinceMs: order.atMs,
  });
  if (start.kind !== 'serving') throw new Error('nothing had to be listened on');
  const { serving } = start;
  log.level = order.logLevelNow;

  let current: LoadedConfig = first;
  let prepared: LoadedConfig | undefined;
  const abandon = () => {
    prepared?.release();
    prepared = undefined;
  };
  return {
    serving,
    log,
    receive: clients.receive,
    async prepare(next) {
      abandon();
      const loaded = await load(next, heldBy(state), current.settings);
      if (!loaded.ok) return loaded.problems;
      prepared = loaded;
      return [];
    },
    commit(generation, atMs) {
      if (prepared?.policy.generation !== generation) return false;
      current = prepared;
      prepared = undefined;
      serving.adopt(current, atMs);
      return true;
    },
    abandon,
    refresh(source) {
      state.keySources.refresh(source);
      state.revocations.refresh(source);
    },
    close: state.close,
  };
}
