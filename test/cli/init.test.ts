import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { initKinds } from '../../src/cli/init-kinds.ts';
import { endAll, jwtgateCommand, startJwtgate } from '../support/jwtgate-process.ts';
import { ask } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { startLegacyService } from '../support/system.ts';

afterEach(endAll);

async function jwtgate(cwd: string, args: readonly string[], env: Record<string, string> = {}) {
  const run = startJwtgate(args, { cwd, env });
  const code = await run.ended;
  return { code, stdout: run.stdout, stderr: run.stderr };
}

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

test('a folder that is not there is named, and not made', async () => {
  const folder = newFolder();
  const made = await jwtgate(folder, ['init', 'oidc', '-o', 'etc/config.yaml']);
  const missing = join(folder, 'etc');
  expect(made).toMatchObject({
    code: 69,
    stderr: `jwtgate: cannot write ${missing}/config.yaml: ${missing} does not exist, make it first\n`,
  });
  expect(existsSync(missing)).toBe(false);
});

describe.each(initKinds)('init %s', (kind) => {
  test('writes a config that is valid without a warning, and explains itself', async () => {
    const folder = newFolder();
    const made = await jwtgate(folder, ['init', kind]);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(made.stdout).toContain(`wrote ${join(folder, 'config.yaml')}`);
    expect(await jwtgate(folder, ['validate', '--deny-warnings'])).toMatchObject({ code: 0, stderr: '' });
    const text = readFileSync(join(folder, 'config.yaml'), 'utf8');
    expect(text.match(/#/g)?.length).toBeGreaterThan(4);
  });

  test('no secret stands in it: what is secret is in a file for its owner alone', async () => {
    const folder = newFolder();
    await jwtgate(folder, ['init', kind]);
    const text = readFileSync(join(folder, 'config.yaml'), 'utf8');
    const secrets = existsSync(join(folder, 'secrets')) ? readdirSync(join(folder, 'secrets')) : [];
    expect(secrets).toEqual({ secret: ['main.secret'], egress: ['signing.pem'] }[kind as string] ?? []);
    for (const name of secrets) {
      const path = join(folder, 'secrets', name);
      expect([modeOf(path), modeOf(join(folder, 'secrets'))]).toEqual(['600', '700']);
      for (const line of readFileSync(path, 'utf8').trim().split('\n')) expect(text).not.toContain(line);
    }
  });

  test('takes what it is told, whatever it is', async () => {
    const folder = newFolder();
    const told = {
      issuer: 'https://id.example.com/a b?x="y"#z',
      audience: 'null',
      upstream: 'http://app.internal:81/base',
    };
    const flags = Object.entries(told).flatMap(([name, value]) => [`--${name}`, value]);
    const made = await jwtgate(folder, ['init', kind, ...flags]);
    if (kind === 'oidc' || kind === 'sidecar' || kind === 'jwks') {
      // No such issuer has metadata, or a JWK set: it is said, and nothing written.
      expect(made).toMatchObject({ code: 78, stderr: expect.stringContaining('nothing was written') });
      expect(readdirSync(folder)).toEqual([]);
      const fine = await jwtgate(folder, ['init', kind, ...flags, '--issuer', 'https://id.example.com/realms/a']);
      expect(fine.code).toBe(0);
    } else expect(made.code).toBe(0);
    const config = parse(readFileSync(join(folder, 'config.yaml'), 'utf8'));
    expect(config.upstream.url ?? config.upstream).toBe(told.upstream);
    expect([config.tenants.main.audience ?? 'null', config.upstream.sign?.payload.aud ?? 'null']).toEqual([
      'null',
      'null',
    ]);
  });
});

test('a secret from it signs tokens that it lets through', async () => {
  const folder = newFolder();
  const service = await startLegacyService();
  await jwtgate(folder, ['init', 'secret', '--upstream', `http://127.0.0.1:${service.port}`]);
  const path = join(folder, 'config.yaml');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/0\.0\.0\.0:\d+|127\.0\.0\.1:9902/g, '127.0.0.1:0'));
  const next = /TOKEN=\$\(jwtgate (.*)\)/.exec((await jwtgate(newFolder(), ['init', 'secret'])).stdout)?.[1] as string;
  const { stdout: token } = await jwtgate(folder, next.split(' '));
  const gate = startJwtgate(['run', '-c', path]);
  const { proxy } = await gate.logged('started');
  const port = Number(String(proxy).split(':').at(-1));
  expect((await ask(port, '/', { authorization: `Bearer ${token.trim()}` })).status).toBe(200);
  expect(service.seen.at(-1)?.headers['x-user-id']).toBe('me');
  expect((await ask(port, '/', {})).status).toBe(401);
  await service.close();
});

