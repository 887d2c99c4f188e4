import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { jwksServer } from '../support/jwks-server.ts';
import { runVerb, type VerbOptions } from '../support/run-verb.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { mintHs256, mintRs256, newRsaKey } from '../support/tokens.ts';

const secret = 's'.repeat(32);
const now = () => Math.floor(Date.now() / 1000);
const good = (claims: object = {}) => mintHs256(secret, { claims: { sub: 'joe', exp: now() + 600, ...claims } });

const text = (more = '') => `upstream: http://127.0.0.1:3000
tenants:
  acme:
    match: {path: /acme/**}
    secret: {env: ACME}
    token: [{header: Authorization, scheme: Bearer}, {header: X-Raw}]
    routes:
      - {path: "/acme/users/{id}", methods: [POST], bind: {sub: body./user}}
${more}`;

async function configAt(content: string): Promise<string> {
  const path = join(newFolder(), 'config.yaml');
  await writeFile(path, content);
  return path;
}

async function explain(config: string, args: readonly string[], options: VerbOptions = {}) {
  const env = { ACME: secret, ...options.env };
  const result = await runVerb(['explain', '-c', config, ...args], { stdin: '', ...options, env });
  return { ...result, ladder: result.stdout.startsWith('{') ? JSON.parse(result.stdout) : undefined };
}

