import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { versionProblems } from '../../tools/release/check-version.ts';
import { findVersions, setVersions } from '../../tools/release/version-places.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { hasNpm, npm, systemPath } from '../support/system-npm.ts';

// test/packaged holds the executable and its bill of materials to package.json's version, too.
const root = resolve(import.meta.dirname, '../..');
const { version } = packageJson;
/** Where a version may stand: what is not ours, or not of today, is left out. */
const named = ['*.{md,json,yaml}', 'Dockerfile', '{docs,deploy,examples,.github}/**/*.{md,yaml,yml,json,txt,service}'];
const hasGit = spawnSync('git', ['--version']).status === 0;

describe('this repository', () => {
  test('says one version everywhere', () => {
    expect(versionProblems(root)).toEqual([]);
  });

  test.each([
    'CHANGELOG.md',
    'Dockerfile',
    'deploy/helm/jwtgate/Chart.yaml',
    'deploy/kubernetes/overlays/egress-signer/signer/kustomization.yaml',
    'deploy/kubernetes/overlays/gateway/kustomization.yaml',
    'deploy/kubernetes/overlays/sidecar/kustomization.yaml',
    'deploy/kubernetes/pod.yaml',
    'docs/kubernetes.md',
    'package-lock.json',
  ])('%s is found out where it says another', (file) => {
    const copy = copyOf(root);
    const text = readFileSync(join(root, file), 'utf8');
    const place = file === 'CHANGELOG.md' ? `## ${version}` : version;
    writeFileSync(join(copy, file), text.replace(place, place.replace(version, '9.8.7')));
    expect(versionProblems(copy).join('\n')).toContain(file);
  });

  test('names it in no place that nobody looks after', () => {
    const known = new Set(findVersions(root).map(({ file, line }) => `${file}:${line}`));
    const all = namedFiles(root).flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((text, index) => (isOurs(text) ? [`${file}:${index + 1}`] : [])),
    );
    const others = all.filter((place) => !known.has(place) && !/^(?:CHANGELOG|docs\/releasing)\.md/.test(place));
    expect(others).toEqual([]);
    expect(all.length).toBeGreaterThanOrEqual(known.size - 1); // It can find some.
  });
});

