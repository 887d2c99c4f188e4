import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dateTopSection, parseChangelog, releaseNotes } from '../../tools/release/changelog.ts';

const ours = readFileSync(resolve(import.meta.dirname, '../../CHANGELOG.md'), 'utf8');
const changelog = `# Changes

Newest first.

## 1.1.0 (unreleased)

- A thing that is long,
  and goes on.
- Another:
  - one
  - two

## 1.0.0 (2026-11-22)

The first.
`;

describe('the changelog', () => {
  test('of this repository has sections that a release can take its notes from, newest first', () => {
    const sections = parseChangelog(ours);
    expect(sections.length).toBeGreaterThan(0);
    for (const { text } of sections) expect(text).not.toBe('');
    const dates = sections.flatMap(({ date }) => date ?? []);
    expect(dates).toEqual([...dates].sort().reverse());
  });

  test('has a section for each version, with its day once it is out', () => {
    expect(parseChangelog(changelog).map(({ version, date }) => [version, date])).toEqual([
      ['1.1.0', undefined],
      ['1.0.0', '2026-11-22'],
    ]);
  });

  test.each(['## 1.1.0', '## [1.1.0] - 2026-11-22', '## Unreleased', '## 1.1.0 (soon)'])(
    '%s is no heading of one',
    (heading) => {
      expect(() => parseChangelog(changelog.replace(/^## .*$/m, heading))).toThrow('should be like');
    },
  );

  test("gets the day in its top section only, and that section the new version's name", () => {
    const dated = dateTopSection(changelog, '2.0.0', '2027-01-02');
    expect(dated).toBe(changelog.replace('1.1.0 (unreleased)', '2.0.0 (2027-01-02)'));
    expect(() => dateTopSection(dated, '2.1.0', '2027-01-03')).toThrow('what is new in 2.1.0?');
  });
});

describe('release notes', () => {
  test("are the section's, without the breaks that a page would show", () => {
    expect(releaseNotes(changelog, '1.1.0')).toBe(
      '- A thing that is long, and goes on.\n- Another:\n  - one\n  - two\n',
    );
    expect(releaseNotes(changelog, '1.0.0')).toBe('The first.\n');
  });

  test('of a version that it does not have are an error', () => {
    expect(() => releaseNotes(changelog, '3.0.0')).toThrow('says nothing of 3.0.0');
  });

  test('keep every word of this repository’s', () => {
    const words = (text: string) => text.split(/\s+/).filter(Boolean);
    const [top] = parseChangelog(ours);
    expect(words(releaseNotes(ours, top?.version ?? ''))).toEqual(words(top?.text ?? ''));
  });
});
