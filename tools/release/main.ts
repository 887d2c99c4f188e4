// `npm run release -- VERB`: the steps of a release that need no credentials. docs/releasing.md has them in order.
// Imports no package: where releases are signed, `node tools/release/main.ts VERB` runs with nothing installed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeArchives } from './archives.ts';
import { dateTopSection, releaseNotes } from './changelog.ts';
import { versionProblems } from './check-version.ts';
import { writeChecksums } from './checksums.ts';
import { setVersions, versionPattern } from './version-places.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tag: { type: 'string' },
    date: { type: 'string', default: new Date().toISOString().slice(0, 10) },
    out: { type: 'string', default: 'release' },
    root: { type: 'string', default: resolve(import.meta.dirname, '../..') },
  },
});
const { tag, date, root } = values;
const out = resolve(root, values.out);

const verbs: Readonly<Record<string, (argument: string | undefined) => void>> = {
  /** Everything that names a version names package.json's; with --tag, that is what is to be released. */
  'check-version': () => {
    const problems = versionProblems(root, tag);
    if (problems.length > 0) throw new Error(problems.join('\n'));
    console.log(currentVersion());
  },
  /** Everything that names a version gets this one, and CHANGELOG.md the day: part of `npm version`. */
  'set-version': (version = currentVersion()) => {
    if (!versionPattern.test(version)) throw new Error(`${version} is not like 1.2.3, or 1.2.3-rc.1`);
    const changelog = join(root, 'CHANGELOG.md');
    const dated = dateTopSection(readFileSync(changelog, 'utf8'), version, date);
    setVersions(root, version);
    writeFileSync(changelog, dated);
    console.log(`${version} (${date})`);
  },
  notes: (version = currentVersion()) => {
    process.stdout.write(releaseNotes(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version));
  },
  archives: () => console.log(makeArchives(root, out).join('\n')),
  checksums: () => process.stdout.write(writeChecksums(out)),
};

const [verb = '', argument] = positionals;
const run = verbs[verb];
try {
  if (run === undefined) throw new Error(`which of ${Object.keys(verbs).join(', ')}?`);
  run(argument);
} catch (error) {
  console.error(`release: ${(error as Error).message}`);
  process.exitCode = 1;
}

function currentVersion(): string {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
}