describe('explain', () => {
  test('allows with 0 and shows what the upstream would get, without the token', async () => {
    const token = good();
    const { code, stdout, stderr } = await explain(await configAt(text()), ['/acme/x?q=1', '--token', '-'], {
      stdin: token,
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/✓ signature {3}made with that key {2}\S*config.yaml:5:5\n/);
    expect(stdout).toMatch(/to the upstream http:\/\/127.0.0.1:3000\n {4}GET \/acme\/x\?q=1\n/);
    expect(stdout).toContain('    X-Jwt-Subject: joe\n');
    expect(stdout).toContain('    Authorization: Bearer [redacted]\n');
    expect(stdout).not.toContain(token.split('.')[2]);
  });

  test('refuses with 1, names the line and says what to do', async () => {
    const token = good({ exp: now() - 180 });
    const { code, stdout } = await explain(await configAt(text('    clockSkew: 5s\n')), ['/acme/x', '--token', token]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ expiry {6}its exp has passed/);
    expect(stdout).toMatch(/config.yaml:9:5: tenants.acme.clockSkew\n +9 \| {5}clockSkew: 5s\n +\| {5}\^{9}\n/);
    expect(stdout).toMatch(/= it expired 3 m/);
    expect(stdout).toContain('refused: tokenExpired, status 401 (tenant acme)');
  });

  test('as JSON it tells all the same: steps, claims, the answer', async () => {
    const { code, ladder } = await explain(await configAt(text()), [
      '/acme/x',
      '--json',
      '--token',
      good({ nbf: now() + 99 }),
    ]);
    expect(code).toBe(1);
    expect(ladder).toMatchObject({
      verdict: 'refused',
      reason: 'tokenNotYetValid',
      tenant: 'acme',
      token: { location: 'header:authorization:bearer', signature: 'verified', claims: { sub: 'joe' } },
      answer: { status: 401 },
    });
    expect(ladder.steps.at(-1)).toMatchObject({ step: 'time', outcome: 'failed' });
  });

  test('judges as if it were another time', async () => {
    const config = await configAt(text());
    const token = mintHs256(secret, { claims: { sub: 'joe', exp: Date.parse('2020-01-01T00:00:00Z') / 1000 } });
    expect((await explain(config, ['/acme/x', '--token', token])).code).toBe(1);
    expect((await explain(config, ['/acme/x', '--token', token, '--at', '2019-12-31T23:59:00Z'])).code).toBe(0);
    expect((await explain(config, ['/acme/x', '--token', token, '--at', '2020-01-01'])).code).toBe(2);
  });

  test('takes a curl command, its method, headers and body included, and does not run it', async () => {
    const config = await configAt(text());
    const send = (user: string) =>
      `curl -X POST https://api.example/acme/users/1 -H 'X-Raw: ${good()}' --json '{"user":"${user}"}'`;
    expect((await explain(config, ['--curl', '-'], { stdin: send('joe') })).code).toBe(0);
    const { code, stdout } = await explain(config, ['--curl', send('eve')]);
    expect(code).toBe(1);
    expect(stdout).toContain('= sub is "joe"; body./user is "eve"');
    const refused = await explain(config, ['--curl', `${send('joe')}; touch pwned`]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/--curl: it holds a ; that a shell would act on/);
  });

  test('takes an entry of an HTTP archive', async () => {
    const entry = (path: string) => ({
      request: {
        method: 'GET',
        url: `https://api.example${path}`,
        headers: [{ name: 'authorization', value: `Bearer ${good()}` }],
      },
    });
    const har = join(newFolder(), 'export.har');
    await writeFile(har, JSON.stringify({ log: { entries: [entry('/nowhere'), entry('/acme/x')] } }));
    const config = await configAt(text());
    expect((await explain(config, ['--har', har, '--entry', '1'])).code).toBe(1);
    expect((await explain(config, ['--har', har, '--entry', '2'])).code).toBe(0);
    const all = await explain(config, ['--har', har]);
    expect(all.code).toBe(2);
    expect(all.stderr).toContain('2  GET https://api.example/acme/x');
  });

  test('a token that came by itself goes where its tenant looks for one', async () => {
    const config = await configAt(
      'upstream: http://127.0.0.1:3000\ntenants:\n  a: {match: {kid: a}, secret: {env: ACME, kid: a}, token: [{cookie: session}]}\n',
    );
    const token = mintHs256(secret, { header: { kid: 'a' }, claims: { exp: now() + 60 } });
    const file = join(newFolder(), 'token');
    await writeFile(file, `${token}\n`);
    const { code, stdout } = await explain(config, ['/x', '--token', `@${file}`]);
    expect(stdout).toContain('in the cookie session');
    expect(code).toBe(0);
  });
});

describe('keys of a provider', () => {
  const key = newRsaKey('k1');
  const token = mintRs256(key.privateKey, { header: { kid: 'k1' }, claims: { exp: now() + 600 } });
  const jwk = { ...key.publicJwk, alg: 'RS256', use: 'sig' };
  const tenant = (id: string, url: string) =>
    `  ${id}: {match: {path: "/${id}/**"}, jwks: "${url}", algorithms: [RS256], audience: any}\n`;

  test("are fetched as run would fetch them, and no other tenant's provider is asked", async () => {
    await using provider = await jwksServer([jwk]);
    await using other = await jwksServer([jwk]);
    const config = await configAt(text(tenant('globex', provider.url) + tenant('other', other.url)));
    const { code, stdout } = await explain(config, ['/globex/x', '--token', token]);
    expect(stdout).toMatch(/✓ key {9}"k1", of the set fetched \d+ m?s ago from http:\/\/127.0.0.1:\d+\/jwks/);
    expect(code).toBe(0);
    expect(provider.requests).toHaveLength(1);
    expect(other.requests).toHaveLength(0);
  });

  test('that the set does not have: which it has, and how old it is', async () => {
    await using provider = await jwksServer([{ ...jwk, kid: 'k2' }]);
    const config = await configAt(text(tenant('globex', provider.url)));
    const { code, stdout } = await explain(config, ['/globex/x', '--token', token]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/= the set of http:\/\/127.0.0.1:\d+\/jwks, fetched \d+ s ago, has "k2"/);
    expect(stdout).toMatch(/config.yaml:9:\d+: tenants.globex.jwks\n/);
  });

  test('offline nobody is asked, and a file stands in', async () => {
    await using provider = await jwksServer([jwk]);
    const config = await configAt(text(tenant('globex', provider.url)));
    const file = join(newFolder(), 'keys.json');
    await writeFile(file, JSON.stringify({ keys: [jwk] }));
    const offline = await explain(config, ['/globex/x', '--token', token, '--offline']);
    expect(offline.stdout).toMatch(/keysUnavailable/);
    expect(offline.stdout).toMatch(/not asked \(--offline\)/);
    expect(offline.code).toBe(1);
    expect((await explain(config, ['/globex/x', '--token', token, '--jwks', file])).code).toBe(0);
    expect((await explain(config, ['/globex/x', '--token', token, '--jwks', `${file}.not`])).code).toBe(2);
    expect(provider.requests).toHaveLength(0);
  });
});

test.each<[string, string[]]>([
  ['no request', []],
  ['two requests', ['/x', '--curl', 'curl http://a/']],
  ['a header without a colon', ['/x', '-H', 'nonsense']],
  ['a line break in a header', ['/x', '-H', 'A: b\nC: d']],
  ['a URL of another scheme', ['ftp://a/']],
  ['a method that is none', ['/x', '-X', 'G T']],
  ['an entry without an archive', ['/x', '--entry', '1']],
  ['a file that is not there', ['/x', '--token', '@/nowhere/token']],
  ['stdin twice', ['/x', '--token', '-', '--body', '-']],
])('%s is wrong usage', async (_, args) => {
  const { code, stderr, stdout } = await explain(await configAt(text()), args);
  expect(stderr).toMatch(/^jwtgate: /);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('a config with problems is told as validate does, with 78', async () => {
  const { code, stderr } = await explain(await configAt(text('    audienc: x\n')), ['/acme/x']);
  expect(stderr).toMatch(/config.yaml:9:5: tenants.acme.audienc: unknown key\n(?:.*\n)*.*did you mean "audience"/);
  expect(code).toBe(78);
});
