import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { splitShellWords } from '../../src/cli/explain/shell-words.ts';
import { createProgram } from '../../src/cli/program.ts';
import { knownOptions, optionsIn } from '../support/known-options.ts';

const program = createProgram(() => {}, undefined);

function* commandsOf(command: Command, words: readonly string[] = []): Generator<readonly [string, Command]> {
  for (const inner of command.commands) {
    const path = [...words, inner.name()];
    if (inner.name().startsWith('__')) continue;
    yield [path.join(' '), inner];
    yield* commandsOf(inner, path);
  }
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  return help;
}

describe.each([...commandsOf(program)])('jwtgate %s --help', (path, command) => {
  const help = helpOf(command);
  const examples = [...help.matchAll(/^ {2}(?:.*\| |[A-Z_]+=\S+ )?(jwtgate .*)$/gm)].map(([, line]) => line as string);

  test('shows examples, of this very command', () => {
    expect(help).toContain('\nExamples:\n');
    expect(examples.length).toBeGreaterThan(0);
    for (const line of examples) expect(line).toMatch(new RegExp(`^jwtgate ${path}\\b`));
  });

  test('uses no option that is not there', () => {
    for (const line of examples) {
      // What a description, a pipe or another file adds is no part of it.
      const [own = ''] = line.split(/ {2,}| [|<>] /, 1);
      const split = splitShellWords(own);
      if (!('words' in split)) throw new Error(line);
      const { words } = split;
      expect(knownOptions(program, words.slice(1)), line).toEqual(expect.arrayContaining(optionsIn(words)));
    }
  });

  test('describes it and each of its options', () => {
    expect(command.description()).not.toBe('');
    for (const { description, hidden } of command.options) expect(hidden || description !== '').toBe(true);
  });
});
