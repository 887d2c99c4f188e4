import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { newFolder } from '../support/scratch-folder.ts';
import { hasNpm, systemPath } from '../support/system-npm.ts';

// The scripts of a release, in a project of their own, with stand-ins for the programs that speak to others: each tells
// what it was called with, and what came by its standard input.
const root = resolve(import.meta.dirname, '../..');
const digest = `sha256:${'ab'.repeat(32)}`;
const hasBash = spawnSync('bash', ['--version']).status === 0;

let project: string;
let path: string;

beforeEach(() => {
  project = newFolder();
  path = newFolder();
  cpSync(join(root, 'tools'), join(project, 'tools'), { recursive: true });
  writePackage('1.2.3');
  writeFileSync(join(project, 'CHANGELOG.md'), '# Changes\n\n## 1.2.3 (2026-11-22)\n\n- News.\n');
  mkdirSync(join(project, 'release'));
  for (const name of ['docker', 'cosign', 'gh', 'npm', 'git']) standIn(name);
});

describe.skipIf(!hasBash)('tools/release/image (bash)', () => {
  const repository = { IMAGE_REPOSITORY: 'registry.example/team/jwtgate' };

  test('logs in by its standard input: no command line shows the token', () => {
    const env = { ...repository, REGISTRY_USER: 'bot', REGISTRY_TOKEN: 'very secret' };
    const { stdout, stderr } = run('image', ['login'], env);
    expect(calls('docker')).toEqual(['login --username bot --password-stdin registry.example']);
    expect(readFileSync(join(path, 'docker.stdin'), 'utf8')).toBe('very secret');
    expect(stdout + stderr).not.toContain('very secret');
  });

  test('builds for this machine, and names version and commit', () => {
    standIn('git', 'echo 0123456789ab');
    expect(run('image', ['build'], repository).status).toBe(0);
    expect(calls('docker')).toEqual([
      'buildx build --push --provenance=false --build-arg VERSION=1.2.3 --build-arg COMMIT=0123456789ab ' +
        `--tag registry.example/team/jwtgate:1.2.3-${process.arch} .`,
    ]);
  });

  test('joins both under one name, and signs them by digest, not by a name that could move', () => {
    standIn('docker', `case $* in *inspect*) echo '{"digest": "${digest}"}' ;; esac`);
    const output = join(project, 'output');
    expect(run('image', ['join'], { ...repository, GITHUB_OUTPUT: output }).status).toBe(0);
    const name = 'registry.example/team/jwtgate';
    expect(calls('docker')[0]).toBe(
      `buildx imagetools create --tag ${name}:1.2.3 ${name}:1.2.3-x64 ${name}:1.2.3-arm64`,
    );
    expect(calls('cosign')).toEqual([`sign --yes --recursive ${name}@${digest}`]);
    expect(readFileSync(output, 'utf8')).toBe(`digest=${digest}\n`);
  });

  test('signs nothing where there is no digest', () => {
    standIn('docker', `case $* in *inspect*) echo '{"digest": "latest"}' ;; esac`);
    expect(run('image', ['join'], repository)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('no digest'),
    });
    expect(calls('cosign')).toEqual([]);
  });

  test.each([
    ['a repository', ['build'], {}],
    ['a verb', [], repository],
  ])('does nothing without %s, and says what it needs', (_, args, env) => {
    const { status, stderr } = run('image', args, env);
    expect([status === 0, stderr]).toEqual([
      false,
      expect.stringMatching(/IMAGE_REPOSITORY|tools\/release\/image login/),
    ]);
    expect(calls('docker')).toEqual([]);
  });
});

describe.skipIf(!hasBash)('tools/release/sign (bash)', () => {
  test('signs every file once, also when it runs again', () => {
    for (const name of ['SHA256SUMS', 'a.tar.xz', 'a.tar.xz.sigstore.json']) write(`release/${name}`, '');
    expect(run('sign', []).status).toBe(0);
    expect(calls('cosign')).toEqual(
      ['SHA256SUMS', 'a.tar.xz'].map(
        (file) => `sign-blob --yes --new-bundle-format --bundle release/${file}.sigstore.json release/${file}`,
      ),
    );
  });

  test('ends with the first that fails', () => {
    write('release/a', '');
    write('release/b', '');
    standIn('cosign', 'exit 3');
    expect(run('sign', []).status).toBe(3);
    expect(calls('cosign')).toHaveLength(1);
  });
});

