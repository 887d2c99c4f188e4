import { expect, test } from 'vitest';
import { createLog } from '../../src/ops/log.ts';
import { createReloadReport } from '../../src/ops/reload-report.ts';
import { diffTenants, nameSome } from '../../src/ops/tenant-diff.ts';
import { inOneGo } from '../support/in-one-go.ts';

function setUp() {
  const lines: string[] = [];
  const writer = { write: (line: string) => void lines.push(line), droppedLines: 0, close: async () => {} };
  let nowMs = 1_000;
  const report = createReloadReport(createLog(writer, 'info', 'json'), () => nowMs);
  return { report, lines: () => lines.map((line) => JSON.parse(line)), tick: () => (nowMs += 1_000) };
}

const served = { generation: 2, hash: 'ff', tenants: 3 };
const problem = {
  file: '/c/config.yaml',
  line: 3,
  column: 5,
  path: 'tenants.acme',
  message: 'unknown key',
  hint: 'remove it',
};

test('a success tells what it changed', () => {
  const { report, lines, tick } = setUp();
  tick();
  report.tellSuccess('SIGHUP', { added: ['a'], removed: [], changed: ['b', 'c'] }, served);
  expect(lines()[0]).toMatchObject({
    level: 'info',
    msg: 'config reloaded',
    cause: 'SIGHUP',
    generation: 2,
    tenants_added: ['a'],
    tenants_changed: ['b', 'c'],
  });
  expect(lines()[0]).not.toHaveProperty('tenants_removed');
  expect(report).toMatchObject({ succeeded: 1, lastSucceeded: true, lastSuccessMs: 2_000 });
});

test('a failure tells every problem with its place, and what is served meanwhile', () => {
  const { report, lines } = setUp();
  report.tellFailure('watch', [problem, { ...problem, line: 9 }]);
  expect(lines().map(({ msg }) => msg)).toEqual([
    'reload refused: the config before it is still served',
    'config problem',
    'config problem',
  ]);
  expect(lines()[1]).toMatchObject({
    level: 'error',
    at: '/c/config.yaml:3:5',
    problem: 'unknown key',
    hint: 'remove it',
  });
  expect(report).toMatchObject({
    failed: 1,
    lastSucceeded: false,
    lastSuccessMs: 1_000,
    lastProblem: '2 problems, first at /c/config.yaml:3:5: unknown key',
  });
});

test('a thousand problems are not a thousand lines', () => {
  const { report, lines } = setUp();
  report.tellFailure('watch', new Array(1_000).fill(problem));
  expect(lines().length).toBe(21);
  expect(lines()[0]).toMatchObject({ problems: 1_000 });
});

test('an unchanged config after a broken one is a success', () => {
  const { report } = setUp();
  report.tellFailure('SIGHUP', [problem]);
  report.tellUnchanged('SIGHUP');
  expect(report).toMatchObject({ failed: 1, unchanged: 1, lastSucceeded: true, lastProblem: undefined });
});

test('what only a restart can bring is said once a reload', () => {
  const { report, lines } = setUp();
  report.tellNeedsRestart([]);
  report.tellNeedsRestart(['listen']);
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).toMatchObject({ level: 'warn', settings: ['listen'] });
  expect(report.needsRestart).toEqual(['listen']);
});

test('many tenants are named in part', () => {
  expect(nameSome(Array.from({ length: 10_000 }, (_, i) => `t${i}`)).at(-1)).toBe('and 9980 more');
});

test('tenants are compared by the digests of their settings', () => {
  const before = new Map([
    ['kept', '1'],
    ['changed', '1'],
    ['removed', '1'],
  ]);
  const after = new Map([
    ['kept', '1'],
    ['new-b', '1'],
    ['new-a', '1'],
    ['changed', '2'],
  ]);
  expect(inOneGo(diffTenants(before, after))).toEqual({
    added: ['new-a', 'new-b'],
    removed: ['removed'],
    changed: ['changed'],
  });
});
