import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { jwksServer } from '../support/jwks-server.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { hasRedis, redisCli, startRedis } from '../support/redis-server.ts';
import { runVerb } from '../support/run-verb.ts';
import { type RunningGate, runGate, tenantText, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { type LegacyService, startLegacyService } from '../support/system.ts';
import { until } from '../support/until.ts';

let service: LegacyService;
beforeAll(async () => {
  service = await startLegacyService();
});
afterAll(async () => {
  await endAll();
  await service.close();
});

const configText = (revoked: string, tenants: string) => `
listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:${service.port}
${revoked}
tenants:
${tenants}
`;

async function reload(gate: RunningGate, says = 'config reloaded'): Promise<void> {
  gate.process.signal('SIGHUP');
  await gate.process.logged(says);
}

describe('a list in a file', () => {
  test('stops a token that passed before, and lets it pass again once it is off the list', async () => {
    const folder = newFolder();
    const path = join(folder, 'revoked.txt');
    await writeFile(path, '# nobody yet\n');
    const gate = await runGate(configText('revoked: {file: revoked.txt}', tenantText('acme')), { folder });
    const [one, two] = [tokenOf('acme', { jti: 'one' }), tokenOf('acme', { jti: 'two' })];
    for (const token of [one, two]) expect((await gate.send('/acme/x', { token })).status).toBe(200);

    await writeFile(path, 'jti one\n');
    await reload(gate);
    const refused = await gate.send('/acme/x', { token: one });
    expect(refused.status).toBe(401);
    expect(refused.body).toContain('tokenRevoked');
    expect((await gate.send('/acme/x', { token: two })).status).toBe(200);
    expect((await gate.ops('/metrics')).body).toMatch(/jwtgate_revocation_entries\{list="revoked.txt"\} 1/);

    await writeFile(path, '# nobody any more\n');
    await reload(gate);
    expect((await gate.send('/acme/x', { token: one })).status).toBe(200);
  });

  test('a broken one keeps the one before it in force, and says which line is wrong', async () => {
    const folder = newFolder();
    const path = join(folder, 'revoked.txt');
    await writeFile(path, 'jti one\n');
    const gate = await runGate(configText('revoked: {file: revoked.txt}', tenantText('acme')), { folder });
    await writeFile(path, 'jti two\nthree\n');
    await reload(gate, 'reload refused: the config before it is still served');
    expect((await gate.send('/acme/x', { token: tokenOf('acme', { jti: 'one' }) })).status).toBe(401);
    expect((await gate.send('/acme/x', { token: tokenOf('acme', { jti: 'two' }) })).status).toBe(200);
    expect((await gate.ops('/readyz')).body).toContain('line 2');
    expect((await gate.ops('/metrics')).body).toContain('jwtgate_config_last_reload_successful 0');
  });

  test("a tenant's own list is for its own tokens", async () => {
    const folder = newFolder();
    await writeFile(join(folder, 'revoked.txt'), 'sub shared\n');
    const acme = tenantText('acme').replace('{match', '{revoked: {file: revoked.txt}, match');
    const gate = await runGate(configText('', `${acme}\n${tenantText('globex')}`), { folder });
    expect((await gate.send('/acme/x', { token: tokenOf('acme', { sub: 'shared' }) })).status).toBe(401);
    expect((await gate.send('/globex/x', { token: tokenOf('globex', { sub: 'shared' }) })).status).toBe(200);
  });
});

describe('a list at a URL', () => {
  test('refuses with 503 until it is there, readiness waits for it, and it is followed from then on', async () => {
    await using server = await jwksServer();
    server.answer = (_request, response) => response.writeHead(500).end();
    const revoked = `revoked: {url: "${server.origin}/revoked", refresh: 1s, required: true}`;
    const gate = await runGate(configText(revoked, tenantText('acme')));
    const token = tokenOf('acme', { jti: 'one' });
    const waiting = await gate.send('/acme/x', { token });
    expect(waiting.status).toBe(503);
    expect(waiting.body).toContain('stateUnavailable');
    expect((await gate.ops('/readyz')).status).toBe(503);

    server.answer = (_request, response) => response.end('# empty\n');
    await gate.process.logged('revocation list changed');
    expect((await gate.send('/acme/x', { token })).status).toBe(200);
    expect((await gate.ops('/readyz')).status).toBe(200);

    server.answer = (_request, response) => response.end('before 99999999999\n');
    await gate.process.logged('revocation list changed');
    expect((await gate.send('/acme/x', { token })).status).toBe(401);
  });
});

describe.skipIf(!hasRedis)('a list in Redis (needs redis-server)', () => {
  test('refuses with 503 until it is there; one command revokes at once, and one takes it back', async () => {
    const port = await freePort();
    const revoked = `revoked: {url: "redis://127.0.0.1:\${PORT}/0", key: "jwtgate:revoked:\${tenant}", refresh: 1h, required: true}`;
    const acme = tenantText('acme').replace('{match', `{${revoked}, match`);
    const gate = await runGate(configText('', acme), { env: { PORT: String(port) } });
    const token = tokenOf('acme', { jti: 'one' });
    const waiting = await gate.send('/acme/x', { token });
    expect([waiting.status, JSON.parse(waiting.body).reason]).toEqual([503, 'stateUnavailable']);
    expect((await gate.ops('/readyz')).status).toBe(503);
    await using redis = await startRedis(port);
    redisCli(redis.port, ['SADD', 'jwtgate:revoked:acme', '# none']);
    await gate.process.logged('revocation list changed');
    expect((await gate.send('/acme/x', { token })).status).toBe(200);
    expect((await gate.ops('/readyz')).status).toBe(200);
    redisCli(redis.port, ['SADD', 'jwtgate:revoked:acme', 'jti one', 'one more']);
    await until('revoked', async () => (await gate.send('/acme/x', { token })).status === 401);
    await gate.process.logged('revocation list holds what is no entry');
    const list = `list="redis://127.0.0.1:${port}/0 jwtgate:revoked:acme"`;
    const metrics = (await gate.ops('/metrics')).body;
    expect(metrics).toContain(`jwtgate_revocation_entries{${list}} 1\n`);
    expect(metrics).toContain(`jwtgate_revocation_skipped_entries{${list}} 1\n`);
    redisCli(redis.port, ['SREM', 'jwtgate:revoked:acme', 'jti one']);
    await until('taken back', async () => (await gate.send('/acme/x', { token })).status === 200);
  });

  test('a start that fails for something else ends at once, and waits for no Redis', async () => {
    await using redis = await startRedis();
    redisCli(redis.port, ['SADD', 'jwtgate:revoked', '# none']);
    const folder = newFolder();
    const revoked = `revoked: {url: "redis://127.0.0.1:${redis.port}/0"}`;
    const taken = configText(revoked, tenantText('acme')).replace('127.0.0.1:0', `127.0.0.1:${service.port}`);
    await writeFile(join(folder, 'config.yaml'), taken);
    const refused = await runVerb(['run', '-c', join(folder, 'config.yaml')]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('something listens there already');
  });

  test('no password is in a log line, a metric, or what config show prints', async () => {
    await using redis = await startRedis(undefined, ['--requirepass', 'open-sesame']);
    const url = `redis://:open-barley@127.0.0.1:${redis.port}/0`;
    const gate = await runGate(configText(`revoked: {url: "${url}"}`, tenantText('acme')));
    await gate.process.logged('revocation list not taken', { detail: 'WRONGPASS' });
    const refused = await gate.send('/acme/x', { token: tokenOf('acme') });
    expect(refused.status).toBe(503);
    const shown = await runVerb(['config', 'show', '-c', gate.configPath]);
    expect(shown.stdout).toContain('[redacted]');
    const said = [refused.body, (await gate.ops('/metrics')).body, (await gate.ops('/readyz')).body, shown.stdout];
    expect(`${said.join()}${gate.process.stdout}${gate.process.stderr}`).not.toMatch(/barley|sesame/);
  });
});
