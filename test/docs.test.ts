import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { splitShellWords } from '../src/cli/explain/shell-words.ts';
import { createProgram } from '../src/cli/program.ts';
import type { ConfigDeps } from '../src/config/deps.ts';
import { formatProblems } from '../src/config/format-problems.ts';
import { loadConfig } from '../src/config/load.ts';
import { reasonNames } from '../src/gate/reasons.ts';
import { algorithmNames } from '../src/keys/algorithms.ts';
import { buildReference, referencePath } from '../tools/build-reference.ts';
import { testCertificates } from './support/certificates.ts';
import { knownOptions, optionsIn } from './support/known-options.ts';
import { newRsaKey } from './support/tokens.ts';

// What people copy from a page has to work.
const root = resolve(import.meta.dirname, '..');
const pages = ['*.md', 'docs/**/*.md'].flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
const read = (page: string) => readFileSync(resolve(root, page), 'utf8');

const configs = pages.flatMap((page) =>
  [...read(page).matchAll(/^( *)```yaml\n([\s\S]*?)^\1```$/gm)]
    .map(([, indent = '', text = '']) => text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''))
    .filter((text) => /^(tenants|upstream):/m.test(text))
    .map((text, index) => ({ page, index: index + 1, text })),
);

describe('configs that the pages show', () => {
  test('the README has one, of twenty lines or so', () => {
    const [config] = configs.filter(({ page }) => page === 'README.md');
    expect(config?.text.trim().split('\n').length).toBeLessThan(25);
  });

  test.for(configs)('$page, config $index loads', async ({ page, text }) => {
    const loaded = await loadConfig('/etc/jwtgate/config.yaml', depsWith(completed(text, page)));
    if (loaded.ok) return loaded.release();
    expect(formatProblems(loaded.problems, { color: false })).toBe('');
  });
});

/** Lines of shell that call jwtgate, from its name to the end of its own words. */
const commands = pages.flatMap((page) =>
  [...read(page).matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].flatMap(([, block = '']) =>
    [...block.matchAll(/(?:^ *|\| |&& )((?:dist\/)?jwtgate [a-z][^\n|&#]*)/gm)].map(([, line = '']) => ({
      page,
      line: line.trim(),
    })),
  ),
);

describe('commands that the pages show', () => {
  const program = createProgram(() => {}, undefined);

  test.for(commands)('$page: $line', ({ line }) => {
    const [own = '', written] = line.split(' > ', 2);
    const split = splitShellWords(own);
    if (!('words' in split)) throw new Error(line);
    const [, ...words] = split.words;
    expect(knownOptions(program, words)).toEqual(expect.arrayContaining(optionsIn(words)));
    // `init` writes its file itself, and tells on stdout what to do next.
    if (written !== undefined) expect(words[0]).not.toBe('init');
  });
});

describe('pages that are held to the code', () => {
  test('the reference is what the schema makes: npm run reference', () => {
    expect(buildReference()).toBe(readFileSync(referencePath, 'utf8'));
  });

  test('troubleshooting has every reason, and no other', () => {
    const named = [...read('docs/troubleshooting.md').matchAll(/^## `(\w+)`$/gm)].map(([, reason]) => reason);
    expect(named.sort()).toEqual([...reasonNames].sort());
  });

  test('the README names the verbs that there are', () => {
    const [row = ''] = /^\| Tools \|.*$/m.exec(read('README.md')) ?? [];
    const named = [...row.matchAll(/`([a-z ]+)`/g)].map(([, verb]) => verb as string);
    const { commands } = createProgram(() => undefined, undefined);
    const verbs = commands.flatMap((command) =>
      command.commands.length === 0
        ? [command.name()]
        : command.commands.map((inner) => `${command.name()} ${inner.name()}`),
    );
    const isTool = (verb: string) => verb !== 'run' && verb !== 'version' && !verb.startsWith('__');
    expect(named.toSorted()).toEqual(verbs.filter(isTool).toSorted());
  });

  test('the README and the changelog name the algorithms that there are', () => {
    const families = new Set(algorithmNames.map((name) => name.replace(/^Ed25519$/, 'EdDSA').replace(/-?\d+$/, '')));
    expect([...families]).toEqual(['HS', 'RS', 'PS', 'ES', 'EdDSA', 'ML-DSA']);
    expect(read('README.md')).toContain('HS, RS, PS and ES of each size, EdDSA and ML-DSA');
    expect(read('CHANGELOG.md')).toContain('HS, RS, PS, ES, EdDSA and ML-DSA');
  });

  test('the tests that the security page names are there', () => {
    const named = [...read('docs/security.md').matchAll(/`((?:test|docs)\/[^`]+)`/g)].map(([, path]) => path as string);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((path) => globSync(path, { cwd: root }).length === 0)).toEqual([]);
  });

  test.for(pages)('%s links to pages that are there', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map(([, link]) => link as string);
    expect(links.filter((link) => globSync(link, { cwd: resolve(root, page, '..') }).length === 0)).toEqual([]);
  });
});

/** Pages show parts, too: what every config must have is added, templates from the example that the page is about. */
function completed(text: string, page: string): string {
  const lacks = (key: string) => !new RegExp(`^${key}:`, 'm').test(text);
  const [example] = /examples\/[\w-]+\.yaml/.exec(read(page)) ?? [];
  const parts = [text];
  if (lacks('upstream')) parts.push('upstream: http://127.0.0.1:3000');
  if (lacks('tenants')) parts.push('tenants: {any: {secret: {file: /run/secrets/any}}}');
  const templates = example === undefined ? undefined : parse(read(example)).templates;
  if (lacks('templates') && templates !== undefined) parts.push(stringify({ templates }));
  return parts.join('\n');
}

/** The page's text as the main file; every other file that it names is there, with what its name promises. */
function depsWith(text: string): ConfigDeps {
  const files: readonly (readonly [ending: string, content: () => string])[] = [
    ['/config.yaml', () => text],
    ['/tls/cert.pem', () => testCertificates().server.cert],
    ['/tls/key.pem', () => testCertificates().server.key],
    ['/tls/clients.pem', () => testCertificates().ca],
    ['.pem', () => newRsaKey().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['revoked.txt', () => 'jti 42\n'],
    ['', () => 'a secret of more than sixty-four bytes, so that it serves HS512, too'],
  ];
  return {
    env: { CREDENTIALS_DIRECTORY: '/run/credentials/jwtgate.service' }, // Of docs/systemd.md.
    readFile: async (path) => {
      const [, content] = files.find(([ending]) => path.endsWith(ending)) ?? ['', () => ''];
      return { bytes: Buffer.from(content()), mode: 0o600 };
    },
    glob: async () => [],
  };
}
