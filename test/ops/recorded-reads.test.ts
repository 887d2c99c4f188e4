import { expect, test } from 'vitest';
import { recordReads } from '../../src/ops/recorded-reads.ts';

const reading = { readFile: async (path: string) => `content of ${path}`, glob: async () => [] };

test('what a load reads is what is watched, also when it was not there', async () => {
  const reads = recordReads(reading);
  const deps = reads.begin();
  expect(await deps.readFile('/c/config.yaml')).toBe('content of /c/config.yaml');
  await deps.readFile('/run/secrets/absent');
  await deps.readFile('/c/config.yaml');
  expect(reads.paths()).toEqual({ files: ['/c/config.yaml', '/run/secrets/absent'], directories: [] });
});

test.each([
  ['/c/tenants.d/*.yaml', '/c/tenants.d'],
  ['/c/*/tenant.yaml', '/c'],
  ['/c/t-*.yaml', '/c'],
  ['/c/{a,b}.yaml', '/c'],
  ['/*.yaml', '/'],
])('%s is looked for in %s', async (pattern, directory) => {
  const reads = recordReads(reading);
  await reads.begin().glob(pattern);
  expect(reads.paths().directories).toEqual([directory]);
});

test('the next load begins anew, whatever the one before it still reads', async () => {
  const reads = recordReads(reading);
  const before = reads.begin();
  await reads.begin().readFile('/b');
  await before.readFile('/a');
  expect(reads.paths().files).toEqual(['/b']);
});
