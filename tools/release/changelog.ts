// CHANGELOG.md: a section for each version, newest first, "## 1.2.3 (2026-11-22)" or "## 1.2.3 (unreleased)".

export interface Section {
  readonly version: string;
  /** Undefined: unreleased. */
  readonly date: string | undefined;
  /** What stands under the heading. */
  readonly text: string;
}

/** Throws where a heading is neither. */
export function parseChangelog(changelog: string): Section[] {
  const [, ...sections] = changelog.split(/^## /m);
  return sections.map((section) => {
    const [heading = '', ...lines] = section.split('\n');
    const [, version, when] = /^(\S+) \((unreleased|\d{4}-\d{2}-\d{2})\)$/.exec(heading) ?? [];
    if (version === undefined) throw new Error(`CHANGELOG.md: "## ${heading}" should be like "## 1.2.3 (unreleased)"`);
    return { version, date: when === 'unreleased' ? undefined : when, text: lines.join('\n').trim() };
  });
}

/** The top section becomes this version's, of this day; throws where another version was released last. */
export function dateTopSection(changelog: string, version: string, date: string): string {
  const [top] = parseChangelog(changelog);
  if (top === undefined || (top.date !== undefined && top.version !== version)) {
    throw new Error(`CHANGELOG.md: what is new in ${version}? Its top section should be "## ${version} (unreleased)"`);
  }
  return changelog.replace(/^## .*$/m, () => `## ${version} (${date})`);
}

/** What a release says of itself: the section's text, its lines joined where they are one paragraph. Throws where there is none. */
export function releaseNotes(changelog: string, version: string): string {
  const section = parseChangelog(changelog).find((one) => one.version === version);
  if (section === undefined || section.text === '') throw new Error(`CHANGELOG.md says nothing of ${version}`);
  // GitHub breaks lines of release notes where the text does.
  return `${section.text.replace(/(\S)\n {0,2}(?=[^\s*#|>-])/g, '$1 ')}\n`;
}
