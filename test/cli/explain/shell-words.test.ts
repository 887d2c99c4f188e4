import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitShellWords } from '../../../src/cli/explain/shell-words.ts';

const wordsOf = (command: string) => {
  const split = splitShellWords(command);
  return split.kind === 'words' ? split.words : split.detail;
};

describe('words', () => {
  test.each<[string, string[]]>([
    ['curl http://a/', ['curl', 'http://a/']],
    ["curl -H 'A: b c'  'http://a/?x=1&y=2'", ['curl', '-H', 'A: b c', 'http://a/?x=1&y=2']],
    ['curl "a \\"b\\" \\\\ \\n"', ['curl', 'a "b" \\ \\n']],
    ['curl \\\n  -X POST \\\n  http://a/', ['curl', '-X', 'POST', 'http://a/']],
    ['curl \\\r\n http://a/', ['curl', 'http://a/']],
    ["curl --data-raw $'a\\u0021\\n\\'b\\x41'", ['curl', '--data-raw', "a!\n'bA"]],
    ["curl a'b'\"c\"d ''", ['curl', 'abcd', '']],
    ['curl http://a/\\?x\\&y', ['curl', 'http://a/?x&y']],
  ])('%j', (command, words) => {
    expect(wordsOf(command)).toEqual(words);
  });

  test('are those that sh makes of any text in quotes', () => {
    const word = fc.string({ unit: fc.constantFrom(...'ab "\'\\$`!#&;|<>(){}*?~=\t\n'.split('')), maxLength: 8 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
        const quoted = words.map((one) => `'${one.replaceAll("'", "'\\''")}'`);
        expect(wordsOf(quoted.join(' '))).toEqual(words);
      }),
    );
  });

  test('where a shell and this both take a command, they see the same words', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab \'"\\\n'.split('')), maxLength: 14 });
    const texts = fc.sample(text, 60);
    for (const one of texts) {
      const split = splitShellWords(`x ${one}`);
      if (split.kind === 'problem') continue;
      const shell = spawnSync('sh', ['-c', `set -- ${one.trim()}\nprintf '%s\\0' x "$@"`], { encoding: 'utf8' });
      expect(shell.stdout.split('\0').slice(0, -1), JSON.stringify(one)).toEqual(split.words);
    }
  });
});

describe('what a shell would have to do is refused, and never done', () => {
  test.each([
    ['curl http://a/?x=1&y=2', /a & that a shell would act on: put the URL in quotes/],
    ['curl $(rm -rf /)', /a \$ that a shell would fill in/],
    ['curl -H "A: $TOKEN"', /a \$ in double quotes/],
    ['curl "`id`"', /a ` in double quotes/],
    ['curl `id`', /a ` that a shell/],
    ['curl a | sh', /a \| that a shell/],
    ['curl a > b', /a > that a shell/],
    ['curl a; rm b', /a ; that a shell/],
    ['curl a\nrm b', /second command/],
    ['curl <(id)', /a < that a shell/],
    ["curl 'a", /not closed/],
    ['curl "a', /not closed/],
    ["curl $'a", /not closed/],
    ["curl $'\\c1'", /escape/],
    ['curl a \\', /ends in a backslash/],
    ['curl a # b', /comment/],
  ])('%j', (command, detail) => {
    expect(wordsOf(command)).toMatch(detail);
  });
});
