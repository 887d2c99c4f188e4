import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { findCandidates } from '../../src/cli/completion/candidates.ts';
import { shells } from '../../src/cli/completion/scripts.ts';
import { createProgram } from '../../src/cli/program.ts';
import { jwtgateCommand } from '../support/jwtgate-process.ts';
import { newFolder } from '../support/scratch-folder.ts';

const program = createProgram(() => {}, undefined);
const wordsFor = (...written: string[]) => findCandidates(program, written).words.map(({ word }) => word);

describe('what may stand there', () => {
  test.each([
    [['va'], ['validate']],
    [
      ['config', ''],
      ['diff', 'show'],
    ],
    [['config', 'sh'], ['show']],
    [
      ['run', '--log-'],
      ['--log-level', '--log-format'],
    ],
    [['run', '--log-level', 'd'], ['debug']],
    [['run', '--log-level=d'], ['--log-level=debug']],
    [['run', '--log-level', '=', 'd'], ['--log-level=debug']],
    [['run', '--watch', '--wat'], []],
    [['run', '-w', '--wat'], []],
    [['explain', '-H', 'a: b', '--hea'], ['--header']],
    [['explain', '--token', 'x', '--tok'], []],
    [['check', '--js'], ['--json']],
    [
      ['init', 's'],
      ['secret', 'sidecar'],
    ],
    [['init', 'secret', ''], []],
    [
      ['init', '--output', 'x', 's'],
      ['secret', 'sidecar'],
    ],
    [
      ['schema', ''],
      ['config', 'tests'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['run', '--', '-'], []],
    [['no', 'such', ''], []],
    [
      ['token', 'sign', '--se'],
      ['--secret-file', '--secret-env', '--secret-encoding'],
    ],
    [['__'], []],
  ])('%j: %j', (written, words) => {
    expect(wordsFor(...written).toSorted()).toEqual([...words].toSorted());
  });

  test('verbs, and for each of them at least --help', () => {
    const verbs = wordsFor('');
    expect(verbs).toEqual(
      expect.arrayContaining(['run', 'reload', 'validate', 'init', 'explain', 'test', 'token', 'config']),
    );
    for (const verb of verbs) expect(wordsFor(verb, '--')).toContain('--help');
  });

  test('files where files belong', () => {
    for (const written of [
      ['run', '-c', ''],
      ['config', 'diff', 'a.yaml', ''],
      ['explain', '--har', 'x'],
      ['test', 'a', 'b'],
    ]) {
      expect(findCandidates(program, written), written.join(' ')).toEqual({ words: [], files: true });
    }
    expect(findCandidates(program, ['run', '--config=x'])).toEqual({ words: [], files: true });
    expect(findCandidates(program, ['reload', '--pid', '']).files).toBe(false);
  });
});

/** A folder whose `jwtgate` is the one under test. */
let path: string;
let folder: string;
beforeAll(() => {
  folder = newFolder();
  writeFileSync(
    join(folder, 'jwtgate'),
    `#!/bin/sh\nexec ${jwtgateCommand.map((word) => `'${word}'`).join(' ')} "$@"\n`,
  );
  chmodSync(join(folder, 'jwtgate'), 0o755);
  writeFileSync(join(folder, 'config file.yaml'), '');
  path = `${folder}:${process.env.PATH}`;
  for (const shell of shells) {
    const { stdout, status } = spawnSync(join(folder, 'jwtgate'), ['completion', shell], { encoding: 'utf8' });
    expect(status).toBe(0);
    writeFileSync(join(folder, `complete.${shell}`), stdout);
  }
});

function inShell(shell: string, script: string): string[] {
  const flags = { bash: ['--norc', '-c'], zsh: ['-f', '-c'], fish: ['--no-config', '-c'] }[shell] as string[];
  const { stdout, stderr } = spawnSync(shell, [...flags, script], {
    cwd: folder,
    env: { PATH: path, HOME: folder, LC_ALL: 'C.UTF-8' },
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;

describe.skipIf(!has('bash'))('bash (needs bash)', () => {
  const complete = (...words: string[]) =>
    inShell(
      'bash',
      `source complete.bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
       _jwtgate; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );

  test('completes verbs, options, values and names of files', () => {
    expect(complete('jwtgate', 'va')).toEqual(['validate']);
    expect(complete('jwtgate', 'run', '--log-f')).toEqual(['--log-format']);
    expect(complete('jwtgate', 'run', '--log-level', 'de')).toEqual(['debug']);
    expect(complete('jwtgate', 'run', '--log-level', '=', 'de')).toEqual(['debug']);
    expect(complete('jwtgate', 'run', '-c', 'conf')).toEqual(['config file.yaml']);
    expect(complete('jwtgate', 'config', '').toSorted()).toEqual(['diff', 'show']);
  });

  test('is bound to the command', () => {
    expect(inShell('bash', 'source complete.bash; complete -p jwtgate')).toEqual(['complete -F _jwtgate jwtgate']);
  });
});

describe.skipIf(!has('zsh'))('zsh (needs zsh)', () => {
  // The completion system itself wants a terminal: what it is told is looked at.
  const complete = (...words: string[]) =>
    inShell(
      'zsh',
      `compdef() { }; _files() { print -r -- FILES }; _describe() { print -rl -- "\${(@P)2}" }
       source ./complete.zsh; words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; _jwtgate`,
    );

  test('completes verbs, options, values and names of files', () => {
    expect(complete('jwtgate', 'va')).toEqual([
      'validate:check the config as run would load it, and print every problem',
    ]);
    expect(complete('jwtgate', 'run', '--log-level', 'de')).toEqual(['debug:']);
    expect(complete('jwtgate', 'run', '-c', '')).toEqual(['FILES']);
    expect(
      complete('jwtgate', 'config', '')
        .map((line) => line.split(':')[0])
        .toSorted(),
    ).toEqual(['diff', 'show']);
    expect(complete('jwtgate', 'healthcheck', '--url', '')).toEqual([]);
  });
});

describe.skipIf(!has('fish'))('fish (needs fish)', () => {
  const complete = (line: string) =>
    inShell('fish', `source complete.fish; complete -C '${line}'`).map((one) => one.split('\t')[0]);

  test('completes verbs, options, values and names of files', () => {
    expect(complete('jwtgate va')).toEqual(['validate']);
    expect(complete('jwtgate run --log-f')).toEqual(['--log-format']);
    expect(complete('jwtgate run --log-level de')).toEqual(['debug']);
    expect(complete('jwtgate config ').toSorted()).toEqual(['diff', 'show']);
    expect(complete('jwtgate run -c conf')).toEqual([expect.stringContaining('config')]);
  });
});
