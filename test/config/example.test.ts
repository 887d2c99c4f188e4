import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { diskDeps } from '../../src/config/deps.ts';
import { loadConfig } from '../../src/config/load.ts';

const text = readFileSync('config.example.yaml', 'utf8');

test('the example config loads as it is, without a warning, variable or file', async () => {
  const loaded = await loadConfig('config.example.yaml', diskDeps({}));
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  expect(loaded.warnings).toEqual([]);
  expect([...loaded.policy.tenants.keys()]).toEqual(['acme', 'globex', 'initech']);
});

test('its first line tells editors where the schema is', () => {
  expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./config.schema.json');
});

test('every line of it that has a key has a word on what the key is for', () => {
  const lines = text.split('\n').filter((line) => /^ *(?:- )?[^\s#-][^#]*:(?: |$)/.test(line));
  expect(lines.length).toBeGreaterThan(50);
  expect(lines.filter((line) => !/ # \S/.test(line))).toEqual([]);
});
