import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { makeArchives } from '../../tools/release/archives.ts';
import { writeChecksums } from '../../tools/release/checksums.ts';
import { newFolder } from '../support/scratch-folder.ts';

// A repository whose executables are a few bytes: `npm run build` makes the real ones.
const root = resolve(import.meta.dirname, '../..');
const other = process.arch === 'x64' ? 'arm64' : 'x64';
const hasTools = ['tar', 'xz', 'gzip', 'sha256sum'].every((tool) => spawnSync(tool, ['--version']).status === 0);

let project: string;
let out: string;

beforeEach(() => {
  project = newFolder();
  out = join(project, 'release');
  for (const file of ['LICENSE', 'README.md', 'CHANGELOG.md', 'config.example.yaml', 'config.schema.json']) {
    cpSync(join(root, file), join(project, file));
  }
  writeFileSync(join(project, 'package.json'), '{"version": "1.2.3"}');
  mkdirSync(join(project, 'dist'));
  build('jwtgate', 'of this machine');
  build(`jwtgate-linux-${other}`, 'of the other');
  writeFileSync(join(project, 'dist/THIRD-PARTY-LICENSES.txt'), 'licences');
});

describe.skipIf(!hasTools)('the archives of a release (tar, xz, gzip, sha256sum)', () => {
  test('are an xz and a gz for each machine, with the bill of materials beside them', () => {
    const names = makeArchives(project, out).sort();
    expect(names).toEqual([
      'jwtgate-1.2.3-linux-arm64.tar.gz',
      'jwtgate-1.2.3-linux-arm64.tar.xz',
      'jwtgate-1.2.3-linux-x64.tar.gz',
      'jwtgate-1.2.3-linux-x64.tar.xz',
      'jwtgate-linux-arm64.cdx.json',
      'jwtgate-linux-x64.cdx.json',
    ]);
    expect(readdirSync(out).sort()).toEqual(names);
    expect(readFileSync(join(out, `jwtgate-linux-${other}.cdx.json`), 'utf8')).toBe('of the other, its bill');
  });

  test.each(['xz', 'gz'])('hold the executable, ready to run, with licences and an example: %s', (kind) => {
    makeArchives(project, out);
    const name = `jwtgate-1.2.3-linux-${other}`;
    execFileSync('tar', ['-xf', join(out, `${name}.tar.${kind}`), '-C', project]);
    expect(readdirSync(join(project, name)).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'THIRD-PARTY-LICENSES.txt',
      'config.example.yaml',
      'config.schema.json',
      'jwtgate',
    ]);
    expect(readFileSync(join(project, name, 'jwtgate'), 'utf8')).toBe('of the other');
    expect(statSync(join(project, name, 'jwtgate')).mode & 0o777).toBe(0o755);
  });

  test('have the same bytes whenever, and by whomever, they are made', () => {
    makeArchives(project, out);
    const before = writeChecksums(out);
    const umask = process.umask(0o077);
    try {
      build('jwtgate', 'of this machine');
      utimesSync(join(project, 'LICENSE'), 1, 1);
      makeArchives(project, out);
    } finally {
      process.umask(umask);
    }
    expect(writeChecksums(out)).toBe(before);
  });

  test('are of nothing where nothing was built', () => {
    const empty = newFolder();
    writeFileSync(join(empty, 'package.json'), '{"version": "1.2.3"}');
    expect(() => makeArchives(empty, join(empty, 'release'))).toThrow('npm run build');
  });

  test('are told damaged by their checksums, which signatures are no part of', () => {
    makeArchives(project, out);
    writeFileSync(join(out, 'a.sigstore.json'), '{}');
    writeChecksums(out);
    const check = () => spawnSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: out, encoding: 'utf8' });
    expect(check().status).toBe(0);
    expect(check().stdout.trim().split('\n')).toHaveLength(6);
    writeFileSync(join(out, 'jwtgate-1.2.3-linux-x64.tar.gz'), 'damaged');
    expect(check().status).toBe(1);
  });
});

function build(name: string, text: string): void {
  writeFileSync(join(project, 'dist', name), text, { mode: 0o755 });
  writeFileSync(join(project, 'dist', `${name}.cdx.json`), `${text}, its bill`);
}
