import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { secretOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';

afterEach(endAll);

async function validate(text: string, ...flags: string[]) {
  const path = join(newFolder(), 'config.yaml');
  await writeFile(path, text);
  const checked = startJwtgate(['validate', '-c', path, ...flags], { env: { ACME: secretOf('acme') } });
  return { code: await checked.ended, stdout: checked.stdout, stderr: checked.stderr, path };
}

const good = 'upstream: http://127.0.0.1:1\ntenants: {acme: {secret: {env: ACME}, algorithms: [HS256]}}\n';
const warned = good.replace('{env: ACME}', secretOf('acme'));

test('a config without problems: exit code 0, one line on stdout', async () => {
  const { code, stdout, stderr, path } = await validate(good);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${path}: valid (1 tenant)\n`, stderr: '' });
});

test('every problem stands on stderr with its place, and the exit code is 78', async () => {
  const { code, stdout, stderr } = await validate(`${good}lissten: 1\nopss: 2\n`);
  expect(code).toBe(78);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/config\.yaml:3:1: .*lissten/);
  expect(stderr).toMatch(/config\.yaml:4:1: .*opss/);
});

test('warnings are shown and pass, unless they are denied', async () => {
  const passed = await validate(warned);
  expect(passed.code).toBe(0);
  expect(passed.stderr).toContain('warning');
  expect((await validate(warned, '--deny-warnings')).code).toBe(78);
});

test('--json is the same for machines, on stdout', async () => {
  const broken = await validate(`${good}lissten: 1\n`, '--json');
  expect(broken.code).toBe(78);
  expect(JSON.parse(broken.stdout)).toMatchObject({
    valid: false,
    problems: [{ severity: 'error', line: 3, column: 1, path: 'lissten' }],
  });
  expect(JSON.parse((await validate(warned, '--json')).stdout)).toMatchObject({
    valid: true,
    problems: [{ severity: 'warning' }],
  });
});

test('a file that is not there: exit code 78, and its name', async () => {
  const checked = startJwtgate(['check', '-c', '/nowhere/config.yaml']);
  expect(await checked.ended).toBe(78);
  expect(checked.stderr).toContain('/nowhere/config.yaml');
});

test('validating fetches nothing', async () => {
  const remote = 'tenants: {acme: {jwks: "https://127.0.0.1:1/jwks.json", algorithms: [RS256], audience: a}}';
  const { code } = await validate(`upstream: http://127.0.0.1:1\n${remote}\n`);
  expect(code).toBe(0);
});
