import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseChangelog } from './changelog.ts';
import { findVersions, versionPattern } from './version-places.ts';

/** What is not this version, in a line each. A release has a tag, `v` and the version, and a day in CHANGELOG.md. */
export function versionProblems(root: string, tag?: string): string[] {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [top] = parseChangelog(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'));
  const others = findVersions(root).filter((place) => place.version !== version);
  return [
    ...(versionPattern.test(version) ? [] : [`package.json: ${version} is no version for a release`]),
    ...others.map((place) => `${place.file}:${place.line}: ${place.version} instead of ${version}`),
    ...(top?.version === version ? [] : [`CHANGELOG.md: the top section is of ${top?.version}, not of ${version}`]),
    ...(tag === undefined ? [] : tagProblems(tag, version, top?.date)),
  ];
}

function tagProblems(tag: string, version: string, date: string | undefined): string[] {
  return [
    ...(tag === `v${version}` ? [] : [`the tag is ${tag}; package.json says ${version}`]),
    ...(date === undefined ? [`CHANGELOG.md: ${version} is unreleased there: npm version dates it`] : []),
  ];
}
