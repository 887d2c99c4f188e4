import { expect, test } from 'vitest';
import { compileBind } from '../../src/gate/bind.ts';
import { compileClaimCheck } from '../../src/gate/claims.ts';
import { decide } from '../../src/gate/decide.ts';
import type { Decision } from '../../src/gate/decision.ts';
import type { BodyRead } from '../../src/gate/gate.ts';
import type { Rehearsal, Step } from '../../src/gate/rehearsal.ts';
import type { Signing } from '../../src/gate/send.ts';
import { createRateLimit } from '../../src/state/rate-limit.ts';
import { createReplayMemory } from '../../src/state/replay-memory.ts';
import { createVerdictCache } from '../../src/state/verdict-cache.ts';
import { pathPattern, secretOf, type TestTenant, testPolicy } from '../support/policy.ts';
import { mintHs256 } from '../support/tokens.ts';

const nowMs = 1_800_000_000_000;

interface Ask extends Partial<Pick<Rehearsal, 'replay' | 'rate' | 'body'>> {
  readonly claims?: object;
  readonly headers?: readonly string[];
  readonly target?: string;
  readonly content?: string;
  readonly earnest?: boolean;
}

const tokenWith = (claims: object) =>
  mintHs256(secretOf('acme'), { claims: { sub: 'joe', jti: '1', exp: nowMs / 1000 + 60, ...claims } });

async function judged(tenant: TestTenant, ask: Ask = {}): Promise<{ steps: Step[]; decision: Decision }> {
  const { claims = {}, target = '/x', content, replay = 'ask', rate = 'skip', body = 'read', earnest = false } = ask;
  const headers = ask.headers ?? ['Authorization', `Bearer ${tokenWith(claims)}`];
  const length = content === undefined ? [] : ['Content-Type', 'application/json', 'Content-Length', '1'];
  const steps: Step[] = [];
  const rehearsal: Rehearsal = { at: (step) => steps.push(step), replay, rate, body };
  const decision = await decide(
    {
      id: 'r-1',
      method: 'GET',
      target,
      httpVersion: '1.1',
      headers: ['Host', 'gate.example', ...headers, ...length],
      scheme: 'http',
      peer: '192.0.2.7',
    },
    {
      policy: testPolicy({ acme: tenant }),
      verdicts: createVerdictCache({ entries: 0, bytes: 0 }),
      body: { read: async (): Promise<BodyRead> => ({ kind: 'read', bytes: Buffer.from(content ?? '') }) },
      nowMs,
      rehearsal: earnest ? undefined : rehearsal,
    },
  );
  return { steps, decision };
}

const reasonOf = (decision: Decision) => (decision.kind === 'refused' ? decision.reason : decision.kind);

function claim(name: string, condition: string) {
  const compiled = compileClaimCheck([name], condition);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled;
}

function bind(name: string, from: string) {
  const compiled = compileBind([[name]], from);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled;
}

const checks = {
  requireExp: true,
  clockSkewS: 5,
  maxAgeS: undefined,
  issuers: ['https://id.example/'],
  subjects: ['joe'],
  audiences: ['api'],
  types: ['jwt'],
};

test('every step says itself, in the order in which decide takes them', async () => {
  const { steps, decision } = await judged(
    {
      match: [{ path: pathPattern('/{org}') }],
      checks,
      claims: [claim('role', 'required')],
      binds: [bind('org', 'path.org'), bind('jti', 'body./id')],
      replay: { claim: ['jti'], store: createReplayMemory(10), allowsOnFailure: false },
    },
    { claims: { iss: 'https://id.example/', aud: 'api', role: 'a', org: 'x' }, content: '{"id":"1"}' },
  );
  expect(reasonOf(decision)).toBe('allowed');
  expect(steps.join(' ')).toBe(
    'request tenant route path token shape algorithm expiry key signature time type issuer subject audience match ' +
      'claim bind revocation body bind headers replay',
  );
});

const issued = { iss: 'https://id.example/', aud: 'api' };

