import { describe, expect, test } from 'vitest';
import { createRefusals, type Refusals } from '../../src/explain/refusals.ts';
import { compileBind } from '../../src/gate/bind.ts';
import { createGate } from '../../src/gate/create-gate.ts';
import type { BodyRead, Gate, Outcome } from '../../src/gate/gate.ts';
import type { RequestHead } from '../../src/gate/request-head.ts';
import { createReplayMemory } from '../../src/state/replay-memory.ts';
import { createVerdictCache } from '../../src/state/verdict-cache.ts';
import { secretOf, type TestTenant, testPolicy } from '../support/policy.ts';
import { mintHs256 } from '../support/tokens.ts';

const startMs = Date.parse('2026-11-22T06:33:00Z');

interface World {
  readonly refusals: Refusals;
  nowMs: number;
  /** Judges, answers and finishes one request, as a lane does. */
  send(request?: Send): Promise<Outcome>;
}

interface Send {
  readonly id?: string;
  readonly token?: string;
  readonly target?: string;
  readonly body?: string;
  /** What the lane says instead of the decision, where the upstream failed. */
  readonly upstream?: 'upstreamUnreachable';
}

function world(tenant: TestTenant = {}): World {
  const policy = testPolicy({ acme: tenant });
  const refusals = createRefusals(() => self.nowMs);
  const keys = () => ({ sourcesOf: () => [], nowMs: self.nowMs });
  const gate: Gate = createGate({
    policy,
    verdicts: createVerdictCache({ entries: 0, bytes: 0 }),
    now: () => self.nowMs,
    newRequestId: () => '',
    onFinish: (outcome) => refusals.note(outcome, { policy, keys }),
  });
  let count = 0;
  const self: World = {
    refusals,
    nowMs: startMs,
    async send({ id = `r-${++count}`, token, target = '/orders?a=1', body, upstream } = {}) {
      const headers = ['Host', 'gate', ...(token === undefined ? [] : ['Authorization', `Bearer ${token}`])];
      if (body !== undefined) headers.push('Content-Type', 'application/json', 'Content-Length', '9');
      const head: RequestHead = {
        id,
        method: 'GET',
        target,
        httpVersion: '1.1',
        headers,
        scheme: 'http',
        peer: '192.0.2.7',
      };
      const read = async (): Promise<BodyRead> => ({ kind: 'read', bytes: Buffer.from(body ?? '') });
      const decided = await gate.decide(head, { read });
      const decision =
        upstream !== undefined && decided.kind === 'allowed'
          ? gate.refuse(upstream, 'ECONNREFUSED', { head, allowed: decided })
          : decided;
      const status = decision.kind === 'allowed' ? 200 : decision.status;
      const outcome: Outcome = {
        head,
        decision,
        lane: 'fast',
        status,
        requestBytes: 0,
        responseBytes: 0,
        durationMs: 1,
        upstreamMs: undefined,
        end: 'complete',
      };
      gate.finish(outcome);
      // All that was noted is recorded by then.
      await refusals.find('');
      return outcome;
    },
  };
  return self;
}

const mint = (claims: object = {}) =>
  mintHs256(secretOf('acme'), { claims: { sub: 'joe', jti: '1', exp: startMs / 1000 + 600, ...claims } });

