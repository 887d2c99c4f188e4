import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testConfigs } from '../../src/cli/test.ts';
import { fixtureSchemaText } from '../../src/fixtures/schema.ts';
import { runVerb } from '../support/run-verb.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { mintHs256, mintRs256, newRsaKey } from '../support/tokens.ts';

const config = `upstream: http://127.0.0.1:3000
tenants:
  acme:
    match: {path: /acme/**}
    secret: {env: ACME}
    audience: api
    headers: {X-User-Id: "\${claims.sub}"}
    claims: {role: required}
  globex:
    match: {path: /globex/**}
    jwks: https://id.globex.example/jwks.json
    algorithms: [RS256, ES256]
    audience: api
    issuer: https://id.globex.example/
`;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a file of tests beside this config, in this process. */
async function run(
  tests: string,
  options: Parameters<typeof testConfigs>[1] = {},
  files: Record<string, string> = {},
): Promise<Ran> {
  const folder = newFolder();
  for (const [name, text] of Object.entries({ 'config.yaml': config, 'jwtgate.test.yaml': tests, ...files })) {
    await writeFile(join(folder, name), text);
  }
  let [stdout, stderr] = ['', ''];
  const io = {
    stdin: process.stdin,
    stdout: (text: string) => {
      stdout += text;
    },
    stderr: (text: string) => {
      stderr += text;
    },
    env: {},
  };
  const code = await testConfigs([join(folder, 'jwtgate.test.yaml')], options, io);
  return { code, stdout, stderr };
}

const one = (more: string) => `tests:\n  - name: it\n    request: GET /acme/x\n${more}`;

describe('the tests of the examples', () => {
  const files = globSync('examples/*.test.yaml', { cwd: resolve(import.meta.dirname, '../..') });

  test('are there', () => {
    expect(files.length).toBeGreaterThanOrEqual(3);
  });

  test.each(files)('%s passes', async (file) => {
    const { code, stdout, stderr } = await runVerb(['test', resolve(import.meta.dirname, '../..', file)]);
    expect(stderr).toBe('');
    expect(stdout).not.toContain('✗');
    expect(code).toBe(0);
  });
});

describe('a test passes', () => {
  test.each<[string, string]>([
    [
      'by a good token of its tenant',
      '    token: {claims: {role: a}}\n    expect: {headers: {x-user-id: test-subject}}',
    ],
    [
      'with claims of its own',
      '    token: {claims: {role: a, sub: joe}}\n    expect: {headers: {X-User-Id: [joe]}, tenant: acme}',
    ],
    ['by the reason for which it is refused', '    token: {}\n    expect: claimRefused'],
    ['where a claim is left out', '    token: {claims: {role: a, aud: null}}\n    expect: claimRefused'],
    ['where a time counts from its own', '    token: {claims: {role: a, exp: -6s}}\n    expect: tokenExpired'],
    ['within the clock skew', '    token: {claims: {role: a, exp: -4s}}\n    expect: allowed'],
    ['with a nbf to come', '    token: {claims: {role: a, nbf: +1h}}\n    expect: tokenNotYetValid'],
    ['where nobody signed it', '    token: {signedBy: nobody, claims: {role: a}}\n    expect: signatureInvalid'],
    [
      "where another tenant's key did",
      '    token: {signedBy: globex, claims: {role: a}}\n    expect: signatureInvalid',
    ],
    ['without a token', '    expect: {reason: tokenMissing, status: 401, body: {reason: tokenMissing}}'],
  ])('%s', async (_, more) => {
    const { code, stdout, stderr } = await run(one(more));
    expect(stdout + stderr).toBe('  ✓ it\n\n  1 of 1 passed\n');
    expect(code).toBe(0);
  });

  test('with keys of a provider that nobody asks, in each of its algorithms', async () => {
    const tests = ['RS256', 'ES256'].map(
      (algorithm) =>
        `  - {name: ${algorithm}, request: GET /globex/x, token: {algorithm: ${algorithm}}, expect: allowed}\n`,
    );
    expect(await run(`tests:\n${tests.join('')}`)).toMatchObject({ code: 0 });
  });

  test('at a time of its own', async () => {
    const token = mintHs256('s'.repeat(32), { claims: { role: 'a', aud: 'api', exp: 1_000_000_000 } });
    const more = `    at: 2001-09-09T01:46:00Z\n    token: {raw: ${token}}\n    expect: allowed`;
    expect(await run(`env: {ACME: ${'s'.repeat(32)}}\n${one(more)}`)).toMatchObject({ code: 0 });
  });

  test('with a real token and the keys that a JWK set stands in for', async () => {
    const key = newRsaKey('k1');
    const token = mintRs256(key.privateKey, {
      header: { kid: 'k1' },
      claims: { iss: 'https://id.globex.example/', aud: 'api', exp: 2_000_000_000 },
    });
    const files = { 'token.txt': `${token}\n`, 'keys.json': JSON.stringify({ keys: [key.publicJwk] }) };
    const tests = (jwks: string, expected: string) =>
      `env: {ACME: ${'s'.repeat(32)}}\n${jwks}tests: [{name: it, request: GET /globex/x, token: {file: token.txt}, expect: ${expected}}]\n`;
    expect(await run(tests('jwks: keys.json\n', 'allowed'), {}, files)).toMatchObject({ code: 0 });
    expect(await run(tests('', 'keysUnavailable'), {}, files)).toMatchObject({ code: 0 });
  });

  test('where files of the config stand in the file of tests', async () => {
    const withFile = config.replace(
      'audience: api\n    headers',
      'audience: api\n    basic: {user: u, password: {file: pw}}\n    headers',
    );
    const more = '    token: {claims: {role: a}}\n    expect: {headers: {X-Jwt-Auth: token}}';
    expect(await run(one(more), {}, { 'config.yaml': withFile })).toMatchObject({ code: 78 });
    expect(await run(`files: {pw: a-password}\n${one(more)}`, {}, { 'config.yaml': withFile })).toMatchObject({
      code: 0,
    });
  });
});

