import { spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { findSample, parseExposition } from '../support/exposition-parser.ts';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { endAll, jwtgateCommand } from '../support/jwtgate-process.ts';
import { ask, configText, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';
import { mintHs256 } from '../support/tokens.ts';
import { until } from '../support/until.ts';

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

const config = (more?: string) =>
  configText({ upstreamPort: upstream.port, tenants: ['acme'], ...(more !== undefined && { more }) });

test('each request is one line with its decision', async () => {
  const gate = await runGate(config());
  await gate.send('/acme/a?x=1', { token: tokenOf('acme') });
  await gate.send('/acme/b');
  await gate.send('/nobody');
  expect(await gate.process.logged('request')).toMatchObject({
    tenant: 'acme',
    decision: 'allow',
    method: 'GET',
    path: '/acme/a',
    status: 200,
    bytes_out: 2,
    client_ip: '127.0.0.1',
    token_source: expect.stringContaining('authorization'),
    alg: 'HS256',
    cache: 'miss',
    end: 'complete',
  });
  expect(await gate.process.logged('request')).toMatchObject({
    tenant: 'acme',
    decision: 'deny',
    reason: 'tokenMissing',
  });
  expect(await gate.process.logged('request')).toMatchObject({ decision: 'deny', reason: 'tenantUnknown' });
});

test('a token never stands in a log, an error or a metric, however it came', async () => {
  const text = configText({ upstreamPort: upstream.port, tenants: [] }).replace(
    'tenants:',
    `tenants: {acme: {secret: ${secretOf('acme')}, algorithms: [HS256], token: [{header: Authorization, scheme: Bearer}, {query: jwt}, {cookie: session}]}}`,
  );
  const gate = await runGate(text, { args: ['--log-level', 'trace'] });
  const good = tokenOf('acme');
  const expired = mintHs256(secretOf('acme'), { claims: { sub: 'u', exp: 1 } });
  const forged = mintHs256('another secret of enough length, really', { claims: { sub: 'u', exp: 9_999_999_999 } });
  const cut = good.slice(0, -5);
  const tokens = [good, expired, forged, cut, `${good}.${good}`, `${good}"\r\nx`.slice(0, -3)];
  for (const token of tokens) {
    await gate.send('/x', { token });
    await gate.send(`/x?jwt=${encodeURIComponent(token)}`);
    await gate.send('/x', { headers: { cookie: `session=${token.replace(/[^\w.-]/g, '')}` } });
    await gate.send(`/${encodeURIComponent(token)}/x`);
    await gate.send('/x', { headers: { authorization: token } });
    await gate.send('/x', { headers: { authorization: `Bearer ${token}`, referer: `http://x/?jwt=${token}` } });
    await gate.send(`/x?jwt=${encodeURIComponent(token)}`, { token });
  }
  const metrics = (await gate.ops('/metrics')).body;
  const ready = (await gate.ops('/readyz')).body;
  gate.process.signal('SIGTERM');
  await gate.process.ended;
  const { stdout, stderr } = gate.process;
  expect(gate.process.log.filter(({ msg }) => msg === 'request')).toHaveLength(tokens.length * 7);
  const everything = [stdout, stderr, metrics, ready].join('\n');
  for (const token of tokens) {
    for (const part of token.split('.').filter((each) => each.length > 8)) {
      expect(everything.includes(part), part).toBe(false);
    }
  }
  expect(everything).not.toContain(secretOf('acme'));
});

test('a reader that closes stdout ends the log, not the traffic', async () => {
  const gate = await runGate(config());
  gate.process.child.stdout?.destroy();
  for (let i = 0; i < 50; i++) expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
  expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_log_lines_dropped_total')).toBeGreaterThan(0);
  gate.process.signal('SIGTERM');
  expect(await gate.process.ended).toBe(0);
});

test('a reader that never reads costs lines, not requests, and does not keep the process from ending', async () => {
  const gate = await runGate(config());
  gate.process.child.stdout?.pause();
  const path = `/acme/${'x'.repeat(8_000)}`;
  const token = tokenOf('acme');
  let dropped: number | undefined = 0;
  for (let round = 0; round < 40 && dropped === 0; round++) {
    const replies = await Promise.all(Array.from({ length: 100 }, () => gate.send(path, { token })));
    expect(replies.every(({ status }) => status === 200)).toBe(true);
    dropped = findSample((await gate.ops('/metrics')).body, 'jwtgate_log_lines_dropped_total');
  }
  expect(dropped).toBeGreaterThan(0);
  gate.process.signal('SIGTERM');
  await until('it has ended', () => gate.process.child.exitCode === 0);
  gate.process.child.stdout?.resume();
  await gate.process.ended;
});

test('stdout closed from the start (>&-) is no obstacle', async () => {
  const folder = newFolder();
  const path = join(folder, 'config.yaml');
  await writeFile(
    path,
    config()
      .replace('listen: 127.0.0.1:0', `listen: unix:${folder}/proxy`)
      .replace('ops: 127.0.0.1:0', `ops: unix:${folder}/ops`),
  );
  const child = spawn('/bin/sh', ['-c', 'exec "$0" "$@" >&-', ...jwtgateCommand, 'run', '-c', path], {
    stdio: 'ignore',
  });
  const answered = async () => {
    const health = spawn(jwtgateCommand[0], [jwtgateCommand[1], 'healthcheck', '-c', path], { stdio: 'ignore' });
    return new Promise((resolve) => health.once('close', resolve));
  };
  await until('it is healthy', async () => (await answered()) === 0);
  child.kill('SIGTERM');
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
});

test('log lines that wait are written before the process ends', async () => {
  const gate = await runGate(config());
  await Promise.all(Array.from({ length: 200 }, (_, i) => gate.send(`/acme/${i}`, { token: tokenOf('acme') })));
  gate.process.signal('SIGTERM');
  await gate.process.ended;
  expect(gate.process.log.filter(({ msg }) => msg === 'request')).toHaveLength(200);
  expect(gate.process.log.at(-1)?.msg).toBe('stopped');
});

test('fields, claims and hashes are as log.access says, and a reload changes them', async () => {
  const access = (more: string) =>
    `log: {access: {fields: {sub: hash, client_ip: drop, user_agent: keep}, claims: {team: org.team}, ${more}}}`;
  const gate = await runGate(config(access('hashKey: a-key')));
  const token = tokenOf('acme', { sub: 'alice', org: { team: 'blue' } });
  await gate.send('/acme/x', { token, headers: { 'user-agent': 'test/1' } });
  const line = await gate.process.logged('request');
  expect(line).toMatchObject({
    sub: expect.stringMatching(/^[\w-]{16}$/),
    user_agent: 'test/1',
    claims: { team: 'blue' },
  });
  expect(line).not.toHaveProperty('client_ip');

  await gate.rewrite(config(access('hashKey: another')));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  await gate.send('/acme/x', { token });
  expect((await gate.process.logged('request')).sub).not.toBe(line.sub);
});

test('claims are shown of refused requests whose token verified, and of no other', async () => {
  const text = config('log: {access: {claims: {role: role}}}').replace(
    'algorithms: [HS256]}',
    'algorithms: [HS256], claims: {role: admin}}',
  );
  const gate = await runGate(text);
  await gate.send('/acme/x', { token: tokenOf('acme', { role: 'reader' }) });
  expect(await gate.process.logged('request')).toMatchObject({ reason: 'claimRefused', claims: { role: 'reader' } });
  const forged = mintHs256('another secret of enough length, really', {
    claims: { role: 'admin', exp: 9_999_999_999 },
  });
  await gate.send('/acme/x', { token: forged });
  const line = await gate.process.logged('request');
  expect(line).toMatchObject({ reason: 'signatureInvalid' });
  expect(line).not.toHaveProperty('claims');
});

test('with a sample of none, refusals and failures are logged, and everything is counted', async () => {
  const gate = await runGate(config('log: {access: {sample: 0}}'));
  const token = tokenOf('acme');
  for (let i = 0; i < 20; i++) await gate.send('/acme/x', { token });
  await gate.send('/acme/y');
  const held = gate.send('/acme/held', { token });
  (await upstream.nextHeld()).writeHead(500).end();
  expect((await held).status).toBe(500);
  await gate.process.logged('request', { path: '/acme/held' });
  const lines = gate.process.log.filter(({ msg }) => msg === 'request');
  expect(lines.map(({ path, decision }) => [path, decision])).toEqual([
    ['/acme/y', 'deny'],
    ['/acme/held', 'allow'],
  ]);
  expect(findSample((await gate.ops('/metrics')).body, 'jwtgate_requests_total', { decision: 'allow' })).toBe(21);
});

test('a line names the trace that its request is part of, if the client does so rightly', async () => {
  const gate = await runGate(config());
  const trace = '0af7651916cd43dd8448eb211c80319c';
  for (const [traceparent, expected] of [
    [`00-${trace}-b7ad6b7169203331-00`, trace],
    ['"}, {"decision":"allow', undefined],
  ] as const) {
    await gate.send('/acme/x', { token: tokenOf('acme'), headers: { traceparent } });
    expect((await gate.process.logged('request')).trace_id).toBe(expected);
  }
});

test('/metrics is well-formed text that counts what happened', async () => {
  const gate = await runGate(config());
  const token = tokenOf('acme');
  // A token is remembered when it comes the second time.
  for (let i = 0; i < 4; i++) await gate.send('/acme/x', { token });
  await gate.send('/acme/x');
  await ask(gate.proxyPort, '/nobody', {});
  const { body } = await gate.ops('/metrics');
  parseExposition(body);
  expect(findSample(body, 'jwtgate_requests_total', { tenant: 'acme', decision: 'allow' })).toBe(4);
  expect(findSample(body, 'jwtgate_requests_total', { tenant: 'acme', reason: 'tokenMissing' })).toBe(1);
  expect(findSample(body, 'jwtgate_requests_total', { tenant: '_unknown', reason: 'tenantUnknown' })).toBe(1);
  expect(findSample(body, 'jwtgate_verdict_cache_hits_total')).toBe(2);
  expect(findSample(body, 'jwtgate_verdict_cache_misses_total')).toBe(2);
  expect(findSample(body, 'jwtgate_verdict_cache_entries')).toBe(1);
  expect(findSample(body, 'jwtgate_verify_duration_seconds_count')).toBe(2);
  expect(findSample(body, 'jwtgate_active_requests')).toBe(0);
});

const promtool = spawnSync('promtool', ['--version']);

test.skipIf(promtool.error !== undefined)('promtool finds no fault with /metrics', async () => {
  const gate = await runGate(config());
  await gate.send('/acme/x', { token: tokenOf('acme') });
  const { body } = await gate.ops('/metrics');
  const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
