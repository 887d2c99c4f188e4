import { writeFileSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { WatchedPaths } from '../../src/ops/content-hash.ts';
import { watchFiles } from '../../src/ops/watch.ts';
import { newFolder } from '../support/scratch-folder.ts';

const watches: { close(): void }[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
});

/** Watches, and resolves each `change()` with the next call of onChange. */
async function follow(paths: () => WatchedPaths, options: { intervalMs?: number; loadedAtMs?: number } = {}) {
  let changes = 0;
  let wake: (() => void) | undefined;
  const problems: string[] = [];
  const watch = watchFiles({
    paths,
    onChange: async () => {
      changes++;
      wake?.();
    },
    onProblem: (problem) => void problems.push(problem),
    loadedAtMs: options.loadedAtMs ?? Number.POSITIVE_INFINITY,
    quietMs: 20,
    intervalMs: options.intervalMs ?? 60_000,
  });
  watches.push(watch);
  await watch.ready;
  let handled = 0;
  return {
    problems,
    changes: () => changes,
    async change() {
      handled++;
      while (changes < handled) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

test("Kubernetes' swap of the ..data symlink is seen, every time", async () => {
  const volume = newFolder();
  const update = async (name: string, content: string) => {
    await mkdir(join(volume, name));
    await writeFile(join(volume, name, 'config.yaml'), content);
    await symlink(name, join(volume, '..data_tmp'));
    await rename(join(volume, '..data_tmp'), join(volume, '..data'));
  };
  await update('..2026_1', 'one');
  await symlink('..data/config.yaml', join(volume, 'config.yaml'));
  const followed = await follow(() => ({ files: [join(volume, 'config.yaml')], directories: [] }));
  for (let i = 2; i < 5; i++) {
    await update(`..2026_${i}`, `content ${i}`);
    await rm(join(volume, `..2026_${i - 1}`), { recursive: true });
    await followed.change();
  }
});

test("an editor's rename over the file is seen, every time", async () => {
  const folder = newFolder();
  const file = join(folder, 'config.yaml');
  await writeFile(file, 'one');
  const followed = await follow(() => ({ files: [file], directories: [] }));
  for (let i = 0; i < 3; i++) {
    await writeFile(`${file}.swp`, `content ${i}`);
    await rename(`${file}.swp`, file);
    await followed.change();
  }
});

test('a write in place is seen', async () => {
  const file = join(newFolder(), 'config.yaml');
  await writeFile(file, 'one');
  const followed = await follow(() => ({ files: [file], directories: [] }));
  await writeFile(file, 'two');
  await followed.change();
});

test('a file that a symlink leads to in another folder is followed too', async () => {
  const [folder, elsewhere] = [newFolder(), newFolder()];
  await writeFile(join(elsewhere, 'secret'), 'one');
  await symlink(join(elsewhere, 'secret'), join(folder, 'secret'));
  const followed = await follow(() => ({ files: [join(folder, 'secret')], directories: [] }));
  await writeFile(join(elsewhere, 'secret'), 'two');
  await followed.change();
});

test('a file that appears where an include pattern looks is a change, and is followed from then on', async () => {
  const folder = newFolder();
  const files: string[] = [];
  const followed = await follow(() => ({ files: [...files], directories: [folder] }));
  const file = join(folder, 'new.yaml');
  await writeFile(file, 'one');
  await followed.change();
  files.push(file);
  await writeFile(file, 'two');
  await followed.change();
});

test('the same content written again is no change', async () => {
  const folder = newFolder();
  const file = join(folder, 'config.yaml');
  const other = join(folder, 'other.yaml');
  for (const path of [file, other]) writeFileSync(path, 'one');
  const followed = await follow(() => ({ files: [file, other], directories: [] }));
  // At once: the watch must not find the file empty meanwhile.
  writeFileSync(file, 'one');
  writeFileSync(`${file}.tmp`, 'one');
  await rename(`${file}.tmp`, file);
  writeFileSync(other, 'two');
  await followed.change();
  expect(followed.changes()).toBe(1);
});

test('a file that goes away and comes back is two changes, not an end of watching', async () => {
  const folder = newFolder();
  const file = join(folder, 'config.yaml');
  await writeFile(file, 'one');
  const followed = await follow(() => ({ files: [file], directories: [] }));
  await rm(file);
  await followed.change();
  await writeFile(file, 'one');
  await followed.change();
});

test('a folder that goes away and comes back is found again by the interval', async () => {
  const parent = newFolder();
  const folder = join(parent, 'conf');
  const file = join(folder, 'config.yaml');
  await mkdir(folder);
  await writeFile(file, 'one');
  const followed = await follow(() => ({ files: [file], directories: [] }), { intervalMs: 30 });
  await rm(folder, { recursive: true });
  await followed.change();
  await mkdir(folder);
  await writeFile(file, 'two');
  await followed.change();
});

test('what was written while the config was being read counts as a change', async () => {
  const file = join(newFolder(), 'config.yaml');
  const loadedAtMs = Date.now();
  await writeFile(file, 'one');
  const followed = await follow(() => ({ files: [file], directories: [] }), { loadedAtMs });
  await followed.change();
});
