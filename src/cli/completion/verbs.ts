import { Argument, type Command } from 'commander';
import { exitCodes } from '../exit-codes.ts';
import { findCandidates } from './candidates.ts';
import { type Shell, scripts, shells } from './scripts.ts';

/** Adds `completion`, and what its scripts ask. `finish` gets their exit code. */
export function addCompletionVerbs(program: Command, finish: (code: number) => void): void {
  program
    .command('completion')
    .description('print a script that makes a shell complete commands, options and their values')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: Shell) => {
      process.stdout.write(scripts[shell]);
      finish(exitCodes.ok);
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action((words: readonly string[]) => {
      const { words: found, files } = findCandidates(program, words);
      const lines = found.map(({ word, text }) => `${word}\t${oneLine(text)}\n`);
      process.stdout.write([...lines, ...(files ? [':files\n'] : [])].join(''));
      finish(exitCodes.ok);
    });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
