import type { Command } from 'commander';

/** What follows on an error in the command line: where this very command's options are, and that a config is one of them. */
export function addUsageAdvice(command: Command, words: readonly string[] = ['jwtgate']): void {
  for (const inner of command.commands) {
    const path = [...words, inner.name()];
    const takesConfigOnly =
      inner.options.some(({ long }) => long === '--config') && inner.registeredArguments.length === 0;
    const config = takesConfigOnly ? 'the config is named by -c FILE; ' : '';
    inner.showHelpAfterError(`(${config}${path.join(' ')} --help lists all)`);
    addUsageAdvice(inner, path);
  }
}
