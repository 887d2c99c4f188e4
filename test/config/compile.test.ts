import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createGate } from '../../src/gate/create-gate.ts';
import type { Allowed, Decision } from '../../src/gate/decision.ts';
import type { RequestHead } from '../../src/gate/request-head.ts';
import type { FetchPolicy } from '../../src/keys/fetch-policy.ts';
import { configFiles, loadSound } from '../support/config-files.ts';
import { mintHs256, newEd25519Key, newRsaKey } from '../support/tokens.ts';
import { keepingCache } from '../support/verdicts.ts';

const strong = 's'.repeat(32);
const env = { SECRET: strong, OTHER: 'o'.repeat(32) };
const one = (tenant: string, top = '') => `upstream: http://127.0.0.1:3000\n${top}\ntenants:\n  acme: ${tenant}\n`;
const acme = async (tenant: string, top?: string) => {
  const { policy } = await loadSound(one(tenant, top), env);
  return policy.tenants.get('acme');
};

describe('what a config leaves out', () => {
  test('is the strict choice', async () => {
    expect(await acme('{secret: {env: SECRET}}')).toMatchObject({
      mode: 'enforce',
      access: 'required',
      algorithms: new Set(['HS256']),
      locations: [{ kind: 'header', name: 'authorization', scheme: 'bearer' }],
      checks: { requireExp: true, clockSkewS: 5, maxAgeS: undefined, issuers: undefined, audiences: undefined },
      forwardToken: undefined,
      normalizePath: false,
      payloadHeader: undefined,
      upstream: { hostHeader: 'preserve', maxConnections: 256, basePath: '' },
    });
  });

  test('of headers is the tenant and the subject', async () => {
    const tenant = await acme('{secret: {env: SECRET}}');
    expect(tenant?.identityHeaders.map(({ name }) => name)).toEqual(['X-Jwt-Tenant', 'X-Jwt-Subject']);
  });

  test('of the issuer is the discovered one, where nothing else brings keys', async () => {
    const discovered = '{discovery: https://id.example, algorithms: [RS256], audience: a}';
    expect((await acme(discovered))?.checks.issuers).toEqual(['https://id.example']);
    const own = '{discovery: https://id.example, issuer: https://x.example, algorithms: [RS256], audience: a}';
    expect((await acme(own))?.checks.issuers).toEqual(['https://x.example']);
  });

  test('of a route is the tenant’s', async () => {
    const tenant = await acme(
      '{secret: {env: SECRET}, access: optional, normalizePath: true, routes: [{path: /a}, {path: /b, access: required, normalizePath: false}]}',
    );
    expect(tenant?.routes).toMatchObject([
      { access: 'optional', normalizePath: true, methods: undefined },
      { access: 'required', normalizePath: false },
    ]);
  });
});

test('audience: any is no audience, and types are compared without "application/"', async () => {
  const checks = (await acme('{secret: {env: SECRET}, audience: any, type: application/AT+JWT}'))?.checks;
  expect(checks).toMatchObject({ audiences: undefined, types: ['at+jwt'] });
});

test('templates merge objects and replace lists and scalars, through two levels', async () => {
  const top = `templates:
  base: {algorithms: [HS256, HS384], claims: {id: required, role: user}, secret: {encoding: utf8}, mode: report}
  child: {template: base, algorithms: [HS256], claims: {role: admin}}`;
  const tenant = await acme('{template: child, secret: {env: SECRET}, mode: enforce, claims: {x: absent}}', top);
  expect(tenant?.algorithms).toEqual(new Set(['HS256']));
  expect(tenant?.mode).toBe('enforce');
  expect(tenant?.claims.map(({ text }) => text)).toEqual(['id: "required"', 'role: "admin"', 'x: "absent"']);
});

test('the top-level errors lie under each tenant’s own', async () => {
  const top =
    'errors: {default: {code: 1}, tokenExpired: {code: 40, status: 403}, body: {c: "${code}", m: "${message}"}}';
  const tenant = await acme('{secret: {env: SECRET}, errors: {tokenExpired: {message: over}}}', top);
  expect(JSON.parse(tenant?.errors.tokenExpired.body('r') ?? '')).toEqual({ c: 40, m: 'over' });
  expect(tenant?.errors.tokenExpired.status).toBe(403);
  expect(JSON.parse(tenant?.errors.tokenMissing.body('r') ?? '')).toMatchObject({ c: 1 });
});

