import { expect, test } from 'vitest';
import type { Decision } from '../../src/gate/decision.ts';
import type { Outcome } from '../../src/gate/gate.ts';
import { accessLine, decisionWord } from '../../src/ops/access-log.ts';

const nowMs = Date.UTC(2026, 10, 22, 9, 5, 7, 42);

const head = {
  id: 'r-1',
  method: 'GET',
  target: '/a?jwt=eyJhbGciOiJIUzI1NiJ9.e30.c2ln',
  httpVersion: '1.1',
  headers: ['Host', 'x', 'Authorization', 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln'],
  scheme: 'http',
  peer: '10.0.0.7',
} as const;

const allowed = {
  kind: 'allowed',
  facts: {
    tenant: 'acme',
    path: '/a',
    algorithm: 'HS256',
    kid: 'k1',
    issuer: 'https://id.example/',
    tokenSource: 'query:jwt',
    cached: true,
  },
} as unknown as Decision; // a permit that only decide.ts can make, without its forwarding half

function outcome(over: Partial<Outcome> = {}): Outcome {
  return {
    head,
    decision: allowed,
    lane: 'node',
    status: 200,
    requestBytes: 0,
    responseBytes: 512,
    durationMs: 1.23456,
    upstreamMs: 0.9,
    end: 'complete',
    ...over,
  };
}

function refused(over: object = {}): Decision {
  return {
    kind: 'refused',
    reason: 'tokenExpired',
    status: 401,
    headers: [],
    body: '',
    close: false,
    detail: 'expired 12 s ago',
    facts: { tenant: 'acme', path: '/a' },
    ...over,
  };
}

test('an allowed request is one JSON line with every fact the gate gave', () => {
  expect(JSON.parse(accessLine(outcome(), '10.0.0.7', 'json', nowMs))).toEqual({
    time: '2026-11-22T09:05:07.042Z',
    level: 'info',
    msg: 'request',
    request_id: 'r-1',
    tenant: 'acme',
    decision: 'allow',
    method: 'GET',
    path: '/a',
    protocol: 'HTTP/1.1',
    status: 200,
    duration_ms: 1.235,
    upstream_ms: 0.9,
    bytes_in: 0,
    bytes_out: 512,
    client_ip: '10.0.0.7',
    token_source: 'query:jwt',
    alg: 'HS256',
    kid: 'k1',
    iss: 'https://id.example/',
    cache: 'hit',
    lane: 'node',
    end: 'complete',
  });
});

test('a refused request says why, in the reason and its detail', () => {
  const line = JSON.parse(
    accessLine(outcome({ decision: refused(), status: 401, upstreamMs: undefined }), '', 'json', nowMs),
  );
  expect(line).toMatchObject({ level: 'info', decision: 'deny', reason: 'tokenExpired', detail: 'expired 12 s ago' });
  expect(line).not.toHaveProperty('upstream_ms');
  expect(line).not.toHaveProperty('client_ip');
});

test("a request that only report mode let through is told apart, with the refusal's reason", () => {
  const decision = {
    ...allowed,
    facts: { ...allowed.facts, wouldRefuse: 'tokenMissing', wouldRefuseDetail: 'no token' },
  } as Decision;
  expect(decisionWord(outcome({ decision }))).toBe('report');
  expect(JSON.parse(accessLine(outcome({ decision }), '', 'json', nowMs))).toMatchObject({
    decision: 'report',
    reason: 'tokenMissing',
    detail: 'no token',
  });
});

test.each([
  ['keysUnavailable', 'warn'],
  ['upstreamTimeout', 'warn'],
  ['signatureInvalid', 'info'],
] as const)('a refusal for %s is logged as %s', (reason, level) => {
  expect(JSON.parse(accessLine(outcome({ decision: refused({ reason }) }), '', 'json', nowMs)).level).toBe(level);
});

test('an exchange that the upstream broke off is a warning', () => {
  expect(JSON.parse(accessLine(outcome({ end: 'upstreamGone' }), '', 'json', nowMs))).toMatchObject({
    level: 'warn',
    end: 'upstreamGone',
  });
});

test('bytes that never became a request still make a line', () => {
  const decision = refused({ reason: 'requestRefused', detail: 'no line end', facts: { tenant: undefined, path: '' } });
  const line = JSON.parse(accessLine(outcome({ head: undefined, decision, status: 400 }), '', 'json', nowMs));
  expect(line).toMatchObject({ decision: 'deny', reason: 'requestRefused', status: 400 });
  expect(line).not.toHaveProperty('method');
});

test.each(['json', 'text'] as const)('nothing of the query or the headers is in a %s line', (format) => {
  const line = accessLine(outcome(), '10.0.0.7', format, nowMs);
  expect(line).not.toContain('eyJ');
  expect(line).not.toContain('?');
});

test.each(['json', 'text'] as const)('log injection: hostile text stays inside its field of a %s line', (format) => {
  const hostile = 'x"\n{"decision":"allow"}\x1b[2J\u202e';
  const decision = refused({ detail: hostile, facts: { tenant: 'acme', path: `/${hostile}`, kid: hostile } });
  const line = accessLine(outcome({ decision }), '', format, nowMs);
  expect(line).toMatch(/^[ -~]*$/);
  if (format === 'json') expect(JSON.parse(line).decision).toBe('deny');
});

test('times are right across seconds, minutes and a clock that is set back', () => {
  for (const at of [nowMs, nowMs + 957, nowMs + 958, nowMs + 59_999, nowMs + 60_000, nowMs - 86_400_000, 0]) {
    expect(JSON.parse(accessLine(outcome(), '', 'json', at)).time).toBe(new Date(at).toISOString());
  }
});
