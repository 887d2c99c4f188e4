import type { Command } from 'commander';

/** What the command that these words lead to takes: `--long` and `-s`. Undefined: there is no such command. */
export function knownOptions(root: Command, words: readonly string[]): string[] | undefined {
  const [first = ''] = words;
  const inner = root.commands.find((one) => one.name() === first || one.aliases().includes(first));
  if (inner !== undefined) return knownOptions(inner, words.slice(1));
  if (root.parent === null || root.commands.length > 0) return undefined;
  return [...root.options.flatMap(({ long, short }) => [long, short]), '--help'].filter((one) => one !== undefined);
}

/** Options among the words of a command line, without their values. */
export function optionsIn(words: readonly string[]): string[] {
  return words.filter((word) => /^--?[a-z]/i.test(word)).map((word) => word.split('=', 1)[0] as string);
}
