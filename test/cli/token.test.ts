import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explainRequest } from '../../src/cli/explain.ts';
import { addTokenVerbs } from '../../src/cli/token.ts';
import { keyPair } from '../support/key-pairs.ts';
import { runVerb, type VerbOptions, type VerbResult } from '../support/run-verb.ts';
import { partsOf } from '../support/signing.ts';
import { mintHs256 } from '../support/tokens.ts';

const rsa = keyPair('RS256');
const ec = keyPair('ES384');
const secret = 'a secret of forty bytes, give or take one';
let dir: string;
const file = (name: string) => join(dir, name);

/** As `jwtgate token …`, without a process of its own. */
async function token(args: readonly string[], { stdin = '', env = {} }: VerbOptions = {}): Promise<VerbResult> {
  const result = { code: 0, stdout: '', stderr: '' };
  const stdout = (text: string) => {
    result.stdout += text;
  };
  const stderr = (text: string) => {
    result.stderr += text;
  };
  async function* read() {
    yield Buffer.from(stdin);
  }
  const program = new Command('jwtgate').exitOverride().configureOutput({ writeOut: stdout, writeErr: stderr });
  const finish = (code: number) => {
    result.code = code;
  };
  addTokenVerbs(program, finish, { stdin: read(), stdout, stderr, env });
  await program.parseAsync(['token', ...args], { from: 'user' }).catch((error: unknown) => {
    if (!(error instanceof CommanderError)) throw error;
    result.code = error.exitCode === 0 ? 0 : 2;
  });
  return result;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'jwtgate-token-'));
  await writeFile(file('secret'), `${secret}\n`);
  await writeFile(file('short'), 'short');
  await writeFile(file('base64'), Buffer.from(secret).toString('base64'));
  await writeFile(file('rsa.pem'), rsa.privatePem);
  await writeFile(file('ec.pem'), ec.privatePem);
  await writeFile(file('public.pem'), rsa.publicPem);
  await writeFile(file('config.yaml'), config);
  await writeFile(file('two.yaml'), twoTenants);
  await writeFile(file('strict.yaml'), strict);
  await writeFile(file('matched.yaml'), matched);
  await writeFile(file('revoked'), 'jti stolen\n');
  await writeFile(file('broken.yaml'), 'tenants: {acme: {secrett: x}}\n');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const config = `
upstream: http://127.0.0.1:1
tenants:
  acme:
    secret: {file: secret}
    algorithms: [HS256]
    audience: us
    claims: {role: {oneOf: [admin]}}
`;
const twoTenants = `
upstream: http://127.0.0.1:1
templates: {shared: {secret: {file: secret}, algorithms: [HS256]}}
tenants:
  acme: {template: shared, match: {issuer: acme}, token: {query: jwt}}
  globex: {template: shared, match: {issuer: globex}}
`;

/** One tenant that a request of any kind has, and all that can refuse a token without looking at the request. */
const strict = `
upstream: http://127.0.0.1:1
tenants:
  acme:
    secret: {file: secret}
    algorithms: [HS256]
    audience: us
    type: at+jwt
    maxAge: 1h
    claims: {role: {oneOf: [admin, editor]}}
    rule: claims.role == "admin" || token.header.typ == "at+jwt" && claims.level > 3
    headers: {X-User: "\${claims.sub}"}
    revoked: {file: revoked}
    replay: {claim: jti}
`;
const matched = `
upstream: http://127.0.0.1:1
tenants:
  acme: {secret: {file: secret}, algorithms: [HS256], match: [{host: a.example, issuer: acme}, {path: /b/**, kid: "7"}]}
  public: {secret: {file: secret}, algorithms: [HS256], match: {path: /p/**}, access: public, mode: report}
  bound:
    secret: {file: secret}
    algorithms: [HS256]
    match: {path: /x/**}
    bind: {sub: query.user}
    rule: request.method == "POST"
    routes: [{path: /x/**, claims: {role: required}}]
`;

