import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { root } from './root.ts';

/** A package of which at least one byte is in the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression, as its package.json says. */
  readonly license: string;
  readonly licenseText: string;
  readonly website: string | undefined;
  /** Of the package's archive, as package-lock.json pins it (Subresource Integrity). */
  readonly integrity: string;
}

/** Published without the text of their licence; it stands in the repository that they name. */
const textsNotPublished: Readonly<Record<string, string>> = {
  '@redis/client': join(import.meta.dirname, 'redis-client-license.txt'),
};

/** Which packages are in the bundle, by name; throws where one's licence can't be told. */
export function findBundledPackages(metafiles: readonly Metafile[]): BundledPackage[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const paths = new Set<string>();
  for (const { inputs } of metafiles.flatMap(({ outputs }) => Object.values(outputs))) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const path = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
      if (path !== undefined && bytesInOutput > 0) paths.add(path);
    }
  }
  return [...paths].sort().map((path) => describePackage(path, lock[path]?.integrity));
}

function describePackage(path: string, integrity: string | undefined): BundledPackage {
  const folder = join(root, path);
  const { name, version, license, homepage, repository } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  if (typeof license !== 'string') throw new Error(`${name} names no licence in its package.json`);
  if (integrity === undefined) throw new Error(`package-lock.json does not pin ${path}`);
  const website = homepage ?? repositoryPage(repository);
  return { name, version, license, licenseText: readLicense(name, folder), website, integrity };
}

function readLicense(name: string, folder: string): string {
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(entry));
  const path = file === undefined ? textsNotPublished[name] : join(folder, file);
  if (path === undefined || !existsSync(path)) throw new Error(`${name} carries no text of its licence`);
  return readFileSync(path, 'utf8').trim();
}

/** "github:a/b", "a/b" and {url: git+https://…} are all in use. */
function repositoryPage(repository: string | { url?: string } | undefined): string | undefined {
  const text = typeof repository === 'object' ? repository.url : repository;
  const [, path] = /(?:^|github(?:\.com[/:]|:))([\w.-]+\/[\w.-]+?)(?:\.git)?$/.exec(text ?? '') ?? [];
  return path === undefined ? undefined : `https://github.com/${path}`;
}
