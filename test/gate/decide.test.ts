import { describe, expect, it } from 'vitest';
import { compileBasic } from '../../src/gate/basic.ts';
import { type BindSource, compileBind } from '../../src/gate/bind.ts';
import { type ClaimCondition, compileClaimCheck } from '../../src/gate/claims.ts';
import { compileCors } from '../../src/gate/cors.ts';
import { decide } from '../../src/gate/decide.ts';
import type { Allowed, Answered, Decision, Refused } from '../../src/gate/decision.ts';
import type { BodyRead } from '../../src/gate/gate.ts';
import type { TokenLocation } from '../../src/gate/locate.ts';
import type { Policy, Tenant } from '../../src/gate/policy.ts';
import type { RequestHead } from '../../src/gate/request-head.ts';
import { type Sending, type Signing, sendAsIs } from '../../src/gate/send.ts';
import { identityHeader, pathPattern, secretOf, type TestTenant, testPolicy } from '../support/policy.ts';
import { mintHs256, segment } from '../support/tokens.ts';
import { keepingCache } from '../support/verdicts.ts';

const nowMs = 1_800_000_000_000;
const exp = nowMs / 1000 + 60;
const token = (id: string, claims: object = {}, header: object = {}) =>
  mintHs256(secretOf(id), { claims: { sub: 'joe', exp, ...claims }, header: { ...header } });
const bearer = (raw: string) => ['Authorization', `Bearer ${raw}`];

interface Ask {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly string[];
  readonly body?: string | BodyRead['kind'];
}

function ask(policy: Policy, { method = 'GET', target = '/x', headers = [], body }: Ask = {}) {
  const verdicts = keepingCache({ entries: 100, bytes: 1_000_000 });
  return askWith(verdicts, policy, { method, target, headers, ...(body === undefined ? {} : { body }) });
}

let bodyReads = 0;
function askWith(
  verdicts: ReturnType<typeof keepingCache>,
  policy: Policy,
  { method = 'GET', target = '/x', headers = [], body = '' }: Ask,
): Decision | Promise<Decision> {
  const head: RequestHead = {
    id: 'r-1',
    method,
    target,
    httpVersion: '1.1',
    headers: ['Host', 'gate.example', ...headers],
    scheme: 'http',
    peer: '192.0.2.7',
  };
  const read = async (maxBytes: number): Promise<BodyRead> => {
    bodyReads++;
    if (body === 'broken' || body === 'tooLarge') return { kind: body };
    const bytes = Buffer.from(body);
    return bytes.length > maxBytes ? { kind: 'tooLarge' } : { kind: 'read', bytes };
  };
  return decide(head, { policy, verdicts, nowMs, body: { read } });
}

function allowed(decision: Decision | Promise<Decision>): Allowed {
  expect(decision).toMatchObject({ kind: 'allowed' });
  return decision as Allowed;
}

function refused(decision: Decision | Promise<Decision>): Refused {
  expect(decision).toMatchObject({ kind: 'refused' });
  return decision as Refused;
}

const pairs = ({ headers }: Allowed) =>
  new Map(headers.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), headers[i + 1]] as const] : [])));

function check(path: string, condition: ClaimCondition) {
  const compiled = compileClaimCheck([path], condition);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled;
}

function bind(claim: string, source: BindSource) {
  const compiled = compileBind([[claim]], source);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled;
}

const one = (spec: TestTenant = {}) => testPolicy({ acme: spec });

