import { describeError } from '../../ops/describe-error.ts';
import type { LineWriter } from '../../ops/line-writer.ts';
import type { Log } from '../../ops/log.ts';
import { openChannel, type Port } from './channel.ts';
import type { DealtCounts } from './dealt-clients.ts';
import type { ChannelToPrimary, WorkerAnswers } from './messages.ts';
import { type Post, takePost } from './post.ts';

export interface WorkerOptions {
  readonly port: Port;
  readonly writer: LineWriter;
  /** For what goes wrong beside requests. */
  readonly log: Log;
}

/** How often the primary hears of us. */
const beatMs = 5_000;
/** Clients may come and go by the thousand; who deals them out needs to know how many there are a few times a second. */
const loadMs = 20;

/**
 * Serves what the primary deals out, by the configs that it sends. Resolves when the primary has let go of us: `drained`
 * as it asked for, or `orphaned` where it is gone. The process is to end then, whatever is still open.
 */
export function runWorker({ port, writer, log }: WorkerOptions): Promise<'drained' | 'orphaned'> {
  let post: Post | undefined;
  let drained = false;
  let load: DealtCounts = { taken: 0, open: 0 };
  let telling = false;

  const atPost = (): Post => {
    if (post === undefined) throw new Error('asked before the start');
    return post;
  };

  const answers: WorkerAnswers = {
    async start(order) {
      const taken = await takePost({ order, channel, writer, onLoad });
      if ('problems' in taken) return { problems: taken.problems };
      post = taken;
      setInterval(() => channel.tell('beat', taken.serving.measure()), beatMs).unref();
      return { problems: [] };
    },
    prepare: async (order) => ({ problems: await atPost().prepare(order) }),
    commit: ({ generation, atMs }) => atPost().commit(generation, atMs),
    abandon: () => atPost().abandon(),
    client: ({ listener, id }, socket) => atPost().receive(listener, id, socket),
    news: ({ source }) => atPost().refresh(source),
    measure: () => atPost().serving.measure(),
    awaited: () => atPost().serving.awaited(),
    refusals: () => atPost().serving.refusals.list(),
    refusal: (id) => atPost().serving.refusals.find(id),
    explain: (question) => atPost().serving.explain(question),
    tenants: (query) => atPost().serving.tenants(query),
    logLevel(level) {
      atPost().log.level = level;
    },
    ticketSecret: (secret) => atPost().serving.useTicketSecret(secret),
    async drain(waits) {
      const { serving, close } = atPost();
      await serving.drain(waits);
      close();
      drained = true;
      return serving.measure();
    },
  };
  const channel: ChannelToPrimary = openChannel(port, answers, (question, error) =>
    log.error('a fault in answering the primary', { question, ...describeError(error) }),
  );

  function onLoad(now: DealtCounts): void {
    load = now;
    if (telling) return;
    telling = true;
    setTimeout(() => {
      telling = false;
      channel.tell('load', load);
    }, loadMs);
  }

  return new Promise((resolve) => {
    port.on('disconnect', () => resolve(drained ? 'drained' : 'orphaned'));
  });
}
