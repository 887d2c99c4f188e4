import { describe, expect, test } from 'vitest';
import { explained } from '../support/explained.ts';
import { mintHs256 } from '../support/tokens.ts';

const nowMs = Date.parse('2026-11-22T06:33:00Z');
const secret = 's'.repeat(32);
const exp = nowMs / 1000 + 252;

const files = {
  'config.yaml': `upstream: http://127.0.0.1:3000
include: [more.yaml]
limits: {tokenBytes: 1KiB}
templates:
  base:
    algorithms: [HS256]
    claims:
      role: {oneOf: [admin, editor]}
tenants:
  acme:
    template: base
    match: {path: "/acme/**"}
    secret: {value: ${secret}}
    issuer: https://id.acme.example/
    audience: [api, other]
    claims: {"7": required}
    clockSkew: 5s
    token: [{header: Authorization, scheme: Bearer}, {cookie: session}]
    headers: {X-User: "\${claims.sub}", X-Email: "\${claims.email}"}
    routes:
      - {path: /acme/public/**, access: public}
      - path: "/acme/{id}/**"
        claims: {scope: {contains: read}, sub: required}
        bind: {org: path.id}
        rule: claims.role != "admin" || claims.org == request.pathVariables.id
    rule: |
      size(claims.sub) > 0
    replay: {claim: jti}
`,
  'more.yaml': `tenants:
  globex:
    match: {issuer: https://id.globex.example/}
    secret: {env: GLOBEX}
    issuer: https://id.globex.example/
    mode: report
`,
};
const env = { GLOBEX: 'g'.repeat(32) };

const good = {
  iss: 'https://id.acme.example/',
  aud: 'api',
  role: 'admin',
  '7': 1,
  scope: 'read',
  sub: 'joe',
  org: 'x',
  jti: '1',
  exp,
};
const mint = (claims: object = {}, header: object = {}) =>
  mintHs256(secret, { claims: { ...good, ...claims }, header: { ...header } });

const ask = (url: string, token?: string, more: object = {}) =>
  explained(files, { url, ...(token === undefined ? {} : { token }), ...more }, nowMs, env);

test('an allowed request is a ladder of ✓, each with the place in the config behind it', async () => {
  const { ladder } = await ask('/acme/x/orders?a=1', mint());
  expect(ladder).toMatchObject({ verdict: 'allowed', tenant: 'acme', reason: undefined, hint: undefined });
  const rows = ladder.steps.map(({ step, outcome, detail, config }) => {
    const place = config === undefined ? '' : ` @${config.file}:${config.line}:${config.column} ${config.path}`;
    return `${outcome} ${step}: ${detail}${place}`;
  });
  expect(rows).toEqual([
    'passed request: GET /acme/x/orders',
    'passed tenant: acme, by path /acme/** @config.yaml:12:5 tenants.acme.match',
    'passed route: /acme/{id}/**: access required, id = "x" @config.yaml:22:9 tenants.acme.routes[1]',
    'passed token: in the header authorization, scheme bearer @config.yaml:18:5 tenants.acme.token',
    'passed shape: a signed token: alg "HS256", no kid',
    'passed algorithm: HS256 is one of HS256 @config.yaml:6:5 tenants.acme.algorithms',
    'passed key: the one that fits HS256 @config.yaml:13:5 tenants.acme.secret',
    'passed signature: made with that key @config.yaml:13:5 tenants.acme.secret',
    'passed time: exp 2026-11-22T06:37:12Z, in 4 m 12 s @config.yaml:17:5 tenants.acme.clockSkew',
    'passed issuer: iss is "https://id.acme.example/" @config.yaml:14:5 tenants.acme.issuer',
    'passed audience: aud is "api" @config.yaml:15:5 tenants.acme.audience',
    'passed claim: 7: "required" @config.yaml:16:14 tenants.acme.claims["7"]',
    'passed claim: role: {"oneOf":["admin","editor"]} @config.yaml:8:7 tenants.acme.claims.role',
    'passed claim: scope: {"contains":"read"} @config.yaml:23:18 tenants.acme.routes[1].claims.scope',
    'passed claim: sub: "required" @config.yaml:23:43 tenants.acme.routes[1].claims.sub',
    'passed bind: org: path.id @config.yaml:24:16 tenants.acme.routes[1].bind.org',
    'passed rule: size(claims.sub) > 0 @config.yaml:26:5 tenants.acme.rule',
    'passed rule: claims.role != "admin" || claims.org == request.pathVariables.id @config.yaml:25:9 tenants.acme.routes[1].rule',
    'passed headers: X-User, X-Email @config.yaml:19:5 tenants.acme.headers',
    'passed replay: not used before, and not used up by asking @config.yaml:28:5 tenants.acme.replay',
  ]);
});

