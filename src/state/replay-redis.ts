import { hash } from 'node:crypto';
import type { ReplayStore, ReplayUse } from '../gate/replay.ts';

export interface ReplayRedisOptions {
  /** redis:// or rediss://, with user, password and database number. */
  readonly url: string;
  /** For one command, and for one attempt to connect. */
  readonly timeoutMs: number;
  readonly onEvent: (event: ReplayRedisEvent) => void;
}

/** Names the store by host and port alone. */
export type ReplayRedisEvent =
  | { readonly kind: 'connected'; readonly store: string }
  | { readonly kind: 'lost'; readonly store: string; readonly detail: string };

export interface ReplayRedis extends ReplayStore {
  readonly name: string;
  readonly connected: boolean;
  close(): void;
}

/** What is used of the library's client. */
interface Client {
  sendCommand(words: readonly string[]): Promise<unknown>;
  destroy(): void;
}

/** Asked and not answered: beyond it the next are refused at once. */
const mostWaiting = 1_000;
const lastRetryMs = 2_000;
/** Unanswered commands in a row after which the connection is taken for dead, whatever TCP thinks of it. */
const timeoutsToReconnect = 3;
/** Redis counts in 63 bits, from 1970. */
const longestMs = 100 * 365 * 86_400_000;

/** Remembers used ids in Redis by SET NX PX, which is one step there: of all replicas' uses exactly one is the first. */
export function createReplayRedis({ url, timeoutMs, onEvent }: ReplayRedisOptions): ReplayRedis {
  const name = redisName(url);
  let client: Client | undefined;
  let connected = false;
  let closed = false;
  let reported: string | undefined;
  let timeouts = 0;

  function lost(detail: string): void {
    connected = false;
    const isNew = reported === undefined;
    reported = detail;
    // Every attempt to reconnect fails anew, and one line says it all.
    if (closed || !isNew) return;
    onEvent({ kind: 'lost', store: name, detail });
  }

  async function connect(): Promise<void> {
    // Only who shares replays loads it.
    const redis = await import('@redis/client');
    if (closed) return;
    const made = redis.createClient({
      url,
      disableOfflineQueue: true,
      commandsQueueMaxLength: mostWaiting,
      socket: {
        connectTimeout: Math.max(timeoutMs, 100),
        reconnectStrategy: (retries) => Math.min(lastRetryMs, 50 * 2 ** Math.min(retries, 6)),
      },
    });
    client = made;
    made.on('error', (error: unknown) => {
      if (made === client) lost(describeRedisError(error));
    });
    made.on('ready', () => {
      if (made !== client) return;
      connected = true;
      reported = undefined;
      timeouts = 0;
      onEvent({ kind: 'connected', store: name });
    });
    await made.connect();
  }

  function begin(): void {
    // A password that is wrong ends the attempts of the client itself: ours go on.
    connect().catch((error: unknown) => {
      lost(describeRedisError(error));
      if (!closed) setTimeout(again, lastRetryMs).unref();
    });
  }

  function again(): void {
    const old = client;
    client = undefined;
    connected = false;
    old?.destroy();
    if (!closed) begin();
  }

  const unavailable = (detail: string): ReplayUse => ({
    kind: 'unavailable',
    detail: `the replay store ${name}: ${detail}`,
    retryAfterS: 1,
  });

  const keyOf = (id: string) => `jwtgate:replay:${hash('sha256', id, 'base64url')}`;

  function use(id: string, untilMs: number, nowMs: number): Promise<ReplayUse> {
    const forMs = Math.min(longestMs, Math.max(1, Math.ceil(untilMs - nowMs)));
    return send(['SET', keyOf(id), '1', 'NX', 'PX', String(forMs)], { first: 'OK', again: null });
  }

  /** What the store's answer to a command means. */
  async function send(command: readonly string[], { first, again: used }: Meaning): Promise<ReplayUse> {
    if (client === undefined || !connected) return unavailable(reported ?? 'not connected yet');
    const answer = await within(timeoutMs, client.sendCommand(command));
    if (answer.kind === 'answer') {
      timeouts = 0;
      if (answer.value === first) return { kind: 'first' };
      return answer.value === used ? { kind: 'again' } : unavailable(`an answer that ${command[0]} does not give`);
    }
    if (answer.kind === 'failed') return unavailable(answer.detail);
    timeouts++;
    if (timeouts === timeoutsToReconnect) {
      lost(`no answer within ${timeoutMs} ms`);
      again();
    }
    return unavailable(`no answer within ${timeoutMs} ms`);
  }

  begin();
  return {
    name,
    get connected() {
      return connected;
    },
    use,
    ask: (id) => send(['EXISTS', keyOf(id)], { first: 0, again: 1 }),
    close() {
      closed = true;
      connected = false;
      client?.destroy();
    },
  };
}

interface Meaning {
  readonly first: unknown;
  readonly again: unknown;
}

type Answer =
  | { readonly kind: 'answer'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly detail: string }
  | { readonly kind: 'timeout' };

function within(timeoutMs: number, command: Promise<unknown>): Promise<Answer> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ kind: 'timeout' }), timeoutMs);
    const end = (answer: Answer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    command.then(
      (value) => end({ kind: 'answer', value }),
      (error: unknown) => end({ kind: 'failed', detail: describeRedisError(error) }),
    );
  });
}

/** A code or Redis's own error word (NOAUTH, READONLY, OOM): never a whole message, which may quote what was sent. */
export function describeRedisError(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return /^[A-Z]{3,20}(?= )/.exec(error.message)?.[0] ?? error.name;
}

/** Host and port alone. */
export function redisName(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
