import { describe, expect, test } from 'vitest';
import type { Decision } from '../../src/gate/decision.ts';
import type { Outcome } from '../../src/gate/gate.ts';
import { plainFields, textFields } from '../../src/gate/log-fields.ts';
import { accessLine } from '../../src/ops/access-log.ts';
import { isSampled } from '../../src/ops/access-sample.ts';
import { type AccessViewSpec, compileAccessView } from '../../src/ops/access-view.ts';

const token = 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln';
const traceId = '0af7651916cd43dd8448eb211c80319c';

function outcome(facts: object = {}, over: Partial<Outcome> = {}): Outcome {
  const all = {
    tenant: 'acme',
    path: '/users/42',
    algorithm: 'HS256',
    kid: 'k1',
    issuer: 'https://id.example/',
    subject: 'alice',
    tokenSource: 'header:authorization:bearer',
    cached: true,
    wouldRefuse: 'claimRefused',
    wouldRefuseDetail: 'the config wants role: admin',
    ...facts,
  };
  return {
    head: {
      id: 'r-1',
      method: 'GET',
      target: '/users/42',
      httpVersion: '1.1',
      headers: [
        'Host',
        'app.example',
        'User-Agent',
        'test/1 (what?)',
        'Referer',
        `https://app.example/page?jwt=${token}`,
      ],
      scheme: 'https',
      peer: '10.0.0.7',
    },
    decision: { kind: 'allowed', facts: all } as unknown as Decision, // what a line reads of it
    lane: 'fast',
    status: 200,
    requestBytes: 1,
    responseBytes: 2,
    durationMs: 3,
    upstreamMs: 2,
    end: 'complete',
    ...over,
  };
}

function line(spec: AccessViewSpec, of: Outcome = outcome()): Record<string, unknown> {
  return JSON.parse(accessLine(of, '203.0.113.9', 'json', 0, compileAccessView(spec), traceId));
}

const all = Object.keys(textFields) as (keyof typeof textFields)[];
const fields = (action: 'keep' | 'drop' | 'redact' | 'hash') => ({
  fields: Object.fromEntries(all.map((name) => [name, action])),
});

describe('fields', () => {
  test('subject, host, page and program of the client are left out unless they are asked for', () => {
    expect(line({})).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'info',
      msg: 'request',
      request_id: 'r-1',
      trace_id: traceId,
      tenant: 'acme',
      decision: 'report',
      reason: 'claimRefused',
      detail: 'the config wants role: admin',
      method: 'GET',
      path: '/users/42',
      protocol: 'HTTP/1.1',
      status: 200,
      duration_ms: 3,
      upstream_ms: 2,
      bytes_in: 1,
      bytes_out: 2,
      client_ip: '203.0.113.9',
      token_source: 'header:authorization:bearer',
      alg: 'HS256',
      kid: 'k1',
      iss: 'https://id.example/',
      cache: 'hit',
      lane: 'fast',
      end: 'complete',
    });
    expect(line(fields('keep'))).toMatchObject({
      sub: 'alice',
      host: 'app.example',
      user_agent: 'test/1 (what?)',
      referer: 'https://app.example/page',
    });
  });

  test('each can be dropped alone; what says how it went stays', () => {
    for (const name of [...all, ...plainFields]) {
      const kept = line(fields('keep'));
      const { [name]: gone, ...rest } = kept;
      expect(gone, name).toBeDefined();
      expect(line({ fields: { ...fields('keep').fields, [name]: 'drop' } }), name).toEqual(rest);
    }
    const bare = line({ fields: Object.fromEntries([...all, ...plainFields].map((name) => [name, 'drop'])) });
    expect(Object.keys(bare)).toEqual(['time', 'level', 'msg', 'decision', 'reason', 'status']);
  });

  test('what is redacted leaves its key, and nothing else', () => {
    const redacted = line(fields('redact'));
    for (const name of all) expect(redacted[name], name).toBe('[redacted]');
  });

  test('a hash tells whether two lines are about the same, and nothing else', () => {
    const spec = { ...fields('hash'), hashKey: { reveal: () => 'a key' } };
    const [first, again, other] = [line(spec), line(spec), line(spec, outcome({ subject: 'bob' }))];
    expect(first).toEqual(again);
    expect(first.sub).not.toBe(other.sub);
    for (const name of all) expect(first[name], name).toMatch(/^[\w-]{16}$/);
    expect(JSON.stringify(first)).not.toMatch(/alice|users|203\.0/);
    expect(line({ ...spec, hashKey: { reveal: () => 'another' } }).sub).not.toBe(first.sub);
    const unkeyed = compileAccessView(fields('hash')).text.sub;
    const elsewhere = compileAccessView(fields('hash')).text.sub;
    if (typeof unkeyed !== 'function' || typeof elsewhere !== 'function') throw new Error('not hashed');
    expect(unkeyed('alice')).not.toBe(elsewhere('alice'));
  });

  test('lines of a terminal follow, too', () => {
    const text = (spec: AccessViewSpec) =>
      accessLine(outcome({ claims: { team: 'x y' } }), '203.0.113.9', 'text', 0, compileAccessView(spec));
    expect(text({ fields: { sub: 'keep' }, claims: { team: { show: 'keep' } } })).toBe(
      '00:00:00.000 report GET /users/42 200 3ms tenant=acme reason=claimRefused (the config wants role: admin) from=203.0.113.9 sub=alice team="x y"',
    );
    expect(text(fields('drop'))).toBe('00:00:00.000 report GET - 200 3ms tenant=- reason=claimRefused team="x y"');
    expect(text(fields('redact'))).not.toMatch(/alice|users|203\.0|acme/);
  });
});