describe('token sign', () => {
  test('signs the claims on stdin, and prints the token alone', async () => {
    const { code, stdout, stderr } = await token(['sign', '--secret-file', file('secret')], {
      stdin: '{"sub": "u1", "roles": ["a", "b"]}',
    });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { payload, protectedHeader } = await jwtVerify(stdout.trim(), Buffer.from(secret), { maxTokenAge: '10s' });
    expect(protectedHeader).toEqual({ typ: 'JWT', alg: 'HS256' });
    expect(payload).toMatchObject({ sub: 'u1', roles: ['a', 'b'] });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);
  });

  test('takes claims and header members from the command line, and then leaves stdin alone', async () => {
    const args = ['--claim', 'sub=u1', '--claim', 'n=7', '--claim', 'id="7"', '--claim', 'a.b=x=y', '--claim', 'none='];
    const { code, stdout } = await token(
      ['sign', '--secret-env', 'S', ...args, '--kid', '1', '--header', 'iss=acme', '--expires', '1h30m'],
      { env: { S: secret } },
    );
    expect(code).toBe(0);
    const { header, payload } = partsOf(stdout.trim());
    expect(header).toEqual({ typ: 'JWT', iss: 'acme', alg: 'HS256', kid: '1' });
    expect(payload).toMatchObject({ sub: 'u1', n: 7, id: '7', 'a.b': 'x=y', none: '' });
    expect(Number(payload.exp) - Number(payload.iat)).toBe(5400);
  });

  test('takes both with "-"', async () => {
    const { stdout } = await token(['sign', '--secret-file', file('secret'), '--claim', 'sub=u2', '-'], {
      stdin: '{"sub": "u1", "iss": "us"}',
    });
    expect(partsOf(stdout.trim()).payload).toMatchObject({ sub: 'u2', iss: 'us' });
  });

  test.each([
    ['rsa.pem', [], 'RS256'],
    ['rsa.pem', ['--alg', 'PS512'], 'PS512'],
    ['ec.pem', [], 'ES384'],
  ])('%s %j is signed by %s', async (name, args, alg) => {
    const { stdout } = await token(['sign', '--key-file', file(name), ...args, '--claim', 'sub=u1']);
    const { publicKey } = alg === 'ES384' ? ec : rsa;
    expect((await jwtVerify(stdout.trim(), publicKey)).protectedHeader).toEqual({ typ: 'JWT', alg });
  });

  test('a private key may come from the environment, with \\n for line breaks', async () => {
    const env = { KEY: rsa.privatePem.trim().replaceAll('\n', '\\n') };
    const { code, stdout } = await token(['sign', '--key-env', 'KEY', '--claim', 'sub=u1'], { env });
    expect(code).toBe(0);
    await expect(jwtVerify(stdout.trim(), rsa.publicKey)).resolves.toBeDefined();
  });

  test('the secret may be encoded', async () => {
    const args = ['--secret-file', file('base64'), '--secret-encoding', 'base64', '--claim', 'sub=u1'];
    const { stdout } = await token(['sign', ...args]);
    await expect(jwtVerify(stdout.trim(), Buffer.from(secret))).resolves.toBeDefined();
  });

  test('a number keeps all its digits', async () => {
    const { stdout } = await token(['sign', '--secret-file', file('secret'), '--expires', 'never'], {
      stdin: '{"id": 12345678901234567890, "iat": 1, "f": 1.10}',
    });
    const payload = Buffer.from(stdout.split('.')[1] as string, 'base64url').toString();
    expect(payload).toBe('{"iat":1,"id":12345678901234567890,"f":1.10}');
  });

  test.each<[string, string[], number, string]>([
    ['a secret on the command line', ['--secret', 'abc'], 2, 'shell history'],
    ['a token or claims as an argument', ['{}', '--secret-file', 'secret'], 2, 'on stdin'],
    ['no key', ['--claim', 'a=b'], 2, 'give one of --secret-file'],
    ['two keys', ['--secret-file', 'secret', '--key-file', 'rsa.pem', '--claim', 'a=b'], 2, 'give one of'],
    ['a claim without a value', ['--secret-file', 'secret', '--claim', 'sub'], 2, 'name=value'],
    ['a header that is ours', ['--secret-file', 'secret', '--header', 'alg=none', '--claim', 'a=b'], 2, 'alg follows'],
    ['no such duration', ['--secret-file', 'secret', '--claim', 'a=b', '--expires', 'soon'], 2, '--expires'],
    ['exp twice', ['--secret-file', 'secret', '--claim', 'exp=1', '--expires', '5m'], 2, 'exp already'],
    ['no such encoding', ['--secret-file', 'secret', '--secret-encoding', 'rot13', '--claim', 'a=b'], 2, 'base64url'],
    ['an unknown option', ['--sceret-file', 'secret'], 2, '--secret-file'],
    ['a short secret', ['--secret-file', 'short', '--claim', 'a=b'], 1, 'HS256 needs 32'],
    [
      'a secret that is not encoded so',
      ['--secret-file', 'secret', '--secret-encoding', 'hex', '--claim', 'a=b'],
      1,
      'hex',
    ],
    ['a public key', ['--key-file', 'public.pem', '--claim', 'a=b'], 1, 'this is a public key'],
    ['an algorithm for another key', ['--key-file', 'rsa.pem', '--alg', 'ES256', '--claim', 'a=b'], 1, 'RS256'],
    ['a file that is not there', ['--key-file', 'nowhere', '--claim', 'a=b'], 1, 'ENOENT'],
    ['a variable that is not set', ['--secret-env', 'NOPE', '--claim', 'a=b'], 1, 'NOPE is not set'],
    ['claims that are no JSON', ['--secret-file', 'secret'], 1, 'not JSON'],
  ])('%s: exit code and reason', async (_, args, code, reason) => {
    const withPaths = args.map((arg, i) => (args[i - 1]?.endsWith('-file') ? file(arg) : arg));
    const result = await token(['sign', ...withPaths], { stdin: 'no json SECRET' });
    expect([result.code, result.stdout]).toEqual([code, '']);
    expect(result.stderr).toContain(reason);
    expect(result.stderr).not.toContain(secret);
    expect(result.stderr).not.toContain('SECRET');
  });

  test('a short secret passes with --allow-weak-secret', async () => {
    const args = ['--secret-file', file('short'), '--allow-weak-secret', '--claim', 'a=b'];
    expect((await token(['sign', ...args])).code).toBe(0);
  });
});

