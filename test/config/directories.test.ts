import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diskDeps } from '../../src/config/deps.ts';
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts';

/* Loading from real directories: what maps can't tell about links, permissions and patterns. */

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'jwtgate-config-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const strong = 'x'.repeat(32);
const tenant = (id: string) => `tenants: {${id}: {secret: {file: ${id}.secret}, match: {kid: ${id}}}}\n`;
const main = 'upstream: http://127.0.0.1:3000\n';

function write(files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o600 });
  }
}

const load = (file = 'config.yaml') => loadConfig(join(directory, file), diskDeps({}));

async function loadSound(file?: string): Promise<LoadedConfig> {
  const loaded = await load(file);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded;
}

async function messages(file?: string): Promise<string[]> {
  const loaded = await load(file);
  const problems = loaded.ok ? loaded.warnings : loaded.problems;
  return problems.map(({ file: of, line, path, message }) => {
    const place = line === undefined ? of : `${of}:${line}`;
    return [place, path, message]
      .filter((part) => part !== '')
      .join(' ')
      .replaceAll(`${directory}/`, '');
  });
}

describe('include', () => {
  test('takes patterns relative to the including file, in sorted order, and secrets relative to their own file', async () => {
    write({
      'config.yaml': `${main}include: [tenants.d/*.yaml]\n`,
      'tenants.d/b.yaml': tenant('b'),
      'tenants.d/a.yaml': `include: [more/*.yml]\n${tenant('a')}`,
      'tenants.d/notes.txt': 'not: [yaml',
      'tenants.d/more/c.yml': tenant('c'),
      'tenants.d/a.secret': strong,
      'tenants.d/b.secret': strong,
      'tenants.d/more/c.secret': strong,
    });
    expect([...(await loadSound()).policy.tenants.keys()]).toEqual(['a', 'b', 'c']);
  });

  test('takes one file by two patterns once', async () => {
    write({
      'config.yaml': `${main}include: [tenants.d/*.yaml, tenants.d/a.yaml, ./tenants.d/../tenants.d/a.yaml]\n`,
      'tenants.d/a.yaml': tenant('a'),
      'tenants.d/a.secret': strong,
    });
    expect((await loadSound()).policy.tenants.size).toBe(1);
  });

  test('of a file that is not there is a problem, of a pattern that matches nothing a warning', async () => {
    write({ 'config.yaml': `${main}include: [gone.yaml, tenants.d/*.yaml]\n${tenant('a')}`, 'a.secret': strong });
    expect(await messages()).toEqual([
      'config.yaml:2 include[0] gone.yaml does not exist',
      'config.yaml:2 include[1] matches no file',
    ]);
  });

  test('in a circle is a problem where the circle closes', async () => {
    write({
      'config.yaml': `${main}include: ['*.yaml']\n`,
      'a.yaml': 'include: [b.yaml]\n',
      'b.yaml': 'include: [a.yaml]\n',
    });
    expect(await messages()).toEqual([
      'config.yaml there are no tenants, so every request would be refused',
      'config.yaml:2 include[0] includes config.yaml, which includes this file',
    ]);
    write({ 'config.yaml': `${main}include: [a.yaml]\n` });
    expect(await messages()).toEqual([
      'b.yaml:1 include[0] includes a.yaml, which includes this file',
      'config.yaml there are no tenants, so every request would be refused',
    ]);
  });

  test('holds tenants, templates and includes only, and each tenant once over all files', async () => {
    write({
      'config.yaml': `${main}include: [a.yaml, b.yaml]\n`,
      'a.yaml': `listen: 127.0.0.1:1\nlisten2: x\n${tenant('a')}`,
      'b.yaml': tenant('a'),
      'a.secret': strong,
    });
    expect(await messages()).toEqual([
      'a.yaml:1 listen belongs in the main file, not in an included one',
      'a.yaml:2 listen2 unknown key',
      'b.yaml:1 tenants.a stands in two files',
    ]);
  });

  test('uses templates of any file', async () => {
    write({
      'config.yaml': `${main}templates: {app: {secret: {file: app.secret}}}\ninclude: [b.yaml, a.yaml]\n`,
      'a.yaml': 'templates: {more: {template: app, mode: report}}\n',
      'b.yaml': 'tenants: {b: {template: more}}\n',
      'app.secret': strong,
    });
    expect((await loadSound()).policy.tenants.get('b')?.mode).toBe('report');
  });

  test('follows a ConfigMap mount by its visible names only, and sees the swap of ..data', async () => {
    write({ 'config.yaml': `${main}include: ['mount/**/*.yaml']\n`, 'mount/..1/a.yaml': tenant('a') });
    write({ 'mount/..1/a.secret': strong, 'mount/..2/a.yaml': `${tenant('a')}templates: {t: {mode: report}}\n` });
    write({ 'mount/..2/a.secret': 'y'.repeat(32) });
    symlinkSync('..1', join(directory, 'mount/..data'));
    symlinkSync('..data/a.yaml', join(directory, 'mount/a.yaml'));
    symlinkSync('..data/a.secret', join(directory, 'mount/a.secret'));
    const before = await loadSound();
    expect([...before.policy.tenants.keys()]).toEqual(['a']);
    symlinkSync('..2', join(directory, 'mount/..new'));
    renameSync(join(directory, 'mount/..new'), join(directory, 'mount/..data'));
    const after = await loadSound();
    expect(after.policy.hash).not.toBe(before.policy.hash);
    expect(after.policy.tenants.get('a')?.fingerprint).not.toBe(before.policy.tenants.get('a')?.fingerprint);
  });
});