describe('a refusal', () => {
  test('is remembered with its ladder, by its request id', async () => {
    const { refusals, send } = world();
    await send({ id: 'abc-1', token: mint({ exp: startMs / 1000 - 180 }) });
    const { refusals: list } = refusals.list();
    expect(list).toEqual([
      {
        id: 'abc-1',
        at: '2026-11-22T06:33:00.000Z',
        decision: 'deny',
        reason: 'tokenExpired',
        detail: expect.any(String),
        status: 401,
        tenant: 'acme',
        method: 'GET',
        path: '/orders',
        clientIp: '192.0.2.7',
      },
    ]);
    const found = await refusals.find('abc-1');
    expect(found?.ladder).toMatchObject({ verdict: 'refused', hint: expect.stringContaining('expired 3 m ago') });
    expect(found?.ladder.steps.at(-1)).toMatchObject({ step: 'expiry', outcome: 'failed' });
    expect(await refusals.find('abc-2')).toBeUndefined();
  });

  test('that is none is not remembered', async () => {
    const { refusals, send } = world();
    await send({ token: mint() });
    expect(refusals.list().refusals).toEqual([]);
  });

  test('that mode: report let through is remembered as such', async () => {
    const { refusals, send } = world({ mode: 'report' });
    await send({ id: 'r', token: mint({ exp: 1 }) });
    expect(await refusals.find('r')).toMatchObject({
      decision: 'report',
      status: 200,
      ladder: { verdict: 'reported' },
    });
  });

  test('of a token that was used before keeps its step; one for another reason did not ask', async () => {
    const store = createReplayMemory(10);
    const { refusals, send } = world({ replay: { claim: ['jti'], store, allowsOnFailure: false } });
    await send({ token: mint() });
    await send({ id: 'again', token: mint() });
    expect((await refusals.find('again'))?.ladder.steps.at(-1)).toMatchObject({ step: 'replay', outcome: 'failed' });
    await send({ id: 'away', token: mint({ jti: '2' }), upstream: 'upstreamUnreachable' });
    const steps = (await refusals.find('away'))?.ladder.steps ?? [];
    expect(steps.at(-1)).toMatchObject({ step: 'upstream', outcome: 'failed', detail: 'ECONNREFUSED' });
    expect(steps.at(-2)).toMatchObject({ step: 'replay', outcome: 'skipped' });
    expect(store.entries).toBe(2);
  });

  test('for its body, which is gone by then, is told as it was', async () => {
    const bind = compileBind([['sub']], 'body./user');
    if ('problem' in bind) throw new Error(bind.problem);
    const { refusals, send } = world({ binds: [bind] });
    await send({ id: 'b', token: mint(), body: '{"user":"eve"}' });
    const { ladder } = (await refusals.find('b')) ?? {};
    expect(ladder).toMatchObject({ verdict: 'refused', reason: 'bindMismatch' });
    expect(ladder?.steps.at(-1)).toMatchObject({
      step: 'body',
      outcome: 'failed',
      detail: 'the config binds sub: body./user',
    });
  });
});

describe('a flood', () => {
  test('is recorded ten times a second of each reason, and counted beyond', async () => {
    const gate = world();
    for (let i = 0; i < 50; i++) await gate.send();
    expect(gate.refusals.list()).toMatchObject({ recordedPerSecond: 10, notRecorded: 40 });
    expect(gate.refusals.list().refusals).toHaveLength(10);
    gate.nowMs += 1000;
    for (let i = 0; i < 50; i++) await gate.send();
    expect(gate.refusals.list().refusals).toHaveLength(20);
  });

  test('of one reason leaves what was refused for another where it is, however long it lasts', async () => {
    const gate = world();
    await gate.send({ id: 'rare', token: mint({ exp: 1 }) });
    for (let second = 0; second < 20; second++) {
      gate.nowMs += 1000;
      for (let i = 0; i < 12; i++) await gate.send();
    }
    expect(await gate.refusals.find('rare')).toBeDefined();
    expect(gate.refusals.list().refusals).toHaveLength(41);
    const times = gate.refusals.list().refusals.map(({ at }) => at);
    expect(times).toEqual(times.toSorted().reverse());
  });

  test('has its signatures checked again as often, and no more', async () => {
    let checks = 0;
    const policy = testPolicy({ acme: {} });
    const { keys } = policy.tenants.get('acme') ?? {};
    const counting: TestTenant = {
      keys: {
        find: (kid, algorithm, nowMs) => {
          checks++;
          return keys?.find(kid, algorithm, nowMs) ?? { kind: 'unknown', detail: '' };
        },
        atHand: () => [],
      },
    };
    const { send } = world(counting);
    for (let i = 0; i < 100; i++)
      await send({ token: mintHs256('x'.repeat(32), { claims: { exp: startMs / 1000 + 60, i } }) });
    expect(checks).toBe(110);
  });
});

test('nothing that is remembered holds a token, its claims, a query or a header', async () => {
  const { refusals, send } = world();
  const token = mintHs256('x'.repeat(32), { claims: { sub: 'private-subject', exp: startMs / 1000 + 60 } });
  await send({ id: 'r', token, target: `/a/${token}?jwt=${token}&secretly=1` });
  const kept = JSON.stringify([await refusals.find('r'), refusals.list()]);
  for (const part of [...token.split('.').slice(1), 'private-subject', 'secretly']) expect(kept).not.toContain(part);
});