describe('token inspect', () => {
  const nowS = Math.floor(Date.now() / 1000);

  test('prints header, payload and times as JSON, and says that nothing was verified', async () => {
    const given = mintHs256('whatever', { header: { kid: 'k' }, claims: { sub: 'u1', iat: nowS - 3600, exp: 1 } });
    const { code, stdout, stderr } = await token(['inspect'], { stdin: `${given}\n` });
    expect(code).toBe(0);
    const shown = JSON.parse(stdout);
    expect(shown).toMatchObject({ header: { alg: 'HS256', kid: 'k' }, payload: { sub: 'u1' } });
    expect(shown.times.iat).toMatch(/Z, 1 h( \d+ s)? ago$/);
    expect(shown.times.exp).toMatch(/^1970-01-01T00:00:01Z, \d+ d \d+ h ago$/);
    expect(stderr).toBe('jwtgate: nothing was verified: anybody can have written this\n');
  });

  test.each([
    ['Bearer ', ''],
    ['Authorization: bearer ', ''],
    ['\n  ', '  \n'],
  ])('takes a token between %j and %j', async (before, after) => {
    const stdin = `${before}${mintHs256('s', { claims: { a: 1 } })}${after}`;
    expect(JSON.parse((await token(['inspect', '-'], { stdin })).stdout).payload).toEqual({ a: 1 });
  });

  test('attack: claims that would act on the terminal are printed as escapes', async () => {
    const claims = { a: '\u001b[31mred', b: '\u009b2J', c: '\u202eevil', d: '\u2066', e: '\u007f' };
    const { stdout } = await token(['inspect'], { stdin: mintHs256('s', { claims }) });
    expect(stdout).toMatch(/^[\n\x20-\x7e]*$/);
    expect(JSON.parse(stdout).payload).toEqual(claims);
  });

  test('shows what the gate would refuse, and says so', async () => {
    const twice = Buffer.from('{"sub":"a","sub":"b","n":12345678901234567890}').toString('base64url');
    const given = `${mintHs256('s').split('.')[0]}.${twice}.AAAA`;
    const { code, stdout, stderr } = await token(['inspect'], { stdin: given });
    expect(code).toBe(0);
    expect(stdout).toContain('"n": 12345678901234567890');
    expect(stderr).toContain('a gate would refuse this token');
  });

  test('shows the header of an encrypted token', async () => {
    const header = Buffer.from('{"alg":"dir","enc":"A256GCM"}').toString('base64url');
    const { code, stdout, stderr } = await token(['inspect'], { stdin: `${header}..AA.AA.AA` });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ header: { alg: 'dir', enc: 'A256GCM' } });
    expect(stderr).toContain('JWE');
  });

  test.each([
    ['not a token', 1],
    ['', 2],
    ['a'.repeat(1_048_577), 2],
  ])('%.20j is none: exit code %i', async (stdin, code) => {
    const result = await token(['inspect'], { stdin });
    expect([result.code, result.stdout]).toEqual([code, '']);
    expect(result.stderr).toMatch(/^jwtgate: /);
  });

  test('a token as an argument is refused without being repeated', async () => {
    const { code, stderr } = await token(['inspect', 'abc.def.ghi']);
    expect(code).toBe(2);
    expect(stderr).toContain('stdin');
    expect(stderr).not.toContain('abc.def');
  });
});

