import { hash } from 'node:crypto';
import type { ReplayStore, ReplayUse } from '../gate/replay.ts';
import { createRedisConnection, type RedisConnectionEvent, type RedisConnectionOptions } from './redis-connection.ts';

export type ReplayRedisEvent = RedisConnectionEvent;

export interface ReplayRedis extends ReplayStore {
  readonly name: string;
  readonly connected: boolean;
  close(): void;
}

/** Redis counts in 63 bits, from 1970. */
const longestMs = 100 * 365 * 86_400_000;

/** Remembers used ids in Redis by SET NX PX, which is one step there: of all replicas' uses exactly one is the first. */
export function createReplayRedis(options: RedisConnectionOptions): ReplayRedis {
  const connection = createRedisConnection(options);
  const { name } = connection;

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
  async function send(command: readonly string[], { first, again }: Meaning): Promise<ReplayUse> {
    const answer = await connection.send(command);
    if (answer.kind === 'failed') return unavailable(answer.detail);
    if (answer.value === first) return { kind: 'first' };
    return answer.value === again ? { kind: 'again' } : unavailable(`an answer that ${command[0]} does not give`);
  }

  return {
    name,
    get connected() {
      return connection.connected;
    },
    use,
    ask: (id) => send(['EXISTS', keyOf(id)], { first: 0, again: 1 }),
    close: connection.close,
  };
}

interface Meaning {
  readonly first: unknown;
  readonly again: unknown;
}
