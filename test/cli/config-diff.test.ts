import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { newFolder } from '../support/scratch-folder.ts';

afterEach(endAll);

const secret = 'hunter2-hunter2-hunter2-hunter2-hunter2';
const other = 'hunter3-hunter3-hunter3-hunter3-hunter3';

function written(files: Readonly<Record<string, string>>): string {
  const folder = newFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  return join(folder, 'config.yaml');
}

async function diff(before: string, after: string, flags: readonly string[] = [], env: Record<string, string> = {}) {
  const run = startJwtgate(['config', 'diff', before, after, ...flags], { env });
  const code = await run.ended;
  expect(`${run.stdout}${run.stderr}`).not.toMatch(/hunter\d/);
  return { code, stdout: run.stdout, stderr: run.stderr };
}

const tenant = (more = '') => `{match: {host: ${more === '' ? 'a' : 'b'}.example}, secret: ${secret}${more}}`;
const base = (tenants: string, more = '') => `upstream: http://127.0.0.1:3000\n${more}\ntenants:\n${tenants}\n`;

test('the same config, written in another way, is the same', async () => {
  const before = written({
    'config.yaml': base(
      `  acme: {match: {path: /acme/**}, secret: {value: ${secret}}, access: required, algorithms: HS256}`,
    ),
  });
  const after = written({
    'config.yaml': `# other words\ntemplates: {t: {secret: {value: "\${S}"}, algorithms: HS256}}\ninclude: [more/*.yaml]\nupstream: "http://127.0.0.1:3000"\n`,
    'more/acme.yaml': `tenants:\n  acme:\n    template: t\n    match: {path: "/\${tenant}/**"}\n`,
  });
  const { code, stdout } = await diff(before, after, [], { S: secret });
  expect(stdout).toBe('~ tenants.acme\n    + template: t\n');
  expect(code).toBe(1);
  expect(await diff(before, before)).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('tenants that came, went and were changed, with what was changed', async () => {
  const before = written({
    'config.yaml': base(
      `  acme: {match: {host: a.example}, secret: ${secret}}
  globex:
    match: {host: b.example}
    secret: ${secret}
    algorithms: [HS256]
    audience: legacy
    claims: {role: required, level: {oneOf: [1, 2]}}
    routes: [{path: /a, access: public}, {path: /b}, {path: /c, methods: [GET]}]`,
      'limits: {headerBytes: 16KiB}\ntimeouts: {drain: 5s}',
    ),
  });
  const after = written({
    'config.yaml': base(
      `  initech: {match: {host: c.example}, secret: ${secret}}
  globex:
    match: {host: b.example}
    secret: ${other}
    algorithms: [HS256, HS512]
    audience: new-api
    claims: {level: {oneOf: [1, 3]}, org: required}
    routes: [{path: /a, access: public}, {path: /new}, {path: /b, rule: claims.x == 1}, {path: /c, methods: [GET, POST]}]`,
      'limits: {headerBytes: 32KiB}\nwatch: true',
    ),
  });
  const { code, stdout } = await diff(before, after);
  expect(stdout.split('\n')).toEqual([
    '~ limits.headerBytes: 16KiB → 32KiB',
    '~ timeouts.drain: 5s → 25s',
    '~ watch: false → true',
    '- tenants.acme',
    '+ tenants.initech',
    '~ tenants.globex',
    '    ~ secret: changed (not shown)',
    '    + algorithms[1]: HS512',
    '    ~ audience: legacy → new-api',
    '    - claims.role: required',
    '    ~ claims.level.oneOf[1]: 2 → 3',
    '    + claims.org: required',
    '    + routes[1]: {"path":"/new"}',
    '    + routes[2].rule: "claims.x == 1"',
    '    + routes[3].methods[1]: POST',
    '',
  ]);
  expect(code).toBe(1);
  expect(await diff(before, after, ['--quiet'])).toMatchObject({ code: 1, stdout: '' });
});

test('items that stay keep their place, whatever comes before them', async () => {
  const routes = (...paths: string[]) =>
    written({
      'config.yaml': base(
        `  acme: {secret: ${secret}, routes: [${paths.map((path) => `{path: ${path}}`).join(', ')}]}`,
      ),
    });
  const { stdout } = await diff(routes('/a', '/b', '/c'), routes('/new', '/a', '/c'));
  expect(stdout).toBe('~ tenants.acme\n    + routes[0]: {"path":"/new"}\n    - routes[1]: {"path":"/b"}\n');
});

describe('what a config names and does not hold', () => {
  const config = base(
    '  acme: {secret: {file: a.secret}}\n  globex: {secret: {env: S}, match: {host: b.example}}',
  ).replace('a.secret}', 'a.secret}, match: {host: a.example}');

  test('another content of a file is a change, which is not shown', async () => {
    const before = written({ 'config.yaml': config, 'a.secret': secret });
    const after = written({ 'config.yaml': config, 'a.secret': other });
    const env = { S: secret };
    expect(await diff(before, written({ 'config.yaml': config, 'a.secret': secret }), [], env)).toMatchObject({
      code: 0,
    });
    const { code, stdout } = await diff(before, after, [], env);
    expect([code, stdout]).toEqual([1, '~ tenants.acme\n    ~ the content of a file or variable that it names\n']);
  });

  test('where files can not be read, it is said that they were not compared', async () => {
    const before = written({ 'config.yaml': config });
    const { code, stderr } = await diff(before, before, [], { S: secret });
    expect(code).toBe(0);
    expect(stderr).toContain('their contents were not compared');
  });
});

test('--json tells the same', async () => {
  const before = written({ 'config.yaml': base(`  acme: ${tenant()}`) });
  const after = written({ 'config.yaml': base(`  acme: ${tenant(', clockSkew: 10s')}`) });
  const { code, stdout } = await diff(before, after, ['--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    same: false,
    tenants: {
      added: [],
      removed: [],
      changed: {
        acme: {
          changes: [
            { path: 'match.host', kind: 'changed', before: 'a.example', after: 'b.example' },
            { path: 'clockSkew', kind: 'changed', before: '5s', after: '10s' },
          ],
          contents: false,
        },
      },
    },
    globals: [],
    contents: false,
    contentsCompared: true,
  });
});

test('a config with problems: exit code 78, and all of them', async () => {
  const good = written({ 'config.yaml': base(`  acme: ${tenant()}`) });
  const bad = written({ 'config.yaml': 'lissten: 1\n' });
  for (const pair of [[good, bad] as const, [bad, good] as const]) {
    const { code, stdout, stderr } = await diff(...pair);
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toContain('lissten: unknown key');
  }
  expect((await diff(good, join(newFolder(), 'none.yaml'))).code).toBe(78);
});
