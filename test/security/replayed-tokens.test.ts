import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/gate/decide.ts';
import type { Decision } from '../../src/gate/decision.ts';
import type { Replay, ReplayStore } from '../../src/gate/replay.ts';
import { createReplayMemory } from '../../src/state/replay-memory.ts';
import { secretOf, type TestTenant, testPolicy } from '../support/policy.ts';
import { mintHs256 } from '../support/tokens.ts';
import { keepingCache } from '../support/verdicts.ts';

const startMs = 1_000_000_000;

function gateWith(store: ReplayStore, more: TestTenant = {}, replayMore: Partial<Replay> = {}) {
  const replay: Replay = { claim: ['jti'], store, allowsOnFailure: false, ...replayMore };
  const policy = testPolicy({ acme: { match: [{ kid: 'acme' }], kid: 'acme', replay, ...more } });
  const verdicts = keepingCache({ entries: 5, bytes: 100_000 });
  return async (token: string, nowMs = startMs, method = 'GET'): Promise<Decision> => {
    const headers = ['Host', 'gate', 'Authorization', `Bearer ${token}`];
    const head = { id: 'r1', method, target: '/', httpVersion: '1.1', headers, scheme: 'http', peer: '' } as const;
    return decide(head, { policy, verdicts, nowMs, body: { read: async () => ({ kind: 'broken' }) } });
  };
}

const mint = (claims: Record<string, unknown>) =>
  mintHs256(secretOf('acme'), { header: { kid: 'acme' }, claims: { exp: startMs / 1000 + 60, ...claims } });

const reasonOf = (decision: Decision) => (decision.kind === 'refused' ? decision.reason : decision.kind);

test('no token passes twice, whatever the verdict cache holds and however time goes', async () => {
  const step = fc.record({ jti: fc.constantFrom('a', 'b', 'c', 1, 2), afterMs: fc.integer({ min: 0, max: 30_000 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const ask = gateWith(createReplayMemory(100));
      const passed = new Set<string | number>();
      let nowMs = startMs;
      for (const { jti, afterMs } of steps) {
        nowMs += afterMs;
        const reason = reasonOf(await ask(mint({ jti }), nowMs));
        if (reason === 'allowed') {
          expect(passed.has(jti)).toBe(false);
          passed.add(jti);
        } else {
          expect(['tokenReplayed', 'tokenExpired']).toContain(reason);
          expect(reason === 'tokenExpired' || passed.has(jti)).toBe(true);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('of many identical requests at once exactly one passes', async () => {
  const ask = gateWith(createReplayMemory(100));
  const reasons = (await Promise.all(Array.from({ length: 50 }, () => ask(mint({ jti: 'a' }))))).map(reasonOf);
  expect(reasons.filter((reason) => reason === 'allowed')).toHaveLength(1);
  expect(reasons.filter((reason) => reason === 'tokenReplayed')).toHaveLength(49);
});

test('a token signed anew with the same jti is the same token; HEAD, OPTIONS and POST use it up like GET', async () => {
  for (const method of ['HEAD', 'OPTIONS', 'POST']) {
    const ask = gateWith(createReplayMemory(100));
    expect(reasonOf(await ask(mint({ jti: 'a' }), startMs, method))).toBe('allowed');
    expect(reasonOf(await ask(mint({ jti: 'a', more: 1 })))).toBe('tokenReplayed');
  }
});

test('a clock that is turned back sees no forgotten token', async () => {
  const ask = gateWith(createReplayMemory(100));
  await ask(mint({ jti: 'a' }));
  await ask(mint({ jti: 'b', exp: startMs / 1000 + 200 }), startMs + 100_000);
  expect(reasonOf(await ask(mint({ jti: 'a' })))).toBe('tokenReplayed');
});

describe('a token that cannot be told apart is refused', () => {
  test.each([
    [{}],
    [{ jti: '' }],
    [{ jti: null }],
    [{ jti: true }],
    [{ jti: 1.5 }],
    [{ jti: ['a'] }],
    [{ jti: { a: 1 } }],
    [{ jti: 'a', exp: undefined }],
  ])('%j', async (claims) => {
    const checks = { requireExp: false, clockSkewS: 5, maxAgeS: undefined, issuers: undefined, subjects: undefined };
    const ask = gateWith(createReplayMemory(100), { checks: { ...checks, audiences: undefined, types: undefined } });
    expect(reasonOf(await ask(mint(claims)))).toBe('claimRefused');
  });
});

test('a request that is refused for something else has not used its token', async () => {
  let isOpen = false;
  const claims = [{ path: ['open'], text: 'open', test: () => isOpen }];
  const ask = gateWith(createReplayMemory(100), { claims });
  expect(reasonOf(await ask(mint({ jti: 'a' })))).toBe('claimRefused');
  isOpen = true;
  expect(reasonOf(await ask(mint({ jti: 'a' })))).toBe('allowed');
});

test('the same jti of another issuer is another token', async () => {
  const ask = gateWith(createReplayMemory(100));
  expect(reasonOf(await ask(mint({ jti: 'a', iss: 'one' })))).toBe('allowed');
  expect(reasonOf(await ask(mint({ jti: 'a', iss: 'two' })))).toBe('allowed');
  expect(reasonOf(await ask(mint({ jti: 'a', iss: 'two' })))).toBe('tokenReplayed');
});

test('a token whose one claim has the value of another’s other claim does not use that one up', async () => {
  const store = createReplayMemory(100);
  const byJti = gateWith(store);
  const byTicket = gateWith(store, {}, { claim: ['ticket'] });
  expect(reasonOf(await byTicket(mint({ jti: 'mine', ticket: 'yours' })))).toBe('allowed');
  expect(reasonOf(await byJti(mint({ jti: 'yours' })))).toBe('allowed');
  expect(reasonOf(await byJti(mint({ jti: 'yours' })))).toBe('tokenReplayed');
});

test('a store that is away refuses, or lets through where that was asked for; a full one always refuses', async () => {
  const unavailable = async () => ({ kind: 'unavailable', detail: 'away', retryAfterS: 1 }) as const;
  const away: ReplayStore = { use: unavailable, ask: unavailable };
  const refused = await gateWith(away)(mint({ jti: 'a' }));
  expect(refused).toMatchObject({ kind: 'refused', reason: 'stateUnavailable', status: 503 });
  expect(reasonOf(await gateWith(away, {}, { allowsOnFailure: true })(mint({ jti: 'a' })))).toBe('allowed');
  const full = gateWith(createReplayMemory(1), {}, { allowsOnFailure: true });
  expect(reasonOf(await full(mint({ jti: 'a' })))).toBe('allowed');
  expect(reasonOf(await full(mint({ jti: 'b' })))).toBe('stateUnavailable');
});