describe('a test fails', () => {
  test('with what was expected, what came, where it stands, and why', async () => {
    const { code, stdout } = await run(
      one('    token: {claims: {role: a, exp: -3m}}\n    expect: {headers: {X-User-Id: joe}}'),
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ it {2}\S*jwtgate.test.yaml:2:5\n/);
    expect(stdout).toContain('      verdict\n        - "allowed"\n        + "refused"\n');
    expect(stdout).toContain('      reason\n        - (none)\n        + "tokenExpired"\n');
    expect(stdout).toContain('      header X-User-Id\n        - "joe"\n        + (none)\n');
    expect(stdout).toMatch(/✗ expiry .*\n.*= it expired 3 m ago/);
    expect(stdout).toContain('0 of 1 passed');
  });

  test.each<[string, string, RegExp]>([
    ['another reason', '    expect: tokenExpired', /reason\n +- "tokenExpired"\n +\+ "tokenMissing"/],
    ['another status', '    expect: {reason: tokenMissing, status: 403}', /status\n +- 403\n +\+ 401/],
    ['another tenant', '    expect: {reason: tokenMissing, tenant: globex}', /tenant\n +- "globex"\n +\+ "acme"/],
    ['another body', '    expect: {reason: tokenMissing, body: {code: 1}}', /body\n +- {"code":1}\n +\+ {"type"/],
    [
      'a header that is not to be there',
      '    token: {claims: {role: a}}\n    expect: {headers: {X-User-Id: null}}',
      /- \(none\)\n +\+ "test-subject"/,
    ],
    ['another target', '    token: {claims: {role: a}}\n    expect: {target: /x}', /- "\/x"\n +\+ "\/acme\/x"/],
    ['a tenant that is not there', '    token: {tenant: nobody}\n    expect: allowed', /there is no tenant nobody/],
    ['an algorithm that is none', '    token: {algorithm: HS1}\n    expect: allowed', /HS1 is no algorithm/],
    ['a token that nobody can read', '    token: {file: nowhere}\n    expect: allowed', /nowhere can't be read/],
  ])('for %s', async (_, more, expected) => {
    const { code, stdout } = await run(`env: {ACME: ${'s'.repeat(32)}}\n${one(more)}`);
    expect(stdout).toMatch(expected);
    expect(code).toBe(1);
  });

  test('where it does not say whose token it means', async () => {
    const { code, stdout } = await run('tests: [{name: it, request: GET /, token: {}, expect: allowed}]');
    expect(stdout).toContain('does not say whose token');
    expect(code).toBe(1);
  });

  test('and shows no signature of a token', async () => {
    const token = mintHs256('s'.repeat(32), { claims: { role: 'a', aud: 'api', exp: 2_000_000_000 } });
    const more = `    token: {raw: ${token}}\n    expect: {headers: {Authorization: null}}`;
    const { code, stdout } = await run(`env: {ACME: ${'s'.repeat(32)}}\n${one(more)}`, {});
    expect(code).toBe(1);
    expect(stdout).toContain('+ "Bearer [redacted]"');
    expect(stdout).not.toContain(token.split('.')[2]);
  });
});

describe('a file of tests', () => {
  test.each<[string, string, RegExp]>([
    ['a mistyped key', one('    expct: allowed'), /:4:5: tests\[0\].expct: unknown key[^§]*did you mean "expect"/],
    ['a reason that is none', one('    expect: tokenExpird'), /tests\[0\].expect: must be[^§]*\^+/],
    ['a missing expectation', one(''), /tests\[0\].expect: (?:is missing|must be)/],
    [
      'a request that is none',
      'tests: [{name: a, request: x, expect: allowed}]',
      /request: must be such as GET \/path/,
    ],
    ['no tests', 'config: config.yaml', /there are no tests/],
    ['a list', '[]', /must be an object/],
    ['broken YAML', 'tests: [', /jwtgate.test.yaml:\d+:\d+/],
    [
      'a real token with two sources',
      one('    token: {raw: a, file: b}\n    expect: allowed'),
      /must have only one of raw and file/,
    ],
    [
      'claims beside a real token',
      one('    token: {raw: a, claims: {}}\n    expect: allowed'),
      /claims: does not go with a real token/,
    ],
    ['a time without a zone', `at: 2026-01-01\n${one('    expect: allowed')}`, /:1:5: at: must be a time/],
  ])('with %s is told with its place, as a config is', async (_, tests, expected) => {
    const { code, stderr } = await run(tests);
    expect(stderr.replaceAll('§', '')).toMatch(expected);
    expect(code).toBe(78);
  });

  test('that is not there', async () => {
    const { code, stderr } = await runVerb(['test', join(newFolder(), 'none.yaml')]);
    expect(stderr).toContain('there is no such file');
    expect(code).toBe(78);
  });

  test('whose config has problems is told so', async () => {
    const { code, stderr } = await run(one('    expect: allowed'), {}, { 'config.yaml': `${config}listn: x\n` });
    expect(stderr).toMatch(/config.yaml:15:1: listn: unknown key/);
    expect(code).toBe(78);
  });

  test('may have tests picked by name', async () => {
    const tests =
      'tests:\n  - {name: a one, request: GET /acme/x, expect: tokenMissing}\n  - {name: b two, request: GET /acme/x, expect: allowed}\n';
    expect(await run(tests, { run: 'a one' })).toMatchObject({ code: 0, stdout: expect.stringContaining('1 of 1') });
    expect(await run(tests, { run: 'c' })).toMatchObject({ code: 2 });
  });

  test('has a JSON Schema, in which every key is described', () => {
    const path = resolve(import.meta.dirname, '../../tests.schema.json');
    if (process.env.UPDATE_CASES === '1') writeFileSync(path, fixtureSchemaText());
    expect(readFileSync(path, 'utf8')).toBe(fixtureSchemaText());
    const described = (schema: unknown): void => {
      if (typeof schema !== 'object' || schema === null) return;
      const { properties = {} } = schema as { properties?: Record<string, { description?: string }> };
      for (const [name, property] of Object.entries(properties))
        expect(property.description, name).toEqual(expect.any(String));
      Object.values(schema).forEach(described);
    };
    described(JSON.parse(fixtureSchemaText()));
  });
});

test('what docs/testing-a-config.md shows passes', async () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/testing-a-config.md'), 'utf8');
  const [shown = '', tests = ''] = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text]) => text as string);
  const { code, stdout } = await run(tests, {}, { 'config.yaml': shown });
  expect(stdout).toContain('7 of 7 passed');
  expect(code).toBe(0);
});