describe('a tag', () => {
  let copy: string;
  beforeEach(() => {
    copy = copyOf(root);
    const changelog = readFileSync(join(copy, 'CHANGELOG.md'), 'utf8');
    writeFileSync(join(copy, 'CHANGELOG.md'), changelog.replace(/^## .*$/m, `## ${version} (2026-11-22)`));
  });

  test('is of this version, with a day in the changelog', () => {
    expect(versionProblems(copy, `v${version}`)).toEqual([]);
    expect(release('check-version', '--root', copy, '--tag', `v${version}`)).toMatchObject({ status: 0 });
  });

  test.each(['v9.9.9', version, `v${version}-rc.1`])('%s of another, or without its v, releases nothing', (tag) => {
    expect(versionProblems(copy, tag)).toEqual([`the tag is ${tag}; package.json says ${version}`]);
    expect(release('check-version', '--root', copy, '--tag', tag)).toMatchObject({ status: 1 });
  });

  test('before the changelog has a day releases nothing', () => {
    cpSync(join(root, 'CHANGELOG.md'), join(copy, 'CHANGELOG.md'));
    const text = readFileSync(join(copy, 'CHANGELOG.md'), 'utf8').replace(/^## .*$/m, `## ${version} (unreleased)`);
    writeFileSync(join(copy, 'CHANGELOG.md'), text);
    expect(versionProblems(copy, `v${version}`)).toEqual([expect.stringContaining('unreleased')]);
  });
});

describe('a new version', () => {
  test('is written everywhere in one go', () => {
    const copy = copyOf(root);
    const { status, stderr } = release('set-version', '7.6.5-rc.1', '--root', copy, '--date', '2027-01-02');
    expect([status, stderr]).toEqual([0, '']);
    expect(versionProblems(copy, 'v7.6.5-rc.1')).toEqual([]);
    expect(readFileSync(join(copy, 'CHANGELOG.md'), 'utf8')).toContain('## 7.6.5-rc.1 (2027-01-02)\n');
    // And nothing but versions changes.
    for (const { file } of findVersions(copy)) {
      const plain = (text: string) => text.replaceAll(version, 'V').replaceAll('7.6.5-rc.1', 'V');
      expect(plain(readFileSync(join(copy, file), 'utf8'))).toBe(plain(readFileSync(join(root, file), 'utf8')));
    }
  });

  test('that has nothing new in the changelog is refused, and nothing changes', () => {
    const copy = copyOf(root);
    release('set-version', version, '--root', copy, '--date', '2027-01-02');
    const { status, stderr } = release('set-version', '7.6.5', '--root', copy);
    expect([status, stderr]).toEqual([1, expect.stringContaining('what is new in 7.6.5?')]);
    expect(versionProblems(copy, `v${version}`)).toEqual([]);
  });

  test.each(['1.2', 'v1.2.3', '1.2.3+build', '1.2.3 ', '; rm -rf /'])('%j is none', (text) => {
    expect(release('set-version', text, '--root', copyOf(root))).toMatchObject({ status: 1 });
  });

  test('a place that is gone is an error, not one less', () => {
    const copy = copyOf(root);
    writeFileSync(join(copy, 'Dockerfile'), 'FROM scratch\n');
    expect(() => setVersions(copy, '7.6.5')).toThrow('Dockerfile');
  });

  test.skipIf(!hasNpm || !hasGit)('is all in one commit with its tag: npm version (npm, git)', () => {
    const copy = copyOf(root);
    cpSync(join(root, 'tools'), join(copy, 'tools'), { recursive: true });
    // The scripts start here, and would install.
    writeFileSync(
      join(copy, 'tools/ready.js'),
      `import { spawnSync } from 'node:child_process';
       const [, ...args] = process.argv.slice(2);
       process.exit(spawnSync(${JSON.stringify(process.execPath)}, args, { stdio: 'inherit' }).status);`,
    );
    const git = (...args: string[]) => {
      const env = { PATH: systemPath, HOME: copy, GIT_CONFIG_NOSYSTEM: '1' };
      return spawnSync('git', args, { cwd: copy, env, encoding: 'utf8' }).stdout.trim();
    };
    git('init', '-q');
    git('config', 'user.name', 'A Maintainer');
    git('config', 'user.email', 'maintainer@example.com');
    git('add', '-A');
    git('commit', '-qm', 'All');
    const { status, stderr } = npm('npm', ['version', '7.6.5'], { cwd: copy, home: copy });
    expect(status, stderr).toBe(0);
    expect(git('tag')).toBe('v7.6.5');
    expect(git('status', '--short', '--untracked-files=no')).toBe('');
    expect(git('show', '--stat', 'v7.6.5').includes('deploy/helm/jwtgate/Chart.yaml')).toBe(true);
    expect(versionProblems(copy, 'v7.6.5')).toEqual([]);
  });
});

/** Of all files that may name a version. */
function copyOf(from: string): string {
  const copy = newFolder();
  for (const file of [...namedFiles(from), '.npmrc', '.gitignore']) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(from, file), join(copy, file));
  }
  return copy;
}

function namedFiles(folder: string): string[] {
  return named.flatMap((pattern) => globSync(pattern, { cwd: folder })).sort();
}

/** A dependency may have this version by chance: ours is named, or is an image's tag. */
function isOurs(text: string): boolean {
  const escaped = version.replaceAll('.', String.raw`\.`);
  return new RegExp(
    `(?:jwtgate[:@/ -]v?|newTag: |VERSION=|^(?:version|appVersion): |^  "version": ")${escaped}\\b`,
  ).test(text);
}

function release(...args: string[]) {
  return spawnSync(process.execPath, [join(root, 'tools/release/main.ts'), ...args], { encoding: 'utf8' });
}
