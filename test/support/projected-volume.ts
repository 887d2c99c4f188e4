import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder } from './scratch-folder.ts';

/** A directory as the kubelet makes it of a ConfigMap or Secret. */
export interface ProjectedVolume {
  readonly path: string;
  /** Replaces all of its files at once: a new directory, to which the symlink `..data` is moved by a rename. */
  update(files: Readonly<Record<string, string>>): void;
}

export function createVolume(files: Readonly<Record<string, string>>): ProjectedVolume {
  const path = newFolder();
  let version = 0;
  const update = (next: Readonly<Record<string, string>>) => {
    version += 1;
    const directory = `..version_${version}`;
    mkdirSync(join(path, directory));
    for (const [name, text] of Object.entries(next)) {
      writeFileSync(join(path, directory, name), text, { mode: 0o440 });
    }
    symlinkSync(directory, join(path, '..data_tmp'));
    renameSync(join(path, '..data_tmp'), join(path, '..data'));
    const visible = readdirSync(path).filter((name) => !name.startsWith('..'));
    for (const name of Object.keys(next)) {
      if (!visible.includes(name)) symlinkSync(join('..data', name), join(path, name));
    }
    for (const name of visible) if (!(name in next)) rmSync(join(path, name));
    rmSync(join(path, `..version_${version - 1}`), { recursive: true, force: true });
  };
  update(files);
  return { path, update };
}