describe.skipIf(!hasBash)('tools/release/publish (bash)', () => {
  test('github: a draft with all files and the notes, and only then seen', () => {
    write('release/SHA256SUMS', '');
    write('release/a.tar.xz', '');
    expect(run('publish', ['github'])).toMatchObject({ status: 0, stderr: '' });
    expect(calls('gh')).toEqual([
      'release create v1.2.3 --verify-tag --draft --prerelease=false --title jwtgate 1.2.3 --notes-file - release/SHA256SUMS release/a.tar.xz',
      'release edit v1.2.3 --draft=false',
    ]);
    expect(readFileSync(join(path, 'gh.stdin'), 'utf8')).toBe('- News.\n');
  });

  test('github: nobody sees half a release', () => {
    write('release/SHA256SUMS', '');
    standIn('gh', 'case $* in *create*) exit 1 ;; esac');
    expect(run('publish', ['github']).status).not.toBe(0);
    expect(calls('gh')).toHaveLength(1);
  });

  test('github: a version without notes is not released', () => {
    writePackage('1.3.0');
    write('release/SHA256SUMS', '');
    expect(run('publish', ['github'])).toMatchObject({ stderr: expect.stringContaining('says nothing of 1.3.0') });
    expect(calls('gh')).toEqual([]);
  });

  test.each([
    ['1.2.3', 'latest'],
    ['1.2.3-rc.1', 'next'],
  ])('npm: %s goes out as %s, with its provenance', (version, tag) => {
    writePackage(version);
    expect(run('publish', ['npm']).status).toBe(0);
    expect(calls('npm')).toEqual([
      `publish release/jwtgate-${version}.tgz --ignore-scripts --provenance --access public --tag ${tag}`,
    ]);
  });
});

describe.skipIf(!hasBash || !hasNpm)('tools/release/npm-package (bash, npm)', () => {
  const env = { REPOSITORY_URL: 'https://git.example/team/jwtgate', PATH: systemPath };

  test('packs what is built, with where it was built, and leaves package.json as it was', () => {
    const before = writePackage('1.2.3', { files: ['dist/*.cjs'], scripts: { prepack: 'exit 1' } });
    write('dist/jwtgate.cjs', '');
    const { status, stderr } = run('npm-package', [], env);
    expect(status, stderr).toBe(0);
    expect(readdirSync(join(project, 'release'))).toEqual(['jwtgate-1.2.3.tgz']);
    const packed = spawnSync('tar', [
      '-xzOf',
      join(project, 'release/jwtgate-1.2.3.tgz'),
      'package/package.json',
    ]).stdout;
    expect(JSON.parse(packed.toString()).repository).toEqual({
      type: 'git',
      url: 'git+https://git.example/team/jwtgate.git',
    });
    expect(readFileSync(join(project, 'package.json'), 'utf8')).toBe(before);
  });

  test('packs nothing where nothing is built', () => {
    expect(run('npm-package', [], env)).toMatchObject({ status: 1, stderr: expect.stringContaining('npm run build') });
    expect(readdirSync(join(project, 'release'))).toEqual([]);
  });
});

function run(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const node = resolve(process.execPath, '..');
  return spawnSync('bash', [join(project, 'tools/release', script), ...args], {
    cwd: '/',
    env: { PATH: `${path}:${node}:/usr/bin:/bin`, HOME: path, ...env },
    encoding: 'utf8',
  });
}

function standIn(name: string, script = ''): void {
  const text = `#!/bin/sh\necho "$*" >> '${path}/${name}.calls'\n[ -p /dev/stdin ] && cat > '${path}/${name}.stdin'\n${script || ':'}\n`;
  writeFileSync(join(path, name), text, { mode: 0o755 });
}

function calls(name: string): string[] {
  const file = join(path, `${name}.calls`);
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

function write(file: string, text: string): void {
  mkdirSync(resolve(join(project, file), '..'), { recursive: true });
  writeFileSync(join(project, file), text);
}

function writePackage(version: string, more: object = {}): string {
  const text = `${JSON.stringify({ name: 'jwtgate', version, type: 'module', ...more }, null, 2)}\n`;
  write('package.json', text);
  return text;
}
