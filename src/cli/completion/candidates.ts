import type { Argument, Command, Option } from 'commander';

/** What may stand where a command line is being written. */
export interface Candidates {
  readonly words: readonly { readonly word: string; readonly text: string }[];
  /** The shell completes names of files itself. */
  readonly files: boolean;
}

const none: Candidates = { words: [], files: false };

/**
 * Candidates for the last of these words, which may be empty, from the table of commands itself. bash cuts words at "=":
 * `--log-level=de` comes as three.
 */
export function findCandidates(program: Command, written: readonly string[]): Candidates {
  const words = joinEquals(written);
  const last = words.at(-1) ?? '';
  let command = program;
  let position = 0;
  let onlyArguments = false;
  const used = new Set<Option>();
  for (let index = 0; index < words.length - 1; index++) {
    const word = words[index] as string;
    if (onlyArguments || !word.startsWith('-') || word === '-') {
      const inner = position === 0 ? subcommand(command, word) : undefined;
      if (inner === undefined) position++;
      else command = inner;
      continue;
    }
    if (word === '--') {
      onlyArguments = true;
      continue;
    }
    const [name] = word.split('=', 1);
    const option = command.options.find(({ long, short }) => long === name || short === name);
    if (option === undefined) continue;
    used.add(option);
    if (!takesValue(option) || word.includes('=')) continue;
    if (index === words.length - 2) return matching(valuesOf(option), last);
    index++;
  }
  if (last.startsWith('-') && !onlyArguments) return optionsOf(command, last, used);
  return matching(operandsOf(command, position), last);
}

function joinEquals(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const [index, word] of words.entries()) {
    const before = joined.at(-1);
    const follows = word === '=' || words[index - 1] === '=';
    if (follows && before?.startsWith('--')) joined[joined.length - 1] = `${before}${word}`;
    else joined.push(word);
  }
  return joined;
}

function subcommand(command: Command, word: string): Command | undefined {
  return command.commands.find((inner) => inner.name() === word || inner.aliases().includes(word));
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

/** A name of the kind `<file>` promises files. */
function isFile(name: string): boolean {
  return /file|before|after/i.test(name);
}

function valuesOf(option: Option): Candidates {
  if (option.argChoices !== undefined) return choices(option.argChoices);
  return { words: [], files: isFile(/<(.*)>/.exec(option.flags)?.[1] ?? '') };
}

function choices(words: readonly string[]): Candidates {
  return { words: words.map((word) => ({ word, text: '' })), files: false };
}

function optionsOf(command: Command, last: string, used: ReadonlySet<Option>): Candidates {
  const equals = last.indexOf('=');
  if (equals !== -1) {
    const option = command.options.find(({ long }) => long === last.slice(0, equals));
    if (option === undefined) return none;
    const { words, files } = matching(valuesOf(option), last.slice(equals + 1));
    return { words: words.map(({ word, text }) => ({ word: `${last.slice(0, equals + 1)}${word}`, text })), files };
  }
  const help = { word: '--help', text: 'print this help' };
  const visible = command.options.filter((option) => !option.hidden && (!used.has(option) || isRepeatable(option)));
  const words = visible.map(({ long, short, description }) => ({ word: long ?? short ?? '', text: description }));
  return matching({ words: [...words, help], files: false }, last);
}

/** One that gathers its values. */
function isRepeatable(option: Option): boolean {
  return option.variadic || option.parseArg !== undefined;
}

function operandsOf(command: Command, position: number): Candidates {
  const inner = command.commands.filter((one) => !isHidden(one));
  if (position === 0 && inner.length > 0) {
    return { words: inner.map((one) => ({ word: one.name(), text: one.description() })), files: false };
  }
  const operands: readonly Argument[] = command.registeredArguments;
  const operand = operands[position] ?? (operands.at(-1)?.variadic ? operands.at(-1) : undefined);
  if (operand === undefined) return none;
  if (operand.argChoices !== undefined) return choices(operand.argChoices);
  return { words: [], files: isFile(operand.name()) };
}

/** Shells call it, people don't. */
function isHidden(command: Command): boolean {
  return command.name().startsWith('__');
}

function matching({ words, files }: Candidates, last: string): Candidates {
  return { words: words.filter(({ word }) => word.startsWith(last)), files };
}
