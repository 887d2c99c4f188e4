import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { diskDeps } from '../../src/config/deps.ts';
import { formatProblems } from '../../src/config/format-problems.ts';
import { loadConfig } from '../../src/config/load.ts';

/*
 * Each cases/NAME.yaml is loaded, and what the load says must be cases/NAME.txt, to the letter. A new case needs no
 * code: add the .yaml, run with UPDATE_CASES=1, and read the .txt before you commit it.
 */

const directory = 'test/config/cases';
const update = process.env.UPDATE_CASES === '1';

const environment = {
  SET: 'filled',
  EMPTY: '',
  PORT: '9000',
  DOLLARS: 'a$$b${tenant}${X',
  STRONG_SECRET: 'an-environment-secret-of-32-bytes',
  BREAKS_OUT: 'x" || true || "',
  LIKELY_BASE64: 'aHVudGVyOGh1bnRlcjhodW50ZXI4aHVudGVyOGh1bnQ=',
};

for (const file of globSync(`${directory}/*.yaml`).toSorted()) {
  const name = basename(file, '.yaml');
  test(`${name.replaceAll('-', ' ')}`, async () => {
    const loaded = await loadConfig(file, diskDeps(environment));
    const said = formatProblems(loaded.ok ? loaded.warnings : loaded.problems, { color: false });
    const verdict = loaded.ok ? 'loads\n' : 'refused\n';
    const text = `${verdict}${said === '' ? '' : `\n${said}`}`.replaceAll(`${directory}/`, '');
    expect(text).not.toMatch(/hunter\d/);
    if (update) writeFileSync(`${directory}/${name}.txt`, text);
    expect(text).toBe(readFileSync(`${directory}/${name}.txt`, 'utf8'));
  });
}
