import { certified, describeRedisError, redisName, stayingHere } from './redis-connection.ts';

export type RedisTrial =
  | { readonly kind: 'ok'; readonly store: string }
  | { readonly kind: 'failed'; readonly store: string; readonly detail: string };

/** Connects, logs in, asks PING and closes. Never rejects; no password is in what it says. */
export async function tryRedis(url: string, timeoutMs: number): Promise<RedisTrial> {
  const store = redisName(url);
  const { createClient } = await import('@redis/client');
  const client = createClient({
    url,
    disableOfflineQueue: true,
    ...stayingHere,
    socket: { ...certified, connectTimeout: timeoutMs, reconnectStrategy: false },
  });
  // What is emitted is thrown as well.
  client.on('error', () => {});
  const failed = (detail: string): RedisTrial => ({ kind: 'failed', store, detail });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<RedisTrial>((resolve) => {
    timer = setTimeout(() => resolve(failed(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  const asked = (async (): Promise<RedisTrial> => {
    try {
      await client.connect();
      const answer: unknown = await client.sendCommand(['PING']);
      return answer === 'PONG' ? { kind: 'ok', store } : failed('an answer that PING does not give');
    } catch (error) {
      return failed(describeRedisError(error));
    }
  })();
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
    client.destroy();
  }
}