test('by an environment variable: nothing is written but the config, which names it', async () => {
  const folder = newFolder();
  const secret = 's'.repeat(64);
  const made = await jwtgate(folder, ['init', 'secret', '--secret-env', 'APP_SECRET'], { APP_SECRET: secret });
  expect(made.code).toBe(0);
  expect(readdirSync(folder)).toEqual(['config.yaml']);
  expect(readFileSync(join(folder, 'config.yaml'), 'utf8')).not.toContain(secret);
  expect((await jwtgate(folder, ['validate'], { APP_SECRET: secret })).code).toBe(0);
  const unset = await jwtgate(newFolder(), ['init', 'secret', '--secret-env', 'APP_SECRET']);
  expect(unset).toMatchObject({ code: 78, stderr: expect.stringContaining('APP_SECRET is not set') });
});

describe('what is there already', () => {
  test('is never written over without --force, a link to nowhere neither', async () => {
    const folder = newFolder();
    const path = join(folder, 'config.yaml');
    writeFileSync(path, 'mine: true\n');
    expect(await jwtgate(folder, ['init'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--force writes over it'),
    });
    expect(readFileSync(path, 'utf8')).toBe('mine: true\n');
    expect((await jwtgate(folder, ['init', '--force'])).code).toBe(0);
    expect(readFileSync(path, 'utf8')).toContain('discovery:');

    const link = join(folder, 'linked.yaml');
    symlinkSync(join(folder, 'elsewhere.yaml'), link);
    expect((await jwtgate(folder, ['init', '-o', 'linked.yaml'])).code).toBe(69);
    expect(existsSync(join(folder, 'elsewhere.yaml'))).toBe(false);
  });

  test('a secret is kept with --force, too', async () => {
    const folder = newFolder();
    await jwtgate(folder, ['init', 'secret']);
    const path = join(folder, 'secrets/main.secret');
    const before = readFileSync(path, 'utf8');
    const again = await jwtgate(folder, ['init', 'secret', '--force']);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).not.toContain('main.secret (readable');
    expect(readFileSync(path, 'utf8')).toBe(before);
    const other = newFolder();
    await jwtgate(other, ['init', 'secret']);
    expect(readFileSync(join(other, 'secrets/main.secret'), 'utf8')).not.toBe(before);
  });
});

test('an unknown kind is wrong usage, a folder that is not there a fault', async () => {
  expect((await jwtgate(newFolder(), ['init', 'odic'])).code).toBe(2);
  expect((await jwtgate(newFolder(), ['init', '-o', 'no/such/config.yaml'])).code).toBe(69);
});

const hasScript = spawnSync('script', ['--version']).status === 0;

describe.skipIf(!hasScript)('in a terminal (needs script, of util-linux)', () => {
  /** Runs it with a terminal of its own, and types. */
  async function typed(cwd: string, args: string, lines: readonly string[]) {
    const command = [...jwtgateCommand, 'init'].map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['-qec', `${command} ${args}`, '/dev/null'], { cwd });
    const output = readText(child.stdout);
    let seen = '';
    const pending = [...lines];
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      // A question ends with its default in brackets.
      if (stripVTControlCharacters(seen).endsWith('] ') && pending.length > 0) {
        seen = '';
        child.stdin.write(`${pending.shift()}\n`);
      }
    });
    const [code] = await once(child, 'close');
    return { code: code as number, output: await output, left: pending };
  }

  test('it asks what for, and the rest', async () => {
    const folder = newFolder();
    const { code, output, left } = await typed(folder, '', [
      'oops',
      'jwks',
      'http://127.0.0.1:8000',
      'https://id.test/',
      '',
      'api',
    ]);
    expect([code, left]).toEqual([0, []]);
    expect(output).toContain('What is it for?');
    const { upstream, tenants } = parse(readFileSync(join(folder, 'config.yaml'), 'utf8'));
    expect([upstream, tenants.main]).toMatchObject([
      'http://127.0.0.1:8000',
      { jwks: 'https://id.test/.well-known/jwks.json', issuer: 'https://id.test/', audience: 'api' },
    ]);
  });

  test('it asks nothing when it is told the kind', async () => {
    const folder = newFolder();
    const { code, output } = await typed(folder, 'oidc', []);
    expect(code).toBe(0);
    expect(output).not.toContain('?');
  });
});
