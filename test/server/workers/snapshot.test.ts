import { expect, test } from 'vitest';
import type { ConfigDeps } from '../../../src/config/deps.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { readingOf, recordSnapshot } from '../../../src/server/workers/snapshot.ts';

const main = '/etc/jwtgate/config.yaml';
const tenant = (id: string, secret: string) => `tenants: {${id}: {match: {path: /${id}/**}, secret: ${secret}}}\n`;

/** A disk on which every look finds another content. */
function restlessDisk(): Pick<ConfigDeps, 'env' | 'readFile' | 'glob'> & { readonly reads: string[] } {
  const reads: string[] = [];
  const texts = (): Record<string, string> => ({
    [main]: `upstream: http://127.0.0.1:1\ninclude: ["tenants.d/*.yaml"]\n${tenant('acme', '{file: shared.txt}')}`,
    '/etc/jwtgate/tenants.d/a.yaml': tenant('globex', '{file: ../shared.txt}'),
    '/etc/jwtgate/tenants.d/b.yaml': tenant('initech', '{env: INITECH_SECRET}'),
    '/etc/jwtgate/shared.txt': `a-secret-of-more-than-32-bytes-as-of-read-${reads.length}`,
  });
  return {
    reads,
    env: { INITECH_SECRET: 'an-environment-secret-of-32-bytes', UNRELATED: 'nobody looks at it' },
    async readFile(path) {
      const text = texts()[path];
      reads.push(path);
      return text === undefined ? { fault: 'missing' } : { bytes: Buffer.from(text), mode: 0o600 };
    },
    glob: async () => ['/etc/jwtgate/tenants.d/b.yaml', '/etc/jwtgate/tenants.d/a.yaml'],
  };
}

test('what was loaded is loaded once more from the record, to the byte, whatever the files hold by then', async () => {
  const disk = restlessDisk();
  const recording = recordSnapshot(disk);
  const first = await loadConfig(main, recording.reading);
  const { length } = disk.reads;
  if (!first.ok) throw new Error(JSON.stringify(first.problems));
  const snapshot = structuredClone(recording.taken());
  for (let i = 0; i < 2; i++) {
    const again = await loadConfig(main, readingOf(snapshot));
    expect(again.ok && again.policy.hash).toBe(first.policy.hash);
  }
  expect(disk.reads).toHaveLength(length);
  const anew = await loadConfig(main, recordSnapshot(disk).reading);
  expect(anew.ok && anew.policy.hash).not.toBe(first.policy.hash);
});

test('a file that changes between two reads of one load is read once', async () => {
  const recording = recordSnapshot(restlessDisk());
  const path = '/etc/jwtgate/shared.txt';
  const [one, two] = await Promise.all([recording.reading.readFile(path), recording.reading.readFile(path)]);
  expect(two).toEqual(one);
  expect(await recording.reading.readFile(path)).toEqual(one);
});

test('of the environment it holds what the config asks for, and nothing else', async () => {
  const recording = recordSnapshot(restlessDisk());
  await loadConfig(main, recording.reading);
  expect(recording.taken().env).toEqual({ INITECH_SECRET: 'an-environment-secret-of-32-bytes' });
});

test('what is not in it is not there', async () => {
  const reading = readingOf({ files: new Map(), globs: new Map(), env: {} });
  expect(await reading.readFile('/etc/passwd')).toEqual({ fault: 'missing' });
  expect(await reading.glob('/etc/*')).toEqual([]);
});