describe('a good token', () => {
  it('goes on at once, with its claims as headers and nobody else’s', () => {
    const spoof = ['X-Jwt-Subject', 'root', 'x_jwt_tenant', 'other'];
    const decision = allowed(ask(one(), { target: '/x?a=1', headers: [...bearer(token('acme')), ...spoof] }));
    expect(decision.target).toBe('/x?a=1');
    expect(pairs(decision).get('x-jwt-subject')).toBe('joe');
    expect(pairs(decision).get('x-jwt-tenant')).toBe('acme');
    expect(pairs(decision).has('x_jwt_tenant')).toBe(false);
    expect(decision.facts).toMatchObject({
      tenant: 'acme',
      path: '/x',
      algorithm: 'HS256',
      subject: 'joe',
      tokenSource: 'header:authorization:bearer',
      cached: false,
    });
  });

  it('is found in the cache the second time, and judged for time all the same', () => {
    const verdicts = keepingCache({ entries: 10, bytes: 1_000_000 });
    const policy = one({ checks: { ...testPolicy({ a: {} }).tenants.get('a')?.checks, maxAgeS: 10 } as never });
    const headers = bearer(token('acme', { iat: nowMs / 1000 }));
    expect(allowed(askWith(verdicts, policy, { headers })).facts.cached).toBe(false);
    expect(allowed(askWith(verdicts, policy, { headers })).facts.cached).toBe(true);
    const late = decide(
      { id: '', method: 'GET', target: '/', httpVersion: '1.1', headers, scheme: 'http', peer: '' },
      { policy, verdicts, nowMs: nowMs + 16_000, body: { read: async () => ({ kind: 'broken' }) } },
    );
    expect(refused(late).reason).toBe('tokenExpired');
  });

  it('in the query or a cookie stays here, in a header it goes on, unless the tenant says otherwise', () => {
    const locations: TokenLocation[] = [
      { kind: 'header', name: 'authorization', scheme: 'bearer' },
      { kind: 'query', name: 'jwt' },
      { kind: 'cookie', name: 'session' },
    ];
    const raw = token('acme');
    const inQuery = { target: `/x?a=1&jwt=${raw}&b=2` };
    const inCookie = { headers: ['Cookie', `a=1; session=${raw}`] };
    const inHeader = { headers: bearer(raw) };
    expect(allowed(ask(one({ locations }), inQuery)).target).toBe('/x?a=1&b=2');
    expect(pairs(allowed(ask(one({ locations }), inCookie))).get('cookie')).toBe('a=1');
    expect(pairs(allowed(ask(one({ locations }), inHeader))).get('authorization')).toBe(`Bearer ${raw}`);
    expect(allowed(ask(one({ locations, forwardToken: 'keep' }), inQuery)).target).toBe(inQuery.target);
    expect(pairs(allowed(ask(one({ locations, forwardToken: 'strip' }), inHeader))).has('authorization')).toBe(false);
  });

  it('that stands in a second place as well goes on in the judged place alone', () => {
    const locations: TokenLocation[] = [
      { kind: 'header', name: 'authorization', scheme: 'bearer' },
      { kind: 'query', name: 'jwt' },
    ];
    const raw = token('acme');
    expect(allowed(ask(one({ locations }), { target: `/x?jwt=${raw}`, headers: bearer(raw) })).target).toBe('/x');
  });

  it('sends its whole payload where asked', () => {
    const raw = token('acme');
    const decision = allowed(ask(one({ payloadHeader: 'X-Jwt-Payload' }), { headers: bearer(raw) }));
    expect(pairs(decision).get('x-jwt-payload')).toBe(raw.split('.')[1]);
  });
});

describe('a request is refused', () => {
  const unsignedToken = `${segment({ alg: 'none' })}.${segment({ sub: 'joe', exp })}.`;
  it.each<[string, Ask, string]>([
    ['without a token', {}, 'tokenMissing'],
    ['with another scheme’s credential', { headers: ['Authorization', 'Basic am9lOng='] }, 'tokenMissing'],
    ['with an opaque token', { headers: bearer('opaque') }, 'tokenMalformed'],
    ['with an empty token', { headers: ['Authorization', 'Bearer'] }, 'tokenMalformed'],
    ['with alg none', { headers: bearer(unsignedToken) }, 'tokenMalformed|algorithmRefused'],
    ['with another tenant’s token', { headers: bearer(token('globex')) }, 'signatureInvalid'],
    ['with another algorithm', { headers: bearer(token('acme', {}, { alg: 'RS256' })) }, 'algorithmRefused'],
    ['with an unknown kid', { headers: bearer(token('acme', {}, { kid: 'zz' })) }, 'keyUnknown'],
    ['with an expired token', { headers: bearer(token('acme', { exp: exp - 100 })) }, 'tokenExpired'],
    ['with a token that never expires', { headers: bearer(token('acme', { exp: undefined })) }, 'claimRefused'],
    ['with a token of tomorrow', { headers: bearer(token('acme', { nbf: exp })) }, 'tokenNotYetValid'],
    ['with two tokens', { headers: ['Authorization', 'Bearer a, Bearer b'] }, 'tokenAmbiguous'],
    ['by a claim that no header can carry', { headers: bearer(token('acme', { sub: 'a\r\nb' })) }, 'claimRefused'],
    ['with dot segments', { target: '/a/../b', headers: bearer(token('acme')) }, 'requestRefused'],
    ['with an encoded slash', { target: '/a%2fb', headers: bearer(token('acme')) }, 'requestRefused'],
    ['with a NUL in the path', { target: '/a%00', headers: bearer(token('acme')) }, 'requestRefused'],
  ])('%s', (_name, how, reason) => {
    expect(reason.split('|')).toContain(refused(ask(one(), how)).reason);
  });

  it('and neither answer nor facts hold any part of the token', () => {
    const raw = token('globex');
    const text = JSON.stringify(refused(ask(one(), { headers: bearer(raw) })));
    for (const part of raw.split('.')) expect(text).not.toContain(part);
  });
});

