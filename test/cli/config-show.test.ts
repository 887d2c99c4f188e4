import { mkdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { configText, secretOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';

afterEach(endAll);

async function written(text: string): Promise<string> {
  const path = join(newFolder(), 'config.yaml');
  await writeFile(path, text);
  return path;
}

test('config show prints what is in effect, and no secret', async () => {
  const path = await written(configText({ upstreamPort: 3000, tenants: ['acme'], more: 'log: {level: "${LEVEL}"}' }));
  for (const flags of [[], ['--json']]) {
    const shown = startJwtgate(['config', 'show', '-c', path, ...flags], { env: { LEVEL: 'debug' } });
    expect(await shown.ended).toBe(0);
    expect(shown.stdout).toMatch(/level"?: "?debug/);
    expect(shown.stdout).toContain('/acme/**');
    expect(shown.stdout).toContain('[redacted]');
    expect(shown.stdout).not.toContain(secretOf('acme'));
  }
});

const layered = {
  'config.yaml': `upstream: http://127.0.0.1:\${PORT:-3000}
include: [tenants.d/*.yaml]
errors: {tokenExpired: {code: 40}}
templates:
  base: {algorithms: [HS256], clockSkew: 5s}
  app: {template: base, audience: [api]}
tenants:
  acme:
    template: app
    match: {path: "/\${tenant}/**"}
    secret: {env: ACME}
`,
  'tenants.d/globex.yaml': `tenants:
  globex: {match: {host: globex.example}, secret: "\${GLOBEX}", routes: [{path: /a, replay: {claim: jti}}]}
`,
};

async function shownOf(flags: readonly string[], env: Record<string, string> = { GLOBEX: secretOf('globex') }) {
  const folder = newFolder();
  for (const [name, text] of Object.entries(layered)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const shown = startJwtgate(['config', 'show', '-c', join(folder, 'config.yaml'), ...flags], { env });
  const code = await shown.ended;
  expect(shown.stdout).not.toContain(secretOf('globex'));
  return { code, stdout: shown.stdout, stderr: shown.stderr };
}

test('config show says of each value where it comes from', async () => {
  const { stdout } = await shownOf([]);
  for (const line of [
    'upstream: http://127.0.0.1:3000 # config.yaml:1, $PORT',
    'ops: 0.0.0.0:9901 # default',
    '  headerBytes: 16KiB # default',
    '        code: 40 # config.yaml:3',
    '      - HS256 # config.yaml:5, template base',
    '      - api # config.yaml:6, template app',
    '      path: /acme/** # config.yaml:10',
    '      env: ACME # config.yaml:11',
    '    secret: "[redacted]" # tenants.d/globex.yaml:2, $GLOBEX',
    '          store: memory # default',
    '    access: required # default',
  ]) {
    expect(stdout.split('\n')).toContain(line);
  }
  // A comment on a value is no part of it.
  const { tenants, limits } = parse(stdout);
  expect([tenants.acme.clockSkew, tenants.acme.match, limits.headerCount]).toEqual(['5s', { path: '/acme/**' }, 100]);
});

test('config show without origins, without defaults, of one tenant', async () => {
  const { stdout } = await shownOf(['--no-origins', '--no-defaults', '--tenant', 'acme']);
  expect(parse(stdout)).toEqual({
    tenants: {
      acme: {
        errors: { tokenExpired: { code: 40 } },
        algorithms: ['HS256'],
        clockSkew: '5s',
        template: 'app',
        audience: ['api'],
        match: { path: '/acme/**' },
        secret: { env: 'ACME' },
      },
    },
  });
  expect(stdout).not.toContain('#');
  expect(await shownOf(['--tenant', 'acne'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no tenant "acne": did you mean "acme"?'),
  });
});

test('config show --json has both, for machines', async () => {
  const { config, origins } = JSON.parse((await shownOf(['--json'])).stdout);
  expect(config.tenants.globex.match).toEqual({ host: 'globex.example' });
  const of = (path: string) => origins.find((one: { path: string }) => one.path === path);
  expect(of('tenants.acme.algorithms[0]')).toEqual({
    path: 'tenants.acme.algorithms[0]',
    from: 'file',
    file: 'config.yaml',
    line: 5,
    template: 'base',
    variables: [],
  });
  expect(of('tenants.globex.access')).toEqual({ path: 'tenants.globex.access', from: 'default' });
  expect(of('tenants.globex.secret').variables).toEqual(['GLOBEX']);
});

test('config show of a config with problems: exit code 78, problems on stderr', async () => {
  const shown = startJwtgate(['config', 'show', '-c', await written('lissten: 1\n')]);
  expect(await shown.ended).toBe(78);
  expect(shown.stderr).toContain('lissten');
});

test('schema prints what config.schema.json holds', async () => {
  const printed = startJwtgate(['schema']);
  expect(await printed.ended).toBe(0);
  const held = readFileSync(join(import.meta.dirname, '../../config.schema.json'), 'utf8');
  expect(JSON.parse(printed.stdout)).toEqual(JSON.parse(held));
});