describe('claims', () => {
  const spec: AccessViewSpec = {
    claims: Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, { show: 'keep' }])),
  };

  test('are in the line by their names there: numbers as they are, lists and objects as text', () => {
    const claims = { a: 'x', b: 42, c: true, d: ['p', 'q'], e: { f: 1 } };
    expect(line(spec, outcome({ claims })).claims).toEqual({ a: 'x', b: 42, c: true, d: '["p","q"]', e: '{"f":1}' });
    expect(line(spec, outcome({ claims: {} }))).not.toHaveProperty('claims');
  });

  test('a hostile claim stays in its place, and short', () => {
    const hostile = {
      a: 'x"\n{"decision":"allow"}\x1b[2J\u202e',
      b: 'y'.repeat(10_000),
      c: ['z'.repeat(10_000)],
      d: `a ${token} b`,
    };
    for (const format of ['json', 'text'] as const) {
      const written = accessLine(outcome({ claims: hostile }), '', format, 0, compileAccessView(spec));
      expect(written).toMatch(/^[ -~]*$/);
      expect(written.length).toBeLessThan(2_500);
      expect(written).not.toContain('eyJ');
      if (format === 'json') expect(JSON.parse(written).decision).toBe('report');
    }
  });

  test('can be hashed', () => {
    const hashed = { claims: { a: { show: 'hash' }, b: { show: 'hash' } }, hashKey: { reveal: () => 'k' } } as const;
    const { claims } = line(hashed, outcome({ claims: { a: 'alice@acme.example', b: 42 } }));
    expect(claims).toEqual({ a: expect.stringMatching(/^[\w-]{16}$/), b: expect.stringMatching(/^[\w-]{16}$/) });
  });
});

describe('samples', () => {
  const decided = (kind: string, more: object = {}) =>
    outcome({}, { decision: { kind, facts: { wouldRefuse: undefined }, ...more } as unknown as Decision });
  const shares = { allow: 0.1, answer: 0.2, deny: 0.3, report: 0.4 };

  test.each([
    ['allow', decided('allowed'), 0.1],
    ['answer', decided('answered'), 0.2],
    ['deny', decided('refused', { reason: 'tokenMissing' }), 0.3],
    ['report', outcome(), 0.4],
  ])('%s has a share of its own', (_name, of, share) => {
    expect([share - 0.01, share].map((random) => isSampled(of, shares, () => random))).toEqual([true, false]);
  });

  test('what fails is always written', () => {
    const none = { allow: 0, answer: 0, deny: 0, report: 0 };
    expect(isSampled(decided('allowed'), none, () => 0)).toBe(false);
    expect(isSampled(outcome({}, { status: 502 }), none)).toBe(true);
    for (const end of ['clientGone', 'upstreamGone', 'permitEnded'] as const)
      expect(isSampled(outcome({}, { end }), none)).toBe(true);
  });

  test('everything is written by default', () => {
    expect(isSampled(decided('allowed'), { allow: 1, answer: 1, deny: 1, report: 1 }, () => 0.999999)).toBe(true);
  });
});
