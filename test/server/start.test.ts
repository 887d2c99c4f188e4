import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { ask, configText, runGate } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';

afterEach(endAll);

const config = configText({ upstreamPort: 1, tenants: ['acme'] });

async function written(text: string): Promise<{ folder: string; path: string }> {
  const folder = newFolder();
  const path = join(folder, 'config.yaml');
  await writeFile(path, text);
  return { folder, path };
}

test('a line at the start says what runs, where it listens and what it serves', async () => {
  const gate = await runGate(config);
  const started = gate.process.log.find(({ msg }) => msg === 'started');
  expect(started).toMatchObject({ level: 'info', msg: 'started', tenants: 1, config: gate.configPath });
  expect(started?.runtime).toBe(`node ${process.versions.node}`);
  expect(started?.hash).toMatch(/^[0-9a-f]{64}$/);
  for (const key of ['version', 'commit', 'proxy', 'ops']) expect(started?.[key]).toBeTypeOf('string');
});

test('a config with problems: exit code 78, every problem on stderr with its place, nothing on stdout', async () => {
  const { path } = await written(`${config}\nlissten: 1\nopss: 2\n`);
  const started = startJwtgate(['run', '-c', path]);
  expect(await started.ended).toBe(78);
  expect(started.stdout).toBe('');
  expect(started.stderr).toContain('lissten');
  expect(started.stderr).toContain('opss');
  expect(started.stderr).toMatch(/config\.yaml:\d+:\d+/);
});

test('no config anywhere: exit code 78, and where it was looked for', async () => {
  const started = startJwtgate(['run'], { cwd: newFolder() });
  expect(await started.ended).toBe(78);
  expect(started.stderr).toContain('$JWTGATE_CONFIG');
  expect(started.stderr).toContain('jwtgate init writes one');
});

test.each(['listen', 'ops', 'admin'])(
  'an address of `%s` that is taken: exit code 69, which one, and what to do',
  async (setting) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    for (const workers of [1, 2]) {
      const others = config.split('\n').filter((line) => !line.startsWith(`${setting}:`));
      const { path } = await written([`${setting}: ${address}`, `workers: ${workers}`, ...others].join('\n'));
      const started = startJwtgate(['run', '-c', path]);
      expect(await started.ended).toBe(69);
      expect(started.stderr).toBe(
        `jwtgate: cannot listen on ${address}, as \`${setting}\` says: something listens there already: end it, or change \`${setting}\`\n`,
      );
    }
    taken.close();
  },
);

test('the config is found by --config, then $JWTGATE_CONFIG, then the working directory', async () => {
  const [flag, variable, local] = await Promise.all([written(config), written(config), written(config)]);
  const configOf = async (args: string[], env: NodeJS.ProcessEnv) => {
    const started = startJwtgate(['run', ...args], { env, cwd: local.folder });
    return (await started.logged('started')).config;
  };
  expect(await configOf(['-c', flag.path], { JWTGATE_CONFIG: variable.path })).toBe(flag.path);
  expect(await configOf([], { JWTGATE_CONFIG: variable.path })).toBe(variable.path);
  expect(await configOf([], {})).toBe(local.path);
});

test('a flag wins over its environment variable, and that over the config', async () => {
  const { path } = await written(`log: {format: text}\n${config}`);
  const asText = startJwtgate(['run', '-c', path, '--log-format', 'text'], { env: { JWTGATE_LOG_FORMAT: 'json' } });
  const asJson = startJwtgate(['run', '-c', path], { env: { JWTGATE_LOG_FORMAT: 'json' } });
  await asJson.logged('started');
  await until('a readable line', () => asText.stdout.includes('INFO  started'));
  expect(asText.log).toEqual([]);
});

test('`ops: off` is no ops listener', async () => {
  const { path } = await written(config.replace('ops: 127.0.0.1:0', 'ops: off'));
  expect((await startJwtgate(['run', '-c', path]).logged('started')).ops).toBe('off');
});

test('it listens on unix sockets, and takes over from one that was killed', async () => {
  const folder = newFolder();
  await mkdir(join(folder, 'sockets'));
  const [proxy, ops] = [join(folder, 'sockets/proxy'), join(folder, 'sockets/ops')];
  const text = config
    .replace('listen: 127.0.0.1:0', `listen: unix:${proxy}`)
    .replace('ops: 127.0.0.1:0', `ops: unix:${ops}`);
  const { path } = await written(text);
  const first = startJwtgate(['run', '-c', path]);
  expect(await first.logged('started')).toMatchObject({ proxy: `unix:${proxy}`, ops: `unix:${ops}` });
  first.signal('SIGKILL');
  await first.ended;
  await startJwtgate(['run', '-c', path]).logged('started');
  const health = startJwtgate(['healthcheck', '-c', path]);
  expect(await health.ended).toBe(0);
});

test('healthcheck finds the ops listener by the config', async () => {
  const port = await freePort();
  const { path } = await written(config.replace('ops: 127.0.0.1:0', `ops: :${port}`));
  const nobody = startJwtgate(['healthcheck', '-c', path]);
  expect(await nobody.ended).toBe(1);
  expect(nobody.stderr).toMatch(new RegExp(`at http://\\S+:${port}: ECONNREFUSED; is jwtgate running there\\?\n$`));
  await startJwtgate(['run', '-c', path]).logged('started');
  const health = startJwtgate(['healthcheck'], { env: { JWTGATE_CONFIG: path } });
  expect(await health.ended).toBe(0);
  expect(health.stdout).toMatch(/^ready\n/);

  await writeFile(path, `${await readFile(path, 'utf8')}  broken: {sekret: x}\n`);
  expect(await startJwtgate(['healthcheck', '-c', path]).ended).toBe(0);
});

test('the ops listener never answers for the proxy, nor the proxy for it', async () => {
  const gate = await runGate(config);
  for (const path of ['/livez', '/readyz', '/metrics']) {
    expect((await ask(gate.opsPort, path, {})).status, path).toBe(200);
    expect((await ask(gate.proxyPort, path, {})).status, path).toBe(401);
  }
  expect((await ask(gate.opsPort, '/acme/x', {})).status).toBe(404);
});