interface Refusal {
  readonly url?: string;
  readonly token?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly method?: string;
  readonly step: string;
  readonly reason: string;
  readonly path?: string;
  readonly detail?: RegExp;
  readonly hint?: RegExp;
}

const refusals: Record<string, Refusal> = {
  'an expired token': {
    token: mint({ exp: nowMs / 1000 - 180 }),
    step: 'expiry',
    reason: 'tokenExpired',
    path: 'tenants.acme.clockSkew',
    hint: /^it expired 3 m ago \(now is 2026-11-22T06:33:00Z by this clock; clockSkew is 5 s\)/,
  },
  'a clock that is ahead': {
    token: mint({ nbf: nowMs / 1000 + 40 }),
    step: 'time',
    reason: 'tokenNotYetValid',
    path: 'tenants.acme.clockSkew',
    hint: /the issuer's clock is 40 s ahead of this one .*clockSkew is 5 s/,
  },
  'a time in milliseconds': {
    token: mint({ nbf: nowMs + 100_000 }),
    step: 'time',
    reason: 'tokenNotYetValid',
    hint: /nbf is in milliseconds/,
  },
  'no exp': { token: mint({ exp: undefined }), step: 'time', reason: 'claimRefused', detail: /requireExp/ },
  'another audience': {
    token: mint({ aud: ['web'] }),
    step: 'audience',
    reason: 'claimRefused',
    path: 'tenants.acme.audience',
    detail: /aud is \["web"\], the config wants api or other/,
    hint: /issued for \["web"\]: ask for one for api or other, or add it to audience/,
  },
  'an issuer without its slash': {
    token: mint({ iss: 'https://id.acme.example' }),
    step: 'issuer',
    reason: 'claimRefused',
    path: 'tenants.acme.issuer',
    hint: /slash at the end/,
  },
  'a token of another tenant': {
    token: mintHs256(env.GLOBEX, { claims: { ...good, iss: 'https://id.other.example/' } }),
    step: 'signature',
    reason: 'signatureInvalid',
    path: 'tenants.acme.secret',
    hint: /secret.encoding/,
  },
  'an algorithm that is not accepted': {
    token: mint({}, { alg: 'RS256' }),
    step: 'algorithm',
    reason: 'algorithmRefused',
    path: 'tenants.acme.algorithms',
    detail: /RS256.*accepted: HS256/,
  },
  'a key that is not known': {
    token: mint({}, { kid: 'k9' }),
    step: 'key',
    reason: 'keyUnknown',
    path: 'tenants.acme.secret',
    detail: /"k9" names no key/,
  },
  'a claim': {
    token: mint({ role: 'viewer' }),
    step: 'claim',
    reason: 'claimRefused',
    path: 'tenants.acme.claims.role',
    hint: /^in the token role is "viewer"$/,
  },
  "a route's claim": {
    token: mint({ scope: 'write' }),
    step: 'claim',
    reason: 'claimRefused',
    path: 'tenants.acme.routes[1].claims.scope',
  },
  "a tenant's rule": {
    token: mint({ sub: '' }),
    url: '/acme',
    step: 'rule',
    reason: 'ruleRefused',
    path: 'tenants.acme.rule',
    detail: /the config wants size\(claims\.sub\) > 0/,
    hint: /^in the token sub is ""$/,
  },
  'a binding': {
    token: mint({ org: 'y' }),
    step: 'bind',
    reason: 'bindMismatch',
    path: 'tenants.acme.routes[1].bind.org',
    hint: /^org is "y"; path.id is "x"$/,
  },
  'a token where nobody looks': {
    headers: [['X-Auth', mint()]],
    step: 'token',
    reason: 'tokenMissing',
    path: 'tenants.acme.token',
    hint: /a token stands in the header x-auth, where acme looks for none/,
  },
  'credentials that are no token': {
    headers: [['Authorization', 'Basic am9lOmh1bnRlcjI=']],
    step: 'token',
    reason: 'tokenMissing',
    path: 'tenants.acme.token',
    hint: /^Authorization carries Basic credentials, and no token$/,
  },
  'another scheme': {
    headers: [['Authorization', `Token ${mint()}`]],
    step: 'token',
    reason: 'tokenMissing',
    hint: /the header authorization, scheme Token/,
  },
  'a token in a parameter': {
    url: `/acme/x/orders?access_token=${mint()}`,
    step: 'token',
    reason: 'tokenMissing',
    hint: /the query parameter access_token/,
  },
  'two tokens': {
    headers: [['Cookie', `session=${mint({ sub: 'eve' })}`]],
    token: mint(),
    step: 'token',
    reason: 'tokenAmbiguous',
  },
  'a token that is too long': {
    token: mint({ sub: 'x'.repeat(1000) }),
    step: 'shape',
    reason: 'tokenMalformed',
    path: 'limits.tokenBytes',
    detail: /longer than 1024 bytes/,
  },
  'a path that can be read in two ways': {
    url: '/acme/x//orders',
    token: mint(),
    step: 'path',
    reason: 'requestRefused',
    hint: /normalizePath: true/,
  },
  'no tenant': {
    url: 'http://gate.example/nowhere',
    token: mint(),
    step: 'tenant',
    reason: 'tenantUnknown',
    path: 'tenants',
    hint: /no match of 2 tenants has host "gate.example", path \/nowhere, and the token's kid none, iss "https:\/\/id.acme/,
  },
};