async function* empty(): AsyncGenerator<Uint8Array> {}

describe('token inspect --config', () => {
  const nowS = Math.floor(Date.now() / 1000);
  const good = { aud: 'us', role: 'admin', exp: nowS + 3600 };
  const inspect = (given: string, args: string[] = [], name = 'config.yaml') =>
    token(['inspect', '--config', file(name), ...args], { stdin: given });

  test('0 for a token that the gate would take', async () => {
    const { code, stdout, stderr } = await inspect(mintHs256(secret, { claims: good }));
    expect(code).toBe(0);
    expect(JSON.parse(stdout).payload).toEqual(good);
    expect(stderr).toContain('verified as a token of tenant acme');
  });

  test.each<[string, string, string]>([
    ['another key', mintHs256('another secret of forty bytes, or so....', { claims: good }), 'signatureInvalid'],
    ['a time that has passed', mintHs256(secret, { claims: { ...good, exp: nowS - 60 } }), 'tokenExpired'],
    ['another audience', mintHs256(secret, { claims: { ...good, aud: 'them' } }), 'claimRefused'],
    ['another role', mintHs256(secret, { claims: { ...good, role: 'user' } }), 'claimRefused'],
    ['another algorithm', mintHs256(secret, { header: { alg: 'HS512' }, claims: good }), 'algorithmRefused'],
    ['no signature', `${mintHs256(secret, { claims: good }).split('.').slice(0, 2).join('.')}.`, 'signatureInvalid'],
    ['no token', 'eyJhbGciOiJIUzI1NiJ9.e30', 'tokenMalformed'],
  ])('1 for %s', async (_, given, reason) => {
    const { code, stderr } = await inspect(given);
    expect(code).toBe(1);
    expect(stderr).toContain(`refused: ${reason}`);
  });

  test('the tenant is found by the token, wherever it accepts tokens, or named', async () => {
    const claims = { iss: 'acme', exp: nowS + 3600 };
    expect((await inspect(mintHs256(secret, { claims }), [], 'two.yaml')).stderr).toContain('tenant acme');
    const globex = await inspect(mintHs256(secret, { claims: { ...claims, iss: 'globex' } }), [], 'two.yaml');
    expect(globex.stderr).toContain('tenant globex');
    const nobody = mintHs256(secret, { claims: { ...claims, iss: 'initech' } });
    const unknown = await inspect(nobody, [], 'two.yaml');
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('--tenant')]);
    const misnamed = await inspect(nobody, ['--tenant', 'initech'], 'two.yaml');
    expect([misnamed.code, misnamed.stderr]).toEqual([2, expect.stringContaining('no tenant "initech"')]);
  });

  const sound = { aud: 'us', role: 'admin', iat: nowS, exp: nowS + 3600, jti: '1', sub: 'joe' };
  const typed = { header: { typ: 'at+jwt' } };
  test.each<[string, string]>([
    ['a good one', mintHs256(secret, { ...typed, claims: sound })],
    ['another key', mintHs256('another secret of forty bytes, or so....', { ...typed, claims: sound })],
    ['another algorithm', mintHs256(secret, { header: { typ: 'at+jwt', alg: 'HS512' }, claims: sound })],
    ['no algorithm', mintHs256(secret, { header: { typ: 'at+jwt', alg: 'none' }, claims: sound })],
    ['a kid', mintHs256(secret, { header: { typ: 'at+jwt', kid: 'unknown' }, claims: sound })],
    [
      'an extension that must be understood',
      mintHs256(secret, { header: { typ: 'at+jwt', crit: ['exp'] }, claims: sound }),
    ],
    ['no exp', mintHs256(secret, { ...typed, claims: { ...sound, exp: undefined } })],
    ['a time that has passed', mintHs256(secret, { ...typed, claims: { ...sound, exp: nowS - 60 } })],
    ['a time to come', mintHs256(secret, { ...typed, claims: { ...sound, nbf: nowS + 1800 } })],
    ['too old', mintHs256(secret, { ...typed, claims: { ...sound, iat: nowS - 7200 } })],
    ['another type', mintHs256(secret, { claims: sound })],
    ['another audience', mintHs256(secret, { ...typed, claims: { ...sound, aud: 'them' } })],
    ['another role', mintHs256(secret, { ...typed, claims: { ...sound, role: 'guest' } })],
    ['what a rule refuses', mintHs256(secret, { ...typed, claims: { ...sound, role: 'editor', level: 3 } })],
    ['what a rule lets pass', mintHs256(secret, { ...typed, claims: { ...sound, role: 'editor', level: 4 } })],
    ['what a rule cannot compare', mintHs256(secret, { ...typed, claims: { ...sound, role: 'editor', level: 'a' } })],
    ['a revoked one', mintHs256(secret, { ...typed, claims: { ...sound, jti: 'stolen' } })],
    ['a claim that no header can carry', mintHs256(secret, { ...typed, claims: { ...sound, sub: 'a\r\nb' } })],
    [
      'two parts',
      mintHs256(secret, { ...typed, claims: sound })
        .split('.')
        .slice(0, 2)
        .join('.'),
    ],
    ['spare bits', `${mintHs256(secret, { ...typed, claims: sound })}=`],
    ['two with a comma', `${mintHs256(secret, { ...typed, claims: sound })},x`],
  ])('says of a token what explain says of a request with it: %s', async (_, given) => {
    let explained = '';
    const stdout = (text: string) => {
      explained += text;
    };
    const io = { stdin: empty(), stdout, stderr: () => undefined, env: {} };
    const explainedCode = await explainRequest('/', { config: file('strict.yaml'), token: given, json: true }, io);
    const { verdict, reason } = JSON.parse(explained);
    const { code, stderr } = await inspect(given, [], 'strict.yaml');
    expect(code).toBe(explainedCode);
    const told = verdict === 'allowed' ? 'verified as a token of tenant acme' : `refused: ${reason}: `;
    expect(stderr).toMatch(new RegExp(`^jwtgate: ${told}`, 'm'));
  });

  test('a tenant that was named has to be recognised by what the token says', async () => {
    const of = (tenant: string, claims: Record<string, unknown>, header: Record<string, unknown> = {}) =>
      inspect(
        mintHs256(secret, { header, claims: { exp: nowS + 3600, ...claims } }),
        ['--tenant', tenant],
        'matched.yaml',
      );
    expect(await of('acme', { iss: 'acme' })).toMatchObject({ code: 0 });
    expect(await of('acme', { iss: 'globex' }, { kid: '7' })).toMatchObject({ code: 0 });
    expect(await of('acme', { iss: 'globex' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('refused: tenantUnknown'),
    });
  });

  test('what needs a request is left to explain: public routes, bindings, rules on the request', async () => {
    const of = (tenant: string, exp: number) =>
      inspect(mintHs256(secret, { claims: { exp, sub: 'joe' } }), ['--tenant', tenant], 'matched.yaml');
    expect(await of('bound', nowS + 3600)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('need a request'),
    });
    expect(await of('public', nowS + 3600)).toMatchObject({ code: 0 });
    expect(await of('public', nowS - 60)).toMatchObject({ code: 1, stderr: expect.stringContaining('tokenExpired') });
  });

  test('78 for a config that can not be used', async () => {
    const { code, stderr } = await inspect(mintHs256(secret, { claims: good }), [], 'broken.yaml');
    expect(code).toBe(78);
    expect(stderr).toContain('secrett');
  });
});

test('from the shell: what sign prints, inspect reads; with --claim, a stdin that never ends is left alone', async () => {
  const signed = await runVerb(['token', 'sign', '--secret-file', file('secret'), '--claim', 'sub=u1']);
  expect([signed.code, signed.stderr]).toEqual([0, '']);
  const inspected = await runVerb(['token', 'inspect'], { stdin: signed.stdout });
  expect(inspected.code).toBe(0);
  expect(JSON.parse(inspected.stdout).payload).toMatchObject({ sub: 'u1' });
});
