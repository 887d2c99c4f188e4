import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { steps } from '../../src/gate/rehearsal.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/explain.md'), 'utf8');

describe('docs/explain.md', () => {
  test('names every step, in the order in which they come', () => {
    const table = page.slice(page.indexOf('## Steps'));
    const rows = [...table.matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell]) => cell as string);
    const named = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name as string));
    expect(named).toEqual([...sorted(named)]);
    expect(new Set(named)).toEqual(new Set(steps));
  });
});

function sorted(names: readonly string[]): readonly string[] {
  const rank = new Map<string, number>(steps.map((step, index) => [step, index]));
  return names.toSorted((a, b) => (rank.get(a) ?? -1) - (rank.get(b) ?? -1));
}