test('a list on the left of bind means any of the claims; in it, and alone, a list is the path of one', async () => {
  const tenant = await acme(`
    secret: {env: SECRET}
    bind:
      [userId, user.id, ["https://x.example/y", id]]: query.a
      ["https://x.example/z"]: query.b
      '["https://x.example/z"].y': query.c`);
  const query = (name: string, value: string) => ({
    head: { headers: [], method: 'GET' },
    query: `${name}=${value}`,
    captures: new Map(),
    host: undefined,
  });
  const [any, dotted, below] = tenant?.binds ?? [];
  expect(any?.test({ user: { id: 7 } }, query('a', '7'))).toBe(true);
  expect(any?.test({ 'https://x.example/y': { id: '7' } }, query('a', '7'))).toBe(true);
  expect(any?.test({ 'https://x.example/y': '7' }, query('a', '7'))).toBe(false);
  expect(dotted?.test({ 'https://x.example/z': 'v' }, query('b', 'v'))).toBe(true);
  expect(below?.test({ 'https://x.example/z': { y: 'v' } }, query('c', 'v'))).toBe(true);
});

describe('upstreams', () => {
  test('that are alike are one object, and those that differ in what a connection needs have keys that differ', async () => {
    const config = `
upstream: http://127.0.0.1:3000/
tenants:
  same: {secret: {env: SECRET}, match: {kid: a}, upstream: {url: "http://127.0.0.1:3000"}}
  default: {secret: {env: SECRET}, match: {kid: b}}
  based: {secret: {env: SECRET}, match: {kid: c}, upstream: http://127.0.0.1:3000/base/}
  socket: {secret: {env: SECRET}, match: {kid: d}, upstream: unix:/run/app.sock}
  tls: {secret: {env: SECRET}, match: {kid: e}, upstream: https://127.0.0.1:3000}
  insecure: {secret: {env: SECRET}, match: {kid: f}, upstream: {url: https://127.0.0.1:3000, tls: {insecure: true}}}
  v6: {secret: {env: SECRET}, match: {kid: g}, upstream: "http://[::1]"}
  h2c: {secret: {env: SECRET}, match: {kid: h}, upstream: h2c://127.0.0.1:3000/base}
  h2: {secret: {env: SECRET}, match: {kid: i}, upstream: {url: https://127.0.0.1:3000, http2: true}}
  h2socket: {secret: {env: SECRET}, match: {kid: j}, upstream: {url: "unix:/run/app.sock", http2: true}}
`;
    const { policy } = await loadSound(config, env);
    const of = (id: string) => policy.tenants.get(id)?.upstream;
    expect(of('same')).toBe(of('default'));
    expect(of('based')).toMatchObject({ basePath: '/base', key: of('default')?.key });
    expect(of('socket')).toMatchObject({ socketPath: '/run/app.sock', host: '', scheme: 'http' });
    expect(of('v6')).toMatchObject({ host: '::1', port: 80 });
    expect(of('tls')).toMatchObject({ scheme: 'https', tls: { insecure: false } });
    expect(of('h2c')).toMatchObject({ scheme: 'http', port: 3000, basePath: '/base', http2: true });
    expect(of('h2')).toMatchObject({ scheme: 'https', http2: true });
    expect(of('h2socket')).toMatchObject({ socketPath: '/run/app.sock', http2: true });
    expect(of('default')?.http2).toBe(false);
    const keys = ['default', 'socket', 'tls', 'insecure', 'v6', 'h2c', 'h2', 'h2socket'].map((id) => of(id)?.key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('a fingerprint', () => {
  const fingerprint = async (tenant: string) => (await acme(tenant))?.fingerprint;

  test('is the same for the same keys and algorithms, whatever else changes', async () => {
    const before = await fingerprint('{secret: {env: SECRET}}');
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(await fingerprint('{secret: {env: SECRET}, mode: report, clockSkew: 1m, claims: {id: required}}')).toBe(
      before,
    );
  });

  test.each([
    '{secret: {env: OTHER}}',
    '{secret: {env: SECRET, kid: a}}',
    '{secret: {env: SECRET}, kid: optional}',
    '{secret: {env: SECRET}, algorithms: [HS384], allowWeakSecret: true}',
    '{secret: [{env: SECRET, kid: a}, {env: OTHER, kid: b}]}',
  ])('differs for %s', async (tenant) => {
    expect(await fingerprint(tenant)).not.toBe(await fingerprint('{secret: {env: SECRET}}'));
  });

  test('differs between tenants with the same secret', async () => {
    const config =
      'upstream: http://a\ntenants: {a: {secret: {env: SECRET}, match: {kid: a}}, b: {secret: {env: SECRET}, match: {kid: a2}}}';
    const { policy } = await loadSound(config, env);
    expect(policy.tenants.get('a')?.fingerprint).not.toBe(policy.tenants.get('b')?.fingerprint);
  });
});

describe('the hash of a config', () => {
  const hash = async (config: string, variables = env) => (await loadSound(config, variables)).policy.hash;

  test('is the same for the same config, however it is written', async () => {
    const config = one('{secret: {env: SECRET}}');
    expect(await hash(config)).toMatch(/^[0-9a-f]{64}$/);
    expect(
      await hash(`# a comment\n${config.replace('{secret: {env: SECRET}}', '\n    secret:\n      env: "SECRET"')}`),
    ).toBe(await hash(config));
  });

  test('differs when a variable that the config names does', async () => {
    const config = one('{secret: {env: SECRET}, issuer: "${OTHER}"}');
    const before = await hash(config);
    expect(await hash(config, { ...env, SECRET: 'n'.repeat(32) })).not.toBe(before);
    expect(await hash(config, { ...env, OTHER: 'new' })).not.toBe(before);
    expect(await hash(config, { ...env, UNUSED: 'new' } as typeof env)).toBe(before);
  });

  test('and the digest of each tenant tell what a reload changed', async () => {
    const config = (audience: string) =>
      `upstream: http://a\ntenants: {a: {secret: {env: SECRET}, match: {kid: a}}, b: {secret: {env: SECRET}, match: {kid: b}, audience: ${audience}}}`;
    const [before, after] = [await loadSound(config('x'), env), await loadSound(config('y'), env)];
    expect(after.policy.hash).not.toBe(before.policy.hash);
    expect(after.tenantHashes.get('a')).toBe(before.tenantHashes.get('a'));
    expect(after.tenantHashes.get('b')).not.toBe(before.tenantHashes.get('b'));
  });
});

test('a policy cannot be changed', async () => {
  const { policy } = await loadSound(one('{secret: {env: SECRET}, routes: [{path: /a, claims: {x: 1}}]}'), env);
  const tenant = policy.tenants.get('acme');
  const parts = [
    policy,
    policy.limits,
    policy.timeouts,
    tenant,
    tenant?.upstream,
    tenant?.routes,
    tenant?.routes[0],
    tenant?.checks,
    tenant?.errors.tokenExpired,
    tenant?.identityHeaders[0]?.template.parts,
  ];
  expect(parts.filter((part) => !Object.isFrozen(part))).toEqual([]);
});

describe('remote keys', () => {
  const remote = (more = '') =>
    one(
      `{jwks: {url: https://id.example/keys, refresh: 2m, headers: {X-Key: k}}, algorithms: [RS256], audience: a${more}}`,
    );

  function leasing() {
    const taken: { url: string; policy: FetchPolicy }[] = [];
    let released = 0;
    const acquire = ({ url }: { url: string }, policy: FetchPolicy) => {
      taken.push({ url, policy });
      return { id: url, source: { current: () => [] }, status: () => ({}) as never, release: () => void released++ };
    };
    return { keySources: { acquire }, taken, released: () => released };
  }

  test('are held once the whole config is sound, and let go with it', async () => {
    const { keySources, taken, released } = leasing();
    const loaded = await loadConfig('config.yaml', { ...configFiles({ 'config.yaml': remote() }), keySources });
    if (!loaded.ok) throw new Error('refused');
    expect(taken).toMatchObject([
      {
        url: 'https://id.example/keys',
        policy: { refreshMs: 120_000, timeoutMs: 5000, headers: { 'X-Key': 'k' }, insecure: false },
      },
    ]);
    expect(released()).toBe(0);
    loaded.release();
    expect(released()).toBe(1);
  });

  test('are not asked for by a config that is refused', async () => {
    const { keySources, taken } = leasing();
    const config = remote(', claims: {x: {matches: "("}}');
    const loaded = await loadConfig('config.yaml', { ...configFiles({ 'config.yaml': config }), keySources });
    expect(loaded.ok).toBe(false);
    expect(taken).toEqual([]);
  });
});

describe('a loaded config judges requests', () => {
  const { publicPem } = newRsaKey();
  const ed = newEd25519Key();
  const nowMs = 1_700_000_000_000;
  const exp = nowMs / 1000 + 60;

  async function decideWith(config: string, token: string, target = '/x', headers: string[] = []): Promise<Decision> {
    const { policy } = await loadSound(config, env);
    const gate = createGate({
      policy,
      verdicts: keepingCache({ entries: 10, bytes: 100_000 }),
      now: () => nowMs,
      newRequestId: () => 'r-1',
      onFinish: () => {},
    });
    const head: RequestHead = {
      id: 'r-1',
      method: 'GET',
      target,
      httpVersion: '1.1',
      headers: ['Host', 'api.example', 'Authorization', `Bearer ${token}`, ...headers],
      scheme: 'http',
      peer: '127.0.0.1',
    };
    return gate.decide(head, { read: async () => ({ kind: 'read', bytes: new Uint8Array() }) });
  }

  test('with a secret, a path that names the tenant, and its claims as headers', async () => {
    const config = `
upstream: http://127.0.0.1:3000/base
tenants:
  acme:
    secret: {env: SECRET}
    match: {path: "/\${tenant}/{user}/**"}
    bind: {sub: path.user}
    headers: {X-Who: "\${tenant}/\${claims.sub}"}
`;
    const token = mintHs256(strong, { claims: { sub: 'u1', exp } });
    const allowed = (await decideWith(config, token, '/acme/u1/x', ['x_who', 'root'])) as Allowed;
    expect(allowed).toMatchObject({ kind: 'allowed', target: '/base/acme/u1/x' });
    const { headers } = allowed;
    expect(headers.filter((_, index) => index % 2 === 0 && /who/i.test(headers[index] as string))).toEqual(['X-Who']);
    expect(headers[headers.indexOf('X-Who') + 1]).toBe('acme/u1');
    expect(await decideWith(config, token, '/acme/u2/x')).toMatchObject({ kind: 'refused', reason: 'bindMismatch' });
    expect(await decideWith(config, token, '/other/u1/x')).toMatchObject({ kind: 'refused', reason: 'tenantUnknown' });
  });

  test('a kid that names the tenant names its nameless secret, too', async () => {
    const config = `
upstream: http://127.0.0.1:3000
tenants:
  acme: {secret: {env: SECRET}, match: {kid: 1}}
  globex: {secret: {env: OTHER}, match: [{kid: 2}, {kid: two}]}
`;
    const token = (secret: string, kid: unknown) => mintHs256(secret, { header: { kid }, claims: { sub: 'a', exp } });
    expect(await decideWith(config, token(strong, 1))).toMatchObject({ kind: 'allowed', tenant: { id: 'acme' } });
    expect(await decideWith(config, token(env.OTHER, 'two'))).toMatchObject({
      kind: 'allowed',
      tenant: { id: 'globex' },
    });
    expect(await decideWith(config, token(strong, 2))).toMatchObject({ kind: 'refused', reason: 'signatureInvalid' });
    expect(await decideWith(config, token(strong, 3))).toMatchObject({ kind: 'refused', reason: 'tenantUnknown' });
  });

  test('a secret is no match for a tenant of public keys, whatever the token says of its algorithm', async () => {
    const config = JSON.stringify({
      upstream: 'http://127.0.0.1:3000',
      tenants: {
        acme: {
          keys: [
            { pem: publicPem, kid: 'a' },
            { ...ed.publicJwk, kid: 'b' },
          ],
          algorithms: ['RS256', 'EdDSA'],
        },
      },
    });
    const confused = mintHs256(publicPem, { header: { kid: 'a' }, claims: { sub: 'a', exp } });
    expect(await decideWith(config, confused)).toMatchObject({ kind: 'refused', reason: 'algorithmRefused' });
  });
});
