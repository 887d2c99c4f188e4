import { afterEach, expect, test } from 'vitest';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';

afterEach(endAll);

test('--version and version name version, commit and runtime on one line', async () => {
  for (const args of [['--version'], ['version']]) {
    const asked = startJwtgate(args);
    expect(await asked.ended).toBe(0);
    expect(asked.stdout).toMatch(/^jwtgate \S+ \(commit \S+, node 26\.\d+\.\d+\)\n$/);
  }
});

test('--help lists verbs and exit codes on stdout', async () => {
  const asked = startJwtgate(['--help']);
  expect(await asked.ended).toBe(0);
  for (const word of [
    'run',
    'validate|check',
    'healthcheck',
    'schema',
    'licenses',
    'config',
    'token',
    'demo',
    'Exit codes:',
    '78',
    '128+n',
  ]) {
    expect(asked.stdout).toContain(word);
  }
  expect(asked.stderr).toBe('');
});

test.each([
  ['no verb', []],
  ['an unknown verb', ['rnu']],
  ['an unknown option', ['run', '--confg', 'x']],
  ['a value that is none of the choices', ['run', '--log-level', 'loud']],
])('%s: exit code 2, with help on stderr', async (_what, args) => {
  const asked = startJwtgate(args);
  expect(await asked.ended).toBe(2);
  expect(asked.stderr).not.toBe('');
  expect(asked.stdout).toBe('');
});

test.each([
  [['validate', 'config.yaml'], '(the config is named by -c FILE; jwtgate validate --help lists all)'],
  [['config', 'show', 'config.yaml'], '(the config is named by -c FILE; jwtgate config show --help lists all)'],
  [['explain', '--confg', 'x'], '(jwtgate explain --help lists all)'],
])('%j is told what its verb takes', async (args, advice) => {
  const asked = startJwtgate(args);
  expect(await asked.ended).toBe(2);
  expect(asked.stderr).toContain(`\n${advice}\n`);
});

test('a misspelt verb gets a suggestion', async () => {
  const asked = startJwtgate(['valdiate']);
  await asked.ended;
  expect(asked.stderr).toContain('Did you mean validate?');
});

test('licenses says where they are, when nothing is built in', async () => {
  const asked = startJwtgate(['licenses']);
  expect(await asked.ended).toBe(1);
  expect(asked.stdout).toBe('');
  expect(asked.stderr).toContain('the executable carries the licences');
});