test.each<[Step, string, TestTenant, Ask]>([
  ['request', 'requestRefused', {}, { target: '/%c0%ae' }],
  ['tenant', 'tenantUnknown', { match: [{ path: pathPattern('/y') }] }, {}],
  ['path', 'requestRefused', {}, { target: '/a//b' }],
  ['token', 'tokenMissing', {}, { headers: [] }],
  ['shape', 'tokenMalformed', {}, { headers: ['Authorization', 'Bearer a.b'] }],
  ['algorithm', 'algorithmRefused', { algorithms: new Set(['RS256']) }, {}],
  ['expiry', 'tokenExpired', {}, { claims: { exp: 1 } }],
  ['signature', 'signatureInvalid', {}, { headers: ['Authorization', `Bearer ${tokenWith({}).slice(0, -4)}AAAA`] }],
  ['time', 'tokenNotYetValid', {}, { claims: { nbf: nowMs } }],
  ['type', 'claimRefused', { checks: { ...checks, types: ['at+jwt'] } }, {}],
  ['issuer', 'claimRefused', { checks }, {}],
  ['subject', 'claimRefused', { checks }, { claims: { ...issued, sub: 'eve' } }],
  ['audience', 'claimRefused', { checks }, { claims: { ...issued, aud: ['other'] } }],
  ['claim', 'claimRefused', { claims: [claim('sub', 'required'), claim('role', 'required')] }, {}],
  ['bind', 'bindMismatch', { binds: [bind('sub', 'host')] }, {}],
  ['bind', 'bindMismatch', { binds: [bind('sub', 'body./id')] }, { content: '{}' }],
  ['body', 'requestRefused', { binds: [bind('sub', 'body./id')] }, { content: '{' }],
])('the last step said is the one that refuses: %s, %s', async (step, reason, tenant, ask) => {
  const { steps, decision } = await judged(tenant, ask);
  expect(reasonOf(decision)).toBe(reason);
  expect(steps.at(-1)).toBe(step);
});

test('a rehearsal neither uses a token up nor gives it a use: it asks', async () => {
  const store = createReplayMemory(10);
  const tenant: TestTenant = { replay: { claim: ['jti'], store, allowsOnFailure: false } };
  expect(reasonOf((await judged(tenant)).decision)).toBe('allowed');
  expect(reasonOf((await judged(tenant)).decision)).toBe('allowed');
  expect(reasonOf((await judged(tenant, { earnest: true })).decision)).toBe('allowed');
  const again = await judged(tenant);
  expect(reasonOf(again.decision)).toBe('tokenReplayed');
  expect(again.steps.at(-1)).toBe('replay');
  expect(reasonOf((await judged(tenant, { replay: 'skip' })).decision)).toBe('allowed');
  expect(store.entries).toBe(1);
});

test('a rehearsal takes no share of a rate, provisions nobody and issues no token', async () => {
  let issues = 0;
  let provisions = 0;
  const signing: Signing = {
    readsClaims: true,
    into: { kind: 'header', name: 'authorization', scheme: 'bearer' },
    name: 'Authorization',
    scheme: 'Bearer',
    issue: () => {
      issues++;
      return { kind: 'issued', token: 'a.real.token' };
    },
  };
  const tenant: TestTenant = {
    sending: {
      rate: createRateLimit({ count: 1, periodMs: 3_600_000, burst: 1 }),
      provisioning: {
        ensure: () => {
          provisions++;
          return Promise.resolve({ kind: 'done' });
        },
      },
      signing,
    },
  };
  for (let i = 0; i < 3; i++) {
    const { steps, decision } = await judged(tenant);
    expect(steps.slice(-3)).toEqual(['rate', 'provision', 'sign']);
    expect(decision.kind === 'allowed' && decision.headers).toContain('Bearer [issued on the way]');
  }
  expect([issues, provisions]).toEqual([0, 0]);
  expect(reasonOf((await judged(tenant, { earnest: true })).decision)).toBe('allowed');
  expect([issues, provisions]).toEqual([1, 1]);
});

test('one that has a limit of its own takes a share of it, and still calls nobody', async () => {
  const rate = createRateLimit({ count: 1, periodMs: 3_600_000, burst: 1 });
  const tenant: TestTenant = { sending: { rate, provisioning: undefined, signing: undefined } };
  expect(reasonOf((await judged(tenant, { rate: 'take' })).decision)).toBe('allowed');
  const { steps, decision } = await judged(tenant, { rate: 'take' });
  expect([steps.at(-1), reasonOf(decision)]).toEqual(['rate', 'requestRefused']);
});

test('where the body was not kept nothing is bound to it, and it is not read', async () => {
  const { steps, decision } = await judged({ binds: [bind('sub', 'body./id')] }, { content: '{', body: 'gone' });
  expect(reasonOf(decision)).toBe('allowed');
  expect(steps).toContain('body');
});
