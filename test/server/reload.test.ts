import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { findSample } from '../support/exposition-parser.ts';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { catches, endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { configText, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { mintHs256 } from '../support/tokens.ts';

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

const config = (tenants: readonly string[], more?: string) =>
  configText({ upstreamPort: upstream.port, tenants, ...(more !== undefined && { more }) });

test('SIGHUP brings added tenants, takes removed ones away, and says which', async () => {
  const gate = await runGate(config(['acme', 'globex']));
  expect((await gate.send('/initech/x', { token: tokenOf('initech') })).status).toBe(401);
  await gate.rewrite(config(['globex', 'initech']));
  gate.process.signal('SIGHUP');
  expect(await gate.process.logged('config reloaded')).toMatchObject({
    cause: 'SIGHUP',
    tenants_added: ['initech'],
    tenants_removed: ['acme'],
  });
  expect((await gate.send('/initech/x', { token: tokenOf('initech') })).status).toBe(200);
  expect((await gate.send('/globex/x', { token: tokenOf('globex') })).status).toBe(200);
  expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(401);
});

test('a broken file changes nothing, and log, metric and /readyz say so until it is mended', async () => {
  const gate = await runGate(config(['acme']));
  await gate.rewrite(`${config(['globex'])}\nlissten: here\n`);
  gate.process.signal('SIGHUP');
  await gate.process.logged('reload refused: the config before it is still served');
  const problem = await gate.process.logged('config problem');
  expect(problem.at).toMatch(/config\.yaml:\d+:\d+$/);
  expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
  expect((await gate.send('/globex/x', { token: tokenOf('globex') })).status).toBe(401);
  expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_config_last_reload_successful')).toBe(0);
  const ready = await gate.ops('/readyz');
  expect(ready.status).toBe(200);
  expect(ready.body).toContain('last reload failed');

  await gate.rewrite(config(['globex']));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_config_last_reload_successful')).toBe(1);
  expect((await gate.ops('/readyz')).body).not.toContain('last reload failed');
});

test('an unchanged config is a line in the log and nothing else', async () => {
  const gate = await runGate(config(['acme']));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config unchanged');
  const metrics = (await gate.ops('/metrics')).body;
  expect(findSample(metrics, 'jwtgate_config_reloads_total', { result: 'unchanged' })).toBe(1);
  expect(findSample(metrics, 'jwtgate_config_info', { generation: '1' })).toBe(1);
});

test('a secret file that changed is taken up', async () => {
  const folder = newFolder();
  const secretFile = join(folder, 'acme.key');
  await writeFile(secretFile, secretOf('acme'));
  const tenants = `tenants: {acme: {secret: {file: ${secretFile}}, algorithms: [HS256]}}`;
  const text = configText({ upstreamPort: upstream.port, tenants: [] }).replace('tenants:', tenants);
  const gate = await runGate(text, { folder });
  expect((await gate.send('/x', { token: tokenOf('acme') })).status).toBe(200);

  await writeFile(secretFile, secretOf('rotated'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect((await gate.send('/x', { token: tokenOf('acme') })).status).toBe(401);
  expect((await gate.send('/x', { token: tokenOf('rotated') })).status).toBe(200);
});

test('a request keeps the config it began with', async () => {
  const gate = await runGate(config(['acme']));
  const answer = gate.send('/acme/held', { token: tokenOf('acme') });
  const held = await upstream.nextHeld();
  await gate.rewrite(config(['globex']));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  held.end('late');
  expect(await answer).toEqual({ status: 200, body: 'late' });
  expect(await gate.process.logged('request')).toMatchObject({ tenant: 'acme', decision: 'allow' });
});

test('reloads under load lose no request', async () => {
  const gate = await runGate(config(['acme', 'globex']), { args: ['--log-level', 'info'] });
  const token = tokenOf('acme');
  let over = false;
  const statuses = new Map<number | string, number>();
  const client = async (_: unknown, index: number) => {
    const agent = new Agent({ keepAlive: index % 2 === 0 });
    while (!over) {
      const status = await gate.send('/acme/x', { token, agent }).then(
        (reply) => reply.status,
        (error) => error.code,
      );
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    agent.destroy();
  };
  const clients = Array.from({ length: 8 }, client);
  for (let i = 0; i < 10; i++) {
    await gate.rewrite(config(['acme', `tenant-${i}`]));
    gate.process.signal('SIGHUP');
    await gate.process.logged('config reloaded');
  }
  over = true;
  await Promise.all(clients);
  expect([...statuses.keys()]).toEqual([200]);
});

test('many SIGHUPs at once are few reloads, and the last content wins', async () => {
  const gate = await runGate(config(['acme']));
  await gate.rewrite(config(['acme', 'last']));
  for (let i = 0; i < 20; i++) gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect((await gate.send('/last/x', { token: tokenOf('last') })).status).toBe(200);
  const metrics = (await gate.ops('/metrics')).body;
  expect(findSample(metrics, 'jwtgate_config_reloads_total', { result: 'succeeded' })).toBe(1);
});

test('a new listen address is reported, not half applied: everything else is live', async () => {
  const gate = await runGate(config(['acme']));
  await gate.rewrite(config(['globex']).replace('listen: 127.0.0.1:0', 'listen: 127.0.0.1:1'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  const warning = await gate.process.logged('these settings were changed and need a restart; all others are live');
  expect(warning).toMatchObject({ level: 'warn', settings: ['listen'] });
  expect((await gate.send('/globex/x', { token: tokenOf('globex') })).status).toBe(200);
  expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_config_restart_required')).toBe(1);
  expect((await gate.ops('/readyz')).body).toContain('waiting for a restart: listen');
});

test('log settings change live', async () => {
  const gate = await runGate(config(['acme']));
  await gate.rewrite(config(['acme'], 'log: {access: false}'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  await gate.send('/acme/x', { token: tokenOf('acme') });
  await gate.rewrite(config(['acme'], 'log: {access: true}'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  await gate.send('/acme/second', { token: tokenOf('acme') });
  expect(await gate.process.logged('request')).toMatchObject({ path: '/acme/second' });
});

test('SIGHUP as early as it can be caught does not end the process, and is a reload once it serves', async () => {
  const folder = newFolder();
  await writeFile(join(folder, 'config.yaml'), config(['acme']));
  const process = startJwtgate(['run', '-c', join(folder, 'config.yaml')]);
  await catches(process.child, 1);
  process.signal('SIGHUP');
  await process.logged('started');
  await process.logged('config unchanged', { cause: 'SIGHUP' });
});

test('a token that was accepted before its tenant left is refused after', async () => {
  const gate = await runGate(config(['acme', 'globex']));
  const token = mintHs256(secretOf('acme'), { claims: { sub: 'u', exp: Math.floor(Date.now() / 1000) + 60 } });
  expect((await gate.send('/acme/x', { token })).status).toBe(200);
  await gate.rewrite(config(['globex']));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect((await gate.send('/acme/x', { token })).status).toBe(401);
});
