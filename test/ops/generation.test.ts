import { afterEach, expect, test, vi } from 'vitest';
import type { Decision } from '../../src/gate/decision.ts';
import type { Gate, Outcome, RequestBody } from '../../src/gate/gate.ts';
import type { RequestHead } from '../../src/gate/request-head.ts';
import { createGeneration } from '../../src/ops/generation.ts';

afterEach(() => {
  vi.useRealTimers();
});

const headerMs = 10_000;
const noBody: RequestBody = { read: async () => ({ kind: 'read', bytes: new Uint8Array() }) };

function setUp(decision: Decision | Promise<Decision> = decisionOf(true)) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const finished: Outcome[] = [];
  const verified: number[] = [];
  let releases = 0;
  const gate = {
    timeouts: { headerMs },
    decide: () => decision,
    finish: (outcome: Outcome) => void finished.push(outcome),
  } as unknown as Gate; // the parts of a gate that a generation looks at
  const generation = createGeneration({
    gate,
    onVerified: (ms) => void verified.push(ms),
    release: () => {
      releases++;
    },
  });
  return { generation, finished, verified, releases: () => releases };
}

function decisionOf(cached: boolean | undefined): Decision {
  return { facts: { cached } } as unknown as Decision; // only what timing reads
}

function newHead(): RequestHead {
  return { id: 'r' } as RequestHead;
}

function outcomeOf(head: RequestHead | undefined): Outcome {
  return { head } as Outcome;
}

test('a retired config is released when its last request has finished, and only once', () => {
  const { generation, releases } = setUp();
  const [first, second] = [newHead(), newHead()];
  generation.gate.decide(first, noBody);
  generation.gate.decide(second, noBody);
  generation.retire();
  vi.advanceTimersByTime(headerMs);
  generation.gate.finish(outcomeOf(first));
  expect(releases()).toBe(0);
  expect(generation.activeRequests()).toBe(1);
  generation.gate.finish(outcomeOf(second));
  expect(releases()).toBe(1);
  generation.gate.finish(outcomeOf(undefined));
  expect(releases()).toBe(1);
});

test('a config that no request uses is kept until heads under way have arrived', () => {
  const { generation, releases } = setUp();
  generation.retire();
  vi.advanceTimersByTime(headerMs - 1);
  expect(releases()).toBe(0);
  const late = newHead();
  generation.gate.decide(late, noBody);
  vi.advanceTimersByTime(1);
  expect(releases()).toBe(0);
  generation.gate.finish(outcomeOf(late));
  expect(releases()).toBe(1);
});

test('a config in use is never released', () => {
  const { generation, releases } = setUp();
  const head = newHead();
  generation.gate.decide(head, noBody);
  generation.gate.finish(outcomeOf(head));
  vi.advanceTimersByTime(headerMs * 10);
  expect(releases()).toBe(0);
});

test('requests that were refused without being judged do not upset the count', () => {
  const { generation, finished } = setUp();
  generation.gate.decide(newHead(), noBody);
  generation.gate.finish(outcomeOf(undefined));
  expect(generation.activeRequests()).toBe(1);
  expect(finished).toHaveLength(1);
});

test.each([
  ['a cached verdict is not timed', true, 0],
  ['a public request is not timed', undefined, 0],
  ['a verified signature is timed', false, 1],
])('%s', (_what, cached, timings) => {
  const { generation, verified } = setUp(decisionOf(cached));
  generation.gate.decide(newHead(), noBody);
  expect(verified).toHaveLength(timings);
});

test('a judgement that had to wait is timed to its end', async () => {
  const { promise, resolve } = Promise.withResolvers<Decision>();
  const { generation, verified } = setUp(promise);
  const decided = generation.gate.decide(newHead(), noBody);
  expect(verified).toHaveLength(0);
  resolve(decisionOf(false));
  await decided;
  expect(verified).toHaveLength(1);
});
