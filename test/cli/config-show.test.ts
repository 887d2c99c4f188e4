import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { configText, secretOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';

afterEach(endAll);

async function written(text: string): Promise<string> {
  const path = join(newFolder(), 'config.yaml');
  await writeFile(path, text);
  return path;
}

test('config show prints what is in effect, and no secret', async () => {
  const path = await written(configText({ upstreamPort: 3000, tenants: ['acme'], more: 'log: {level: "${LEVEL}"}' }));
  for (const flags of [[], ['--json']]) {
    const shown = startJwtgate(['config', 'show', '-c', path, ...flags], { env: { LEVEL: 'debug' } });
    expect(await shown.ended).toBe(0);
    expect(shown.stdout).toMatch(/level"?: "?debug/);
    expect(shown.stdout).toContain('/acme/**');
    expect(shown.stdout).toContain('[redacted]');
    expect(shown.stdout).not.toContain(secretOf('acme'));
  }
});

test('config show of a config with problems: exit code 78, problems on stderr', async () => {
  const shown = startJwtgate(['config', 'show', '-c', await written('lissten: 1\n')]);
  expect(await shown.ended).toBe(78);
  expect(shown.stderr).toContain('lissten');
});

test('schema prints what config.schema.json holds', async () => {
  const printed = startJwtgate(['schema']);
  expect(await printed.ended).toBe(0);
  const held = readFileSync(join(import.meta.dirname, '../../config.schema.json'), 'utf8');
  expect(JSON.parse(printed.stdout)).toEqual(JSON.parse(held));
});