describe('the first ✗ names its place and what to do', () => {
  test.each(Object.entries(refusals))('%s', async (_, { step, reason, path, detail, hint, ...request }) => {
    const { token, url = '/acme/x/orders', ...rest } = request;
    const { ladder } = await ask(url, token, rest);
    expect(ladder).toMatchObject({ verdict: 'refused', reason });
    const last = ladder.steps.at(-1);
    expect(last).toMatchObject({ step, outcome: 'failed' });
    if (path !== undefined) expect(last?.config?.path).toBe(path);
    if (detail !== undefined) expect(last?.detail).toMatch(detail);
    if (hint !== undefined) expect(ladder.hint).toMatch(hint);
  });
});

test('a path in other letters than a route is told from one that normalizePath would mend', async () => {
  const config = `upstream: http://127.0.0.1:3000
tenants:
  acme: {secret: ${secret}, routes: [{path: /admin/**, claims: {role: admin}}]}
`;
  const refused = async (url: string) =>
    (await explained({ 'config.yaml': config }, { url, token: mint() }, nowMs, env)).ladder;
  expect((await refused('/Admin/x')).hint).toMatch(/have the client spell it/);
  expect((await refused('/Admin/x')).steps.at(-1)?.detail).toContain('/admin/** in another letter case alone');
  expect((await refused('/Admin//x')).hint).toMatch(/normalizePath: true/);
});

test('where access is public the token is not looked at, and the ladder says so', async () => {
  const { ladder } = await ask('/acme/public/logo', 'not a token');
  expect(ladder.verdict).toBe('allowed');
  expect(ladder.steps.at(-1)).toMatchObject({
    step: 'token',
    outcome: 'skipped',
    config: { path: 'tenants.acme.routes[0]', line: 21 },
  });
});

test('with mode: report the ladder ends at what would refuse it, and what goes upstream names nobody', async () => {
  const token = mintHs256('x'.repeat(32), { claims: { iss: 'https://id.globex.example/', sub: 'eve', exp } });
  const { ladder, explanation } = await ask('/any', token);
  expect(ladder).toMatchObject({ verdict: 'reported', reason: 'signatureInvalid', tenant: 'globex' });
  expect(ladder.steps.at(-1)).toMatchObject({
    step: 'signature',
    outcome: 'failed',
    config: { file: 'more.yaml', line: 4, path: 'tenants.globex.secret' },
  });
  const names = explanation.upstream?.headers.map(([name]) => name) ?? [];
  expect(names.filter((name) => name.startsWith('X-Jwt'))).toEqual([]);
});

test('the line of the config that is shown holds no secret', async () => {
  const { ladder } = await ask(
    '/acme/x/y',
    mint().replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
  );
  expect(ladder.steps.at(-1)?.config?.excerpt?.text).toMatch(/secret: \{value: \[redacted\]/);
  expect(JSON.stringify(ladder)).not.toContain(secret);
});
