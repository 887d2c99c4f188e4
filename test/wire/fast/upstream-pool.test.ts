import { expect, onTestFinished, test } from 'vitest';
import type { Bridge } from '../../../src/wire/call/bridge.ts';
import { createCoarseTimer, defaultTickMs } from '../../../src/wire/fast/timers.ts';
import type { UpstreamConnection, UpstreamUser } from '../../../src/wire/fast/upstream-connection.ts';
import { UpstreamPool } from '../../../src/wire/fast/upstream-pool.ts';
import { UpstreamSlots } from '../../../src/wire/upstream-slots.ts';
import { answerEach, startRawUpstream } from '../../support/upstream.ts';

const noBridge: Bridge = {
  connect() {
    throw new Error('the upstream speaks HTTP/1.1');
  },
};

/** Sends a request as soon as it is connected, and resolves with the answer's first bytes. */
function ask(pool: UpstreamPool): Promise<{ connection: UpstreamConnection; answer: string }> {
  return new Promise((resolve, reject) => {
    let used: UpstreamConnection | undefined;
    const user: UpstreamUser = {
      waiter: undefined,
      onUpstreamConnect(connection) {
        used = connection;
        connection.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      },
      onUpstreamData: (bytes) => resolve({ connection: used as UpstreamConnection, answer: String(bytes) }),
      onUpstreamDrain: () => undefined,
      onUpstreamEnd: () => reject(new Error('ended')),
      onUpstreamGone: (detail) => reject(new Error(detail)),
    };
    const kept = pool.acquire(user);
    if (kept !== undefined) user.onUpstreamConnect(kept);
  });
}

// TLS brings what it had read already, the end of an answer maybe, although it was told to wait.
test('a connection that was told to wait for its client is read from again for the next one', async () => {
  const upstream = await startRawUpstream(answerEach());
  onTestFinished(() => upstream.close());
  const timer = createCoarseTimer(defaultTickMs);
  const pool = new UpstreamPool(upstream.upstream, timer, noBridge, new UpstreamSlots(1));
  onTestFinished(() => {
    pool.destroyAll();
    timer.close();
  });
  const first = await ask(pool);
  first.connection.socket.pause();
  pool.release(first.connection, undefined);
  const second = await ask(pool);
  expect(second.answer).toBe(first.answer);
  expect(second.connection).toBe(first.connection);
});