describe('for machines', () => {
  const tests =
    'tests:\n  - {name: good, request: GET /acme/x, expect: tokenMissing}\n  - {name: "bad <&\\">", request: GET /acme/x, expect: allowed}\n';

  test('as JSON', async () => {
    const { code, stdout } = await run(tests, { json: true });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      passed: 1,
      failed: 1,
      tests: [
        { name: 'good', passed: true, line: 2, differences: [] },
        {
          passed: false,
          line: 3,
          differences: [{ of: 'verdict', expected: 'allowed', actual: 'refused' }, { of: 'reason' }],
        },
      ],
    });
  });

  test("as JUnit's XML", async () => {
    const { code, stdout } = await run(tests, { junit: true });
    expect(code).toBe(1);
    expect(stdout).toMatch(/<testsuite name="\S+jwtgate.test.yaml" tests="2" failures="1">/);
    expect(stdout).toContain('name="bad &lt;&amp;&quot;&gt;"');
    expect(stdout).toContain('<failure message="verdict: expected &quot;allowed&quot;, got &quot;refused&quot;">');
  });
});

describe('requests that follow', () => {
  const once = config
    .replace('audience: api', 'audience: api\n    replay: {claim: jti, store: "redis://127.0.0.1:1/0"}')
    .replace(
      'upstream: http://127.0.0.1:3000',
      'upstream: {url: "http://127.0.0.1:3000", rate: {limit: 2/m, burst: 2}}',
    );
  const token = '    token: {claims: {role: a}}\n    expect: allowed\n';
  const follow = (then: string, more = '') =>
    run(one(`${token}    then: ${then}\n`) + more, {}, { 'config.yaml': once });

  test.each([
    ['the same token is refused the second time, and every time', '[{times: 3, expect: tokenReplayed}]'],
    ['another token is not', '[{token: {claims: {role: a, jti: other}}, expect: allowed}]'],
    [
      'one that was refused for something else is not used',
      '[{token: {claims: {jti: b}}, expect: claimRefused}, {token: {claims: {jti: b, role: a}}, expect: allowed}]',
    ],
    [
      'another request with it is refused as well',
      '[{request: POST /acme/other, expect: {reason: tokenReplayed, status: 401}}]',
    ],
    ['once it has expired it is refused for that', '[{after: 10m, expect: tokenExpired}]'],
    [
      'a rate lets its burst through, and one more when its time has come',
      '[{token: {claims: {role: a, jti: b}}, expect: allowed}, {token: {claims: {role: a, jti: c}}, expect: {reason: requestRefused, status: 429, headers: {Retry-After: 30}}}, {after: 30s, token: {claims: {role: a, jti: d}}, expect: allowed}]',
    ],
  ])('%s', async (_what, then) => {
    expect(await follow(then)).toMatchObject({ code: 0, stdout: '  ✓ it\n\n  1 of 1 passed\n' });
  });

  test('what one test used up the next has again', async () => {
    const { code, stdout } = await follow('[]', `  - name: next\n    request: GET /acme/x\n${token}`);
    expect([code, stdout]).toEqual([0, '  ✓ it\n  ✓ next\n\n  2 of 2 passed\n']);
  });

  test('the first of which something else becomes is named, and its steps are shown', async () => {
    const { code, stdout } = await follow('[{times: 2, expect: tokenReplayed}, {times: 2, expect: allowed}]');
    expect(code).toBe(1);
    expect(stdout).toContain('then[1], time 1 of 2: verdict\n        - "allowed"\n        + "refused"\n');
    expect(stdout).toMatch(/✗ replay .*used before/);
  });

  test.each([
    ['{expect: allowed}', 'tests[0].then'],
    ['[{times: 0, expect: allowed}]', 'must be a whole number from 1 to 1000'],
    ['[{times: 2}]', 'tests[0].then[0].expect'],
    ['[{after: soon, expect: allowed}]', 'must be a duration'],
  ])('%s is refused as the config would be', async (then, says) => {
    const { code, stderr } = await follow(then);
    expect(code).toBe(78);
    expect(stderr).toContain(says);
  });
});

test('no rehearsal but that of a test takes effect: explaining uses no token and takes no share', () => {
  const root = resolve(import.meta.dirname, '../../src');
  const givers = globSync('**/*.ts', { cwd: root }).filter(
    (file) =>
      !file.startsWith('gate/') && /(?:replay: 'use'|rate: 'take')/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(givers).toEqual(['fixtures/run-fixtures.ts']);
});

test('keys that stand in for real ones can be given to the loader by the tests of a config alone', () => {
  const root = resolve(import.meta.dirname, '../../src');
  const users = globSync('**/*.ts', { cwd: root }).filter((file) =>
    /standInKeys|createMadeUpKeys/.test(readFileSync(join(root, file), 'utf8')),
  );
  const folders = new Set(users.map((file) => dirname(file)));
  expect([...folders].sort()).toEqual(['config', 'fixtures']);
  const givers = users.filter((file) => /standInKeys:/.test(readFileSync(join(root, file), 'utf8')));
  expect(givers.filter((file) => !file.startsWith('config/'))).toEqual(['fixtures/run-fixtures.ts']);
  const importers = globSync('**/*.ts', { cwd: root }).filter((file) =>
    /from '.*fixtures\//.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(importers).toEqual(['cli/test.ts']);
});
