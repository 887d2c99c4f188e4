// Where the version stands, but for CHANGELOG.md; package.json is the one that counts.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Semver 2.0, without build metadata: an image's tag can't hold a plus. */
const semver = String.raw`\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]*[0-9A-Za-z])?`;
export const versionPattern = new RegExp(`^${semver}$`);

/** Files, what has to stand before a version in them, and how often at least. */
const places: readonly (readonly [files: string, before: string, atLeast: number])[] = [
  ['package.json', '^  "version": "', 1],
  ['package-lock.json', String.raw`^\{\n  "name": "jwtgate",\n  "version": "`, 1],
  ['package-lock.json', String.raw`^    "": \{\n      "name": "jwtgate",\n      "version": "`, 1],
  ['Dockerfile', '^ARG VERSION=', 1],
  ['deploy/helm/jwtgate/Chart.yaml', '^version: ', 1],
  ['deploy/helm/jwtgate/Chart.yaml', '^appVersion: ', 1],
  ['deploy/kubernetes/**/kustomization.yaml', '^    newTag: ', 3],
  ['deploy/kubernetes/**/*.yaml', String.raw`image: \S+/jwtgate:`, 1],
  ['{README.md,docs/**/*.md}', '\\bjwtgate[:@]', 1],
];

export interface VersionPlace {
  /** From the root. */
  readonly file: string;
  readonly line: number;
  readonly version: string;
}

/** All of them; throws where one is gone, as the table is then out of date. */
export function findVersions(root: string): VersionPlace[] {
  return places.flatMap(([files, before, atLeast]) => {
    const found = globSync(files, { cwd: root })
      .sort()
      .flatMap((file) => versionsIn(file, readFileSync(join(root, file), 'utf8'), before));
    if (found.length < atLeast)
      throw new Error(`${files}: no version after ${before}: is version-places.ts out of date?`);
    return found;
  });
}

/** Writes it everywhere; returns the files that changed. */
export function setVersions(root: string, to: string): string[] {
  findVersions(root);
  const changed = new Set<string>();
  for (const [files, before] of places) {
    for (const file of globSync(files, { cwd: root })) {
      const text = readFileSync(join(root, file), 'utf8');
      const next = text.replace(pattern(before), (_, kept: string) => `${kept}${to}`);
      if (next === text) continue;
      writeFileSync(join(root, file), next);
      changed.add(file);
    }
  }
  return [...changed].sort();
}

function versionsIn(file: string, text: string, before: string): VersionPlace[] {
  return [...text.matchAll(pattern(before))].map((match) => ({
    file,
    line: text.slice(0, match.index + match[0].length).split('\n').length,
    version: match[2] as string,
  }));
}

function pattern(before: string): RegExp {
  return new RegExp(`(${before})(${semver})`, 'gm');
}