describe('routes', () => {
  const policy = one({
    routes: [
      { path: pathPattern('/public/**'), access: 'public' },
      { path: pathPattern('/maybe/**'), access: 'optional' },
      {
        path: pathPattern('/accounts/{account}/**'),
        methods: new Set(['GET']),
        binds: [bind('account', 'path.account')],
        claims: [check('role', { oneOf: ['admin'] })],
      },
      { path: pathPattern('/accounts/**'), claims: [check('role', 'root')] },
      { path: pathPattern('/raw/**'), normalizePath: true },
    ],
  });
  const good = token('acme', { account: 'a1', role: 'admin' });

  it('the first that matches path and method decides', () => {
    allowed(ask(policy, { target: '/accounts/a1/x', headers: bearer(good) }));
    expect(refused(ask(policy, { target: '/accounts/a2/x', headers: bearer(good) })).reason).toBe('bindMismatch');
    const post = { method: 'POST', target: '/accounts/a1/x', headers: bearer(good) };
    expect(refused(ask(policy, post)).reason).toBe('claimRefused');
  });

  it('HEAD needs what GET needs', () => {
    const head = { method: 'HEAD', headers: bearer(good) };
    allowed(ask(policy, { ...head, target: '/accounts/a1' }));
    expect(refused(ask(policy, { ...head, target: '/accounts/a2' })).reason).toBe('bindMismatch');
  });

  it('a public one asks for nothing, believes nothing and passes no token on', () => {
    const spoof = ['X-Jwt-Subject', 'root', 'X_JWT_SUBJECT', 'root'];
    const decision = allowed(ask(policy, { target: '/public/a', headers: [...bearer(good), ...spoof] }));
    expect(pairs(decision).has('authorization')).toBe(false);
    expect([...pairs(decision).keys()].filter((name) => /jwt/.test(name))).toEqual([]);
    const basic = allowed(ask(policy, { target: '/public/a', headers: ['Authorization', 'Basic am9lOng='] }));
    expect(pairs(basic).get('authorization')).toBe('Basic am9lOng=');
  });

  it('an optional one lets a missing token through without identity, and refuses a bad one (CVE-2021-21378)', () => {
    const anonymous = allowed(ask(policy, { target: '/maybe', headers: ['x-jwt-subject', 'root'] }));
    expect([...pairs(anonymous).keys()].filter((name) => /jwt/.test(name))).toEqual([]);
    expect(pairs(allowed(ask(policy, { target: '/maybe', headers: bearer(good) }))).get('x-jwt-subject')).toBe('joe');
    for (const bad of ['opaque', '', token('globex'), token('acme', { exp: 1 }), token('acme', {}, { kid: 'zz' })]) {
      refused(ask(policy, { target: '/maybe', headers: bearer(bad) }));
    }
  });

  it('no path trick leads from a public route into another', () => {
    for (const target of [
      '/public/../accounts/a1',
      '/public/..%2faccounts',
      '/public/%2e%2e/accounts',
      '/public/..;/accounts',
      '/public\\..\\accounts',
      '//public/../x',
      '/public/%252e%252e/accounts',
    ]) {
      expect(refused(ask(policy, { target })).reason).toBe('requestRefused');
    }
  });

  it('one that normalises forwards what it matched', () => {
    const decision = allowed(ask(policy, { target: '/raw/a/..//b?c', headers: bearer(good) }));
    expect(decision.target).toBe('/raw/b?c');
    expect(refused(ask(policy, { target: '/raw/../public/x' })).reason).toBe('requestRefused');
  });

  it('OPTIONS that is no preflight needs a token like every request', () => {
    expect(refused(ask(policy, { method: 'OPTIONS' })).reason).toBe('tokenMissing');
    const preflight = ['Origin', 'https://a.example', 'Access-Control-Request-Method', 'PUT'];
    expect(refused(ask(policy, { method: 'OPTIONS', headers: preflight })).reason).toBe('tokenMissing');
  });
});