describe('a file', () => {
  test.each([
    ['is missing', () => {}, 'config.yaml does not exist'],
    ['is a directory', () => mkdirSync(join(directory, 'config.yaml')), 'config.yaml is not a file'],
    [
      'is a FIFO, which must not hold up the start',
      () => execFileSync('mkfifo', [join(directory, 'config.yaml')]),
      'config.yaml is not a file',
    ],
    [
      'is empty',
      () => write({ 'config.yaml': '\n# nothing\n' }),
      'config.yaml there are no tenants, so every request would be refused',
    ],
    ['is a list', () => write({ 'config.yaml': '[]' }), 'config.yaml:1 must hold an object'],
    [
      'is not UTF-8',
      () => write({ 'config.yaml': Buffer.from([0x61, 0x3a, 0x20, 0xff]) }),
      'config.yaml is not UTF-8 text',
    ],
  ])('that %s is said to be so', async (_, make, message) => {
    make();
    expect(await messages()).toEqual([message]);
  });

  test.skipIf(process.getuid?.() === 0)('that may not be read is said to be so', async () => {
    write({ 'config.yaml': main });
    chmodSync(join(directory, 'config.yaml'), 0);
    expect(await messages()).toEqual(['config.yaml may not be read by this process']);
  });

  describe('of several megabytes', () => {
    // Wherever it is cut, it is within a character.
    const padding = `# ${'🛂'.repeat(700_000)}\n`;

    test('is read as any other', async () => {
      const text = `${padding}#${padding}${main}${tenant('a')}`;
      write({ 'config.yaml': text, 'a.secret': strong });
      expect((await loadSound()).texts.chars).toBe(text.length);
    });

    test.each([
      ['has a byte in its midst that is none', Buffer.concat([Buffer.from(padding), Buffer.from([0xff, 0x0a])])],
      ['ends within a character', Buffer.from(padding).subarray(0, -3)],
    ])('that %s is said to be no text', async (_, bytes) => {
      write({ 'config.yaml': bytes });
      expect(await messages()).toEqual(['config.yaml is not UTF-8 text']);
    });
  });

  test('with a byte order mark and Windows line ends is read as any other', async () => {
    write({ 'config.yaml': `\ufeff${main}${tenant('a')}`.replaceAll('\n', '\r\n'), 'a.secret': strong });
    expect((await loadSound()).policy.tenants.size).toBe(1);
  });
});

describe('a secret file', () => {
  const config = `${main}tenants: {a: {secret: {file: a.secret}}}\n`;
  const fingerprint = async () => (await loadSound()).policy.tenants.get('a')?.fingerprint;

  test.each([
    ['LF', '\n'],
    ['CR LF', '\r\n'],
  ])('may end with one %s, which is not part of the secret', async (_, lineEnd) => {
    write({ 'config.yaml': config, 'a.secret': strong });
    const plain = await fingerprint();
    write({ 'a.secret': `${strong}${lineEnd}` });
    expect(await fingerprint()).toBe(plain);
    write({ 'a.secret': `${strong}${lineEnd}${lineEnd}` });
    expect(await fingerprint()).not.toBe(plain);
  });

  test('is read again at every load, and a new one changes hash, fingerprint and the digest of its tenant', async () => {
    write({ 'config.yaml': config, 'a.secret': strong });
    const before = await loadSound();
    write({ 'a.secret': 'y'.repeat(32) });
    const after = await loadSound();
    expect(after.policy.hash).not.toBe(before.policy.hash);
    expect(after.tenantHashes.get('a')).not.toBe(before.tenantHashes.get('a'));
    expect(after.policy.tenants.get('a')?.fingerprint).not.toBe(before.policy.tenants.get('a')?.fingerprint);
    expect(after.policy.generation).toBeGreaterThan(before.policy.generation);
  });

  test('that everybody can read is a warning', async () => {
    write({ 'config.yaml': config, 'a.secret': strong });
    expect(await messages()).toEqual([]);
    chmodSync(join(directory, 'a.secret'), 0o604);
    expect(await messages()).toEqual([
      'config.yaml:2 tenants.a.secret.file every user of this machine can read the file',
    ]);
  });

  test.each([
    ['is missing', undefined, 'a.secret does not exist'],
    ['is empty', '', 'the secret is empty'],
    ['is a line break only', '\n', 'the secret is empty'],
    ['is too short', 'x'.repeat(31), 'the secret has 31 bytes, HS256 needs 32 (RFC 7518 section 3.2)'],
    ['is not text', Buffer.from([0xff, 0xfe]), 'the file does not hold UTF-8 text'],
  ])('that %s is a problem', async (_, content, message) => {
    write({ 'config.yaml': config });
    if (content !== undefined) write({ 'a.secret': content });
    expect(await messages()).toEqual([`config.yaml:2 tenants.a.secret.file ${message}`]);
  });
});
