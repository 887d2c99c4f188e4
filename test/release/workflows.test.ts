import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { type Step, stepsOf, workflows } from '../support/workflows.ts';

const root = resolve(import.meta.dirname, '../..');
const hasBash = spawnSync('bash', ['--version']).status === 0;
const scripts = globSync('{.ci,tools/release}/*', { cwd: root }).filter((file) => /^#!.*bash/.test(read(file)));
const all = [...workflows].map(([file, one]) => ({ file, ...one }));

test('there are two: one for every change, one for a tag', () => {
  expect([...workflows.keys()]).toEqual(['ci.yml', 'release.yml']);
  expect(workflow('ci.yml').on).toEqual({ push: { branches: ['main'] }, pull_request: null });
  expect(workflow('release.yml').on).toEqual({ push: { tags: ['v[0-9]+.[0-9]+.[0-9]+*'] } });
});

describe.each(all)('$file', ({ text, workflow }) => {
  test('pins every action by commit, with the version beside it', () => {
    const uses = [...text.matchAll(/uses: *(.*)$/gm)].map(([, use]) => use as string);
    expect(uses.length).toBe(stepsOf(workflow).filter((step) => step.uses !== undefined).length);
    expect(uses.filter((use) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(use))).toEqual([]);
    // One action, one version.
    const names = new Set(uses);
    expect(names.size).toBe(new Set([...names].map((use) => use.split('@')[0])).size);
  });

  test('gives nothing to those who did not ask for it', () => {
    expect(workflow.permissions).toEqual(text.includes('name: ci\n') ? { contents: 'read' } : {});
    for (const [name, job] of Object.entries(workflow.jobs)) {
      if (Object.keys(workflow.permissions).length === 0)
        expect([name, job.permissions]).toEqual([name, expect.anything()]);
      expect([name, job['timeout-minutes']]).toEqual([name, expect.any(Number)]);
    }
  });

  test('leaves no credential in a checkout', () => {
    const checkouts = stepsOf(workflow).filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(checkouts.length).toBe(Object.keys(workflow.jobs).length);
    for (const checkout of checkouts) expect(checkout.with).toMatchObject({ 'persist-credentials': false });
  });

  test('runs two at once of nothing that could meet', () => {
    expect(workflow.concurrency.group).not.toBe('');
  });

  test('calls scripts, and no more than one line of shell at a time', () => {
    const lines = shellOf(workflow).map((run) => run.trim().split('\n').length);
    expect(lines.filter((count) => count > 1)).toEqual([]);
  });

  test('calls what is there', () => {
    for (const run of shellOf(workflow)) {
      const [, script] = /^npm run(?: --silent)? (\S+)/.exec(run) ?? [];
      if (script !== undefined) expect(Object.keys(packageJson.scripts)).toContain(script);
      const [, file] = /^(?:node )?((?:tools|\.ci)\/\S+)/.exec(run) ?? [];
      if (file !== undefined)
        expect([file, statSync(join(root, file), { throwIfNoEntry: false })?.isFile()]).toEqual([file, true]);
      expect([run, script ?? file ?? /^git config/.exec(run)?.[0]]).toEqual([run, expect.any(String)]);
    }
  });

  test.skipIf(!hasBash)('writes no expression of anybody into a shell line, and what it writes is shell (bash)', () => {
    for (const run of shellOf(workflow)) {
      expect(run).not.toContain('${{');
      expect(spawnSync('bash', ['-n', '-c', run]).status).toBe(0);
    }
  });

  test('shows a secret to one step, and only by its environment', () => {
    const told = stepsOf(workflow).filter((step) =>
      /secrets\.|github\.token/.test(JSON.stringify({ ...step, env: {} })),
    );
    expect(told).toEqual([]);
    expect(text).not.toMatch(/^ {0,4}env:(?:\n {4,8}\S.*)*secrets\./m);
  });

  test('names no registry: variables do', () => {
    expect(text).not.toMatch(/\b[\w-]+\.(?:io|com|org|dev|net)\b|registry\./);
  });
});

describe('the release', () => {
  const { jobs } = workflow('release.yml');

  test('is built and tested on both machines, before anything leaves', () => {
    expect(JSON.stringify(jobs.build)).toMatch(/"x64".*"arm64"/);
    expect(jobs.build?.steps.map(({ run }) => run)).toContain('.ci/run');
    expect(jobs.build?.needs).toBe('check');
    expect(jobs.image?.needs).toBe('build');
    expect(jobs.publish?.needs).toEqual(['build', 'multi-arch-image']);
    expect(jobs.npm?.needs).toBe('publish');
  });

  test('may write only where somebody has agreed to it', () => {
    for (const [name, job] of Object.entries(jobs)) {
      const writes = Object.values(job.permissions ?? {}).includes('write');
      expect([name, job.environment]).toEqual([name, writes ? 'release' : undefined]);
    }
  });

  test('gives each job what it does, and no more', () => {
    expect(Object.fromEntries(Object.entries(jobs).map(([name, { permissions }]) => [name, permissions]))).toEqual({
      check: { contents: 'read' },
      build: { contents: 'read' },
      image: { contents: 'read', packages: 'write' },
      'multi-arch-image': { contents: 'read', packages: 'write', 'id-token': 'write', attestations: 'write' },
      publish: { contents: 'write', 'id-token': 'write', attestations: 'write' },
      npm: { contents: 'read', 'id-token': 'write' },
    });
  });

  test('installs nothing where it signs and publishes', () => {
    for (const [name, { environment, steps }] of Object.entries(jobs)) {
      if (environment === undefined) continue;
      expect([
        name,
        shellOfSteps(steps).filter((run) => /\bnpm (?:ci|i|install|run|x|exec)\b|\bnpx\b/.test(run)),
      ]).toEqual([name, []]);
    }
    const imports = globSync('tools/release/*.ts', { cwd: root }).flatMap((file) =>
      [...read(file).matchAll(/from '([^']+)'/g)].map(([, from]) => from as string),
    );
    expect(imports.filter((from) => !/^(?:node:|\.{1,2}\/)/.test(from))).toEqual([]);
    expect(read('tools/release/publish')).not.toContain('npm run');
  });

  // test/release/assets.test.ts holds the archives to these names.
  test('attests the files that the archives step makes', () => {
    const attested =
      jobs.publish?.steps.flatMap((step) => [step.with?.['subject-path'], step.with?.['sbom-path']]) ?? [];
    expect(attested.filter(Boolean)).toEqual([
      'release/jwtgate-*-linux-x64.tar.*',
      'release/jwtgate-linux-x64.cdx.json',
      'release/jwtgate-*-linux-arm64.tar.*',
      'release/jwtgate-linux-arm64.cdx.json',
    ]);
  });
});

describe.skipIf(!hasBash)('scripts of the shell (bash)', () => {
  test.each(scripts)('%s is one, may be run, and stops at the first fault', (file) => {
    expect(spawnSync('bash', ['-n', join(root, file)], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    expect(statSync(join(root, file)).mode & 0o111).not.toBe(0);
    expect(read(file)).toContain('\nset -euo pipefail\n');
  });
});

function workflow(file: string) {
  const found = workflows.get(file);
  if (found === undefined) throw new Error(`.github/workflows/${file} is gone`);
  return found.workflow;
}

function shellOf(one: ReturnType<typeof workflow>): string[] {
  return shellOfSteps(stepsOf(one));
}

function shellOfSteps(steps: readonly Step[]): string[] {
  return steps.flatMap(({ run }) => run ?? []);
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}