describe('tenants', () => {
  it('recognised by a token hold it to all of their match, with their own keys alone', () => {
    const policy = testPolicy({
      acme: { match: [{ issuer: 'https://acme' }] },
      globex: { match: [{ issuer: 'https://globex' }] },
    });
    const forged = token('acme', { iss: 'https://globex' });
    expect(refused(ask(policy, { headers: bearer(forged) })).reason).toBe('signatureInvalid');
    const good = allowed(ask(policy, { headers: bearer(token('globex', { iss: 'https://globex' })) }));
    expect(good.tenant.id).toBe('globex');
    expect(refused(ask(policy, { headers: bearer(token('acme', { iss: 'x' })) })).reason).toBe('tenantUnknown');
    expect(refused(ask(policy)).reason).toBe('tokenMissing');
  });

  it('do not share verdicts', () => {
    const verdicts = keepingCache({ entries: 10, bytes: 1_000_000 });
    const policy = testPolicy({
      acme: { match: [{ path: pathPattern('/acme/**') }] },
      globex: { match: [{ path: pathPattern('/globex/**') }] },
    });
    const headers = bearer(token('acme'));
    allowed(askWith(verdicts, policy, { target: '/acme/x', headers }));
    expect(refused(askWith(verdicts, policy, { target: '/globex/x', headers })).reason).toBe('signatureInvalid');
  });

  it('in report mode let through what they would refuse, without identity, and say so', () => {
    const decision = allowed(
      ask(one({ mode: 'report' }), { headers: [...bearer(token('globex')), 'X-Jwt-Subject', 'root'] }),
    );
    expect(decision.facts.wouldRefuse).toBe('signatureInvalid');
    expect([...pairs(decision).keys()].filter((name) => /jwt/.test(name))).toEqual([]);
    expect(pairs(allowed(ask(one({ mode: 'report' }), { headers: bearer(token('acme')) }))).get('x-jwt-subject')).toBe(
      'joe',
    );
  });
});

describe('in report mode', () => {
  const signing: Signing = {
    readsClaims: false,
    into: { kind: 'header', name: 'x-assertion', scheme: undefined },
    name: 'X-Assertion',
    scheme: undefined,
    issue: () => ({ kind: 'failed', detail: 'no key' }),
  };
  const sendings: Record<string, [Partial<Sending>, string]> = {
    'a rate that is used up': [{ rate: { take: () => ({ kind: 'refused', retryAfterS: 1 }) } }, 'requestRefused'],
    'a provisioning that fails': [
      { provisioning: { ensure: async () => ({ kind: 'failed', detail: 'away' }) } },
      'provisionFailed',
    ],
    'a token for the upstream that can not be had': [{ signing }, 'upstreamUnreachable'],
  };

  it.each(Object.entries(sendings))(
    '%s is reported, and the request goes on without identity',
    async (_, [sending, reason]) => {
      const tenant = { sending: { rate: undefined, provisioning: undefined, signing: undefined, ...sending } };
      const headers = [...bearer(token('acme')), 'X-Assertion', 'made-up'];
      expect(refused(await ask(one(tenant), { headers })).reason).toBe(reason);
      const decision = allowed(await ask(one({ ...tenant, mode: 'report' }), { headers }));
      expect(decision.facts.wouldRefuse).toBe(reason);
      expect(pairs(decision).has('x-jwt-subject')).toBe(false);
      expect(pairs(decision).has('x-assertion')).toBe(sending.signing === undefined);
    },
  );

  it('what upstreams take for ours does not travel on with a request of no tenant either', () => {
    const policy = testPolicy({
      acme: { match: [{ kid: 'acme' }], sending: { rate: undefined, provisioning: undefined, signing } },
    });
    const tenant = policy.tenants.get('acme') as Tenant;
    const unrecognised = {
      tenant: { ...tenant, id: '', mode: 'report' as const, sending: sendAsIs },
      stripped: [signing.into],
    };
    const decision = allowed(
      ask(
        { ...policy, unrecognised },
        { headers: ['X-Assertion', 'made-up', 'X-Jwt-Subject', 'root', 'X-Other', '1'] },
      ),
    );
    expect(decision.facts).toMatchObject({ tenant: undefined, wouldRefuse: 'tokenMissing' });
    expect(decision.token).toBeUndefined();
    expect(
      [...pairs(decision).keys()].filter((name) => name.startsWith('x-') && !/forwarded|request/.test(name)),
    ).toEqual(['x-other']);
  });
});

