import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runtimeFlags } from '../../tools/build/executable.ts';

// V8 puts most of its flags into a hash, and refuses a code cache that was made under another. Node's own modules have
// theirs built in, made without flags: an executable that can't use them starts half as slowly again.
test('the flags of the executable leave Node the code caches that are built into it', () => {
  expect(isCacheAccepted(runtimeFlags)).toBe(true);
  expect(isCacheAccepted([...runtimeFlags, '--heap-growing-percent=10'])).toBe(false); // It can say no.
});

function isCacheAccepted(flags: readonly string[]): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'jwtgate-flags-'));
  try {
    const file = JSON.stringify(join(folder, 'cache'));
    const script = `new (require('node:vm').Script)('1 + 1'`;
    run([], `require('node:fs').writeFileSync(${file}, ${script}).createCachedData())`);
    const told = run(
      flags,
      `console.log(${script}, { cachedData: require('node:fs').readFileSync(${file}) }).cachedDataRejected)`,
    );
    return told === 'false\n';
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(flags: readonly string[], code: string): string {
  return execFileSync(process.execPath, [...flags, '-e', code], { encoding: 'utf8' });
}
