export type ShellWords =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  /** `detail` says what stands in the way, and holds none of the command but the characters that do. */
  | { readonly kind: 'problem'; readonly detail: string };

/** What would make a shell do more than pass words on. */
const operators = new Set(['|', '&', ';', '<', '>', '(', ')', '`', '\n']);

/**
 * Splits a command as a POSIX shell would, as far as it only passes words on: quotes, backslashes, lines that go on,
 * and bash's $'…' (what browsers copy). Whatever a shell would have to run, look up or redirect is a problem: nothing
 * is ever run or filled in here.
 */
export function splitShellWords(command: string): ShellWords {
  const text = command.replaceAll('\r\n', '\n').trim();
  const words: string[] = [];
  let word: string | undefined;
  let i = 0;
  while (i < text.length) {
    const character = text[i] as string;
    if (character === ' ' || character === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
      i++;
    } else if (character === '\\') {
      if (i + 1 === text.length) return problem('it ends in a backslash');
      if (text[i + 1] !== '\n') word = (word ?? '') + text[i + 1];
      i += 2;
    } else if (character === "'" || character === '"' || text.startsWith("$'", i)) {
      const quoted = readQuoted(text, i);
      if ('problem' in quoted) return problem(quoted.problem);
      word = (word ?? '') + quoted.text;
      i = quoted.next;
    } else if (character === '$') return problem('it holds a $ that a shell would fill in: put the value there itself');
    else if (operators.has(character)) return problem(operatorText(character));
    else if (character === '#' && word === undefined) return problem('it holds a comment');
    else {
      word = (word ?? '') + character;
      i++;
    }
  }
  if (word !== undefined) words.push(word);
  return { kind: 'words', words };
}

function problem(detail: string): ShellWords {
  return { kind: 'problem', detail };
}

function operatorText(character: string): string {
  if (character === '\n')
    return 'it holds a second command on a line of its own; a line that goes on ends in a backslash';
  const hint = character === '&' ? ': put the URL in quotes' : '';
  return `it holds a ${character} that a shell would act on${hint}`;
}

type Quoted = { readonly text: string; readonly next: number } | { readonly problem: string };

function readQuoted(text: string, start: number): Quoted {
  if (text[start] === "'") {
    const end = text.indexOf("'", start + 1);
    return end === -1 ? notClosed : { text: text.slice(start + 1, end), next: end + 1 };
  }
  return text[start] === '"' ? readDoubleQuoted(text, start + 1) : readAnsiQuoted(text, start + 2);
}

const notClosed: Quoted = { problem: 'a quote is not closed' };

/** Within double quotes a backslash counts only before these, and $ and ` still do something. */
function readDoubleQuoted(text: string, start: number): Quoted {
  let value = '';
  for (let i = start; i < text.length; i++) {
    const character = text[i] as string;
    if (character === '"') return { text: value, next: i + 1 };
    if (character === '$' || character === '`') {
      return { problem: `it holds a ${character} in double quotes that a shell would fill in: use single quotes` };
    }
    if (character !== '\\') value += character;
    else {
      const next = text[++i];
      if (next === undefined) return notClosed;
      if (next !== '\n') value += '$`"\\'.includes(next) ? next : `\\${next}`;
    }
  }
  return notClosed;
}

const ansiEscapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '?': '?',
};

/** $'…', with the escapes that browsers write: \n, \', \u0021, \x21. */
function readAnsiQuoted(text: string, start: number): Quoted {
  let value = '';
  for (let i = start; i < text.length; i++) {
    const character = text[i] as string;
    if (character === "'") return { text: value, next: i + 1 };
    if (character !== '\\') {
      value += character;
      continue;
    }
    const [whole, code] = /^\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))/.exec(text.slice(i, i + 6)) ?? [];
    if (whole !== undefined) {
      value += String.fromCharCode(Number.parseInt(code ?? whole.slice(2), 16));
      i += whole.length - 1;
      continue;
    }
    const plain = ansiEscapes[text[i + 1] ?? ''];
    if (plain === undefined) return { problem: "it holds an escape in $'…' that is not read here" };
    value += plain;
    i++;
  }
  return notClosed;
}