describe('a binding to the body', () => {
  const policy = one({ binds: [bind('user', 'body./userId')] });
  const json = ['Content-Type', 'application/json', 'Content-Length', '1'];
  const withBody = (body: string, headers: readonly string[] = json, claims: object = { user: '2315' }) =>
    ask(policy, { method: 'POST', headers: [...bearer(token('acme', claims)), ...headers], body });

  it('holds, and hands the bytes that were read on', async () => {
    const body = '{ "userId" : "2315", "x": [1,2] }';
    const decision = allowed(await withBody(body));
    expect(Buffer.from(decision.body ?? []).toString()).toBe(body);
  });

  it.each<[string, string, readonly string[], string, number]>([
    ['another value', '{"userId":"1"}', json, 'bindMismatch', 403],
    ['no such member', '{}', json, 'bindMismatch', 403],
    ['the member twice', '{"userId":"1","userId":"2315"}', json, 'requestRefused', 400],
    ['the member twice, once escaped', '{"user\\u0049d":"1","userId":"2315"}', json, 'requestRefused', 400],
    ['no JSON', '{', json, 'requestRefused', 400],
    ['JSON and more', '{"userId":"2315"} x', json, 'requestRefused', 400],
    [
      'invalid UTF-8 by its type',
      '{"userId":"2315"}',
      ['Content-Type', 'application/json; charset=utf-16', 'Content-Length', '1'],
      'requestRefused',
      415,
    ],
    [
      'a form',
      'userId=2315',
      ['Content-Type', 'application/x-www-form-urlencoded', 'Content-Length', '1'],
      'requestRefused',
      415,
    ],
    ['no type', '{"userId":"2315"}', ['Content-Length', '1'], 'requestRefused', 415],
    ['two types', '{"userId":"2315"}', [...json, 'Content-Type', 'text/plain'], 'requestRefused', 415],
    ['a compressed body', '{"userId":"2315"}', [...json, 'Content-Encoding', 'gzip'], 'requestRefused', 415],
    ['more than the limit', 'tooLarge', json, 'requestRefused', 413],
    ['a body that breaks off', 'broken', json, 'requestRefused', 400],
    ['no body at all', '', [], 'bindMismatch', 403],
  ])('refuses %s', async (_name, body, headers, reason, status) => {
    const decision = refused(await withBody(body, headers));
    expect([decision.reason, decision.status]).toEqual([reason, status]);
  });

  it('reads no body for a request that is refused without it', async () => {
    bodyReads = 0;
    refused(ask(policy, { method: 'POST', headers: [...bearer(token('globex')), ...json], body: '{"userId":"2315"}' }));
    expect(bodyReads).toBe(0);
  });
});

