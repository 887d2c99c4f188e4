import { expect, test } from 'vitest';
import { formatProblems, problemsToJson } from '../../src/config/format-problems.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Problem } from '../../src/config/problem.ts';
import { configFiles } from '../support/config-files.ts';

const config = `upstream: http://127.0.0.1:3000
tenants:
  acme: {secret: {env: SECRET}, jwks: https://id.example/keys, algorithms: [HS256, RS256], modus: x}
  globex: {secret: {env: SECRET}, match: {path: /g/**}}
  initech: {secret: {env: SECRET}, match: {path: /g/x}}
`;

async function problemsOf(text: string): Promise<readonly Problem[]> {
  const loaded = await loadConfig('config.yaml', configFiles({ 'config.yaml': text }, { SECRET: 's'.repeat(32) }));
  return loaded.ok ? loaded.warnings : loaded.problems;
}

test('for machines a problem is plain data, without source lines', async () => {
  expect(problemsToJson(await problemsOf(config))).toEqual([
    {
      severity: 'error',
      file: 'config.yaml',
      line: 3,
      column: 92,
      path: 'tenants.acme.modus',
      message: 'unknown key',
      hint: 'did you mean "mode"?',
    },
    {
      severity: 'error',
      file: 'config.yaml',
      line: 5,
      column: 43,
      path: 'tenants.initech.match',
      message: 'takes requests that globex takes as well',
      hint: expect.stringContaining('make one of them narrower'),
      related: [{ file: 'config.yaml', line: 4, column: 42, path: 'tenants.globex.match' }],
    },
  ]);
});

test('for people, colour is said to be wanted or is not there', async () => {
  const problems = await problemsOf(config);
  expect(formatProblems(problems, { color: false })).not.toContain('\x1b');
  const coloured = formatProblems(problems, { color: true });
  expect(coloured).toContain('\x1b[31m^^^^^');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours
  expect(coloured.replaceAll(/\x1b\[\d+m/g, '')).toBe(formatProblems(problems, { color: false }));
});

test('errors come before warnings, and after fifty the rest is counted', () => {
  const one = (severity: 'error' | 'warning', line: number): Problem => ({
    severity,
    file: 'a.yaml',
    line,
    column: 1,
    path: 'x',
    message: `number ${line}`,
  });
  const text = formatProblems(
    [one('warning', 1), ...Array.from({ length: 60 }, (_, index) => one('error', index + 2))],
    {
      color: false,
    },
  );
  expect(text.split('\n')[0]).toBe('a.yaml:2:1: x: number 2');
  expect(text).toContain('… and 11 more');
  expect(text).not.toContain('number 1\n');
});

test('nothing to say is no text', () => {
  expect(formatProblems([], { color: true })).toBe('');
});

test('a config from anywhere cannot send escape sequences to a terminal', async () => {
  const text = formatProblems(await problemsOf('listen: "\u0007\\e[2J\u202e\u009b31m"\nmodus: 1\n'), { color: false });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
});