describe('HTTP Basic', () => {
  const policy = testPolicy({
    acme: { match: [{ kid: 'acme' }, { basicUser: 'acme' }], kid: 'acme', basic: compileBasic('acme', 'pw-acme') },
    globex: {
      match: [{ kid: 'globex' }, { basicUser: 'globex' }],
      kid: 'globex',
      basic: compileBasic('globex', 'pw-globex'),
    },
  });
  const basic = (text: string) => ['Authorization', `Basic ${Buffer.from(text).toString('base64')}`];

  it('is the other way in, says so, and its password stays here', () => {
    const decision = allowed(ask(policy, { headers: [...basic('acme:pw-acme'), 'X-Jwt-Auth', 'token'] }));
    expect(pairs(decision).get('x-jwt-tenant')).toBe('acme');
    expect(pairs(decision).get('x-jwt-auth')).toBe('basic');
    expect(pairs(decision).has('x-jwt-subject')).toBe(false);
    expect(pairs(decision).has('authorization')).toBe(false);
    const byToken = allowed(ask(policy, { headers: bearer(token('acme', {}, { kid: 'acme' })) }));
    expect(pairs(byToken).get('x-jwt-auth')).toBe('token');
  });

  it.each([
    ['a wrong password', 'acme:pw-globex', 'tokenMissing'],
    ['an unknown user', 'nobody:pw-acme', 'tenantUnknown'],
    ['an empty password', 'acme:', 'tokenMissing'],
  ])('refuses %s', (_name, text, reason) => {
    expect(refused(ask(policy, { headers: basic(text) })).reason).toBe(reason);
  });

  it('beside a token is refused', () => {
    const locations: TokenLocation[] = [{ kind: 'header', name: 'x-token', scheme: undefined }];
    const two = testPolicy({
      acme: {
        match: [{ kid: 'acme' }, { basicUser: 'acme' }],
        kid: 'acme',
        locations,
        basic: compileBasic('acme', 'pw'),
      },
      globex: { match: [{ kid: 'globex' }], locations },
    });
    const raw = token('acme', {}, { kid: 'acme' });
    expect(refused(ask(two, { headers: ['X-Token', raw, ...basic('acme:pw')] })).reason).toBe('tokenAmbiguous');
  });

  it('is nothing to a tenant that does not know it', () => {
    expect(refused(ask(one(), { headers: basic('acme:pw-acme') })).reason).toBe('tokenMissing');
  });
});

describe('CORS', () => {
  const compiled = compileCors({
    preflight: 'answer',
    origins: ['https://app.example'],
    methods: undefined,
    headers: undefined,
    exposeHeaders: [],
    credentials: false,
    maxAgeS: 60,
  });
  if ('problem' in compiled) throw new Error(compiled.problem);
  const origin = ['Origin', 'https://app.example'];
  const preflight = { method: 'OPTIONS', headers: [...origin, 'Access-Control-Request-Method', 'PUT'] };

  it('a preflight is answered here, or passed on without any token', () => {
    const answered = ask(one({ cors: compiled }), preflight);
    expect(answered).toMatchObject({ kind: 'answered', status: 204 });
    expect((answered as Answered).headers).toContain('https://app.example');
    const passing = one({ cors: { ...compiled, preflight: 'pass' } });
    const passed = allowed(ask(passing, { ...preflight, headers: [...preflight.headers, ...bearer('forged')] }));
    expect(pairs(passed).has('authorization')).toBe(false);
    expect(passed.responseHeaders).toEqual([]);
  });

  it('where tenants are recognised by tokens, a preflight is answered by the house', () => {
    const tenants = { acme: { match: [{ kid: 'acme' }] }, globex: { match: [{ kid: 'globex' }] } };
    expect(ask(testPolicy(tenants, { cors: compiled }), preflight)).toMatchObject({ kind: 'answered' });
    expect(refused(ask(testPolicy(tenants), preflight)).reason).toBe('tokenMissing');
  });

  it('a refusal and a response can be read by the page', () => {
    const policy = one({ cors: compiled });
    expect(refused(ask(policy, { headers: origin })).headers).toContain('Access-Control-Allow-Origin');
    const response = allowed(ask(policy, { headers: [...origin, ...bearer(token('acme'))] })).responseHeaders;
    expect(response.slice(0, 2)).toEqual(['Access-Control-Allow-Origin', 'https://app.example']);
  });

  it('OPTIONS with half a preflight is refused', () => {
    for (const headers of [origin, ['Access-Control-Request-Method', 'PUT']]) {
      expect(refused(ask(one({ cors: compiled }), { method: 'OPTIONS', headers })).reason).toBe('tokenMissing');
    }
  });
});

it('identity headers never come from another tenant’s templates', () => {
  const policy = testPolicy({
    acme: { match: [{ path: pathPattern('/a/**') }], identityHeaders: [identityHeader('X-A', '${claims.sub}')] },
    globex: { match: [{ path: pathPattern('/g/**') }], identityHeaders: [identityHeader('X-G', '${claims.sub}')] },
  });
  const decision = allowed(
    ask(policy, { target: '/a', headers: [...bearer(token('acme')), 'X-G', 'spoof', 'x.g', 'spoof'] }),
  );
  expect(pairs(decision).get('x-a')).toBe('joe');
  expect(pairs(decision).has('x-g')).toBe(false);
  expect(pairs(decision).has('x.g')).toBe(false);
});
