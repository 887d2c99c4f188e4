import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { catches, endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { ask, configText, runGate, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

const config = (more?: string) =>
  configText({ upstreamPort: upstream.port, tenants: ['acme'], ...(more !== undefined && { more }) });

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends an idle gate at once, with exit code 0', async (signal) => {
  const gate = await runGate(config());
  const socket = connect(gate.proxyPort, '127.0.0.1');
  await once(socket, 'connect');
  gate.process.signal(signal);
  expect(await gate.process.ended).toBe(0);
  await gate.process.logged('stopped');
  expect(gate.process.stderr).toBe('');
});

test('SIGTERM lets a slow response end, while new connections are refused and /readyz says 503', async () => {
  const gate = await runGate(config());
  const answer = gate.send('/acme/held', { token: tokenOf('acme') });
  const held = await upstream.nextHeld();
  held.write('first half, ');
  gate.process.signal('SIGTERM');
  await gate.process.logged('draining', { active_requests: 1 });
  await expect(gate.send('/acme/x', { token: tokenOf('acme') })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  const ready = await gate.ops('/readyz');
  expect(ready.status).toBe(503);
  expect(ready.body).toContain('[-] drain: under way');
  expect((await gate.ops('/livez')).status).toBe(200);
  held.end('second half');
  expect(await answer).toEqual({ status: 200, body: 'first half, second half' });
  expect(await gate.process.ended).toBe(0);
});

test('in timeouts.drainDelay /readyz says 503 while requests are still served; then it ends', async () => {
  const gate = await runGate(config('timeouts: {drainDelay: 5s}'));
  gate.process.signal('SIGTERM');
  await gate.process.logged('draining', { delay_ms: 5_000, at_most_ms: 30_000 });
  expect((await gate.ops('/readyz')).status).toBe(503);
  expect((await gate.ops('/livez')).status).toBe(200);
  expect((await gate.send('/acme/x', { token: tokenOf('acme') })).status).toBe(200);
  expect(await gate.process.ended).toBe(0);
});

test('a second SIGTERM ends the delay, too', async () => {
  const gate = await runGate(config('timeouts: {drainDelay: 60s}'));
  gate.process.signal('SIGTERM');
  await gate.process.logged('draining');
  gate.process.signal('SIGTERM');
  expect(await gate.process.ended).toBe(143);
});

test('a drain waits no longer than timeouts.drain', async () => {
  const gate = await runGate(config('timeouts: {drain: 300ms}'));
  const answer = gate.send('/acme/held', { token: tokenOf('acme') });
  const failed = expect(answer).rejects.toThrow();
  await upstream.nextHeld();
  gate.process.signal('SIGTERM');
  expect(await gate.process.ended).toBe(0);
  await failed;
});

test.each([
  ['SIGTERM', 'SIGTERM', 143],
  ['SIGINT', 'SIGINT', 130],
  ['SIGTERM', 'SIGINT', 130],
] as const)('%s, then %s while draining: stops now with %i', async (first, second, code) => {
  const gate = await runGate(config());
  const failed = expect(gate.send('/acme/held', { token: tokenOf('acme') })).rejects.toThrow();
  await upstream.nextHeld();
  gate.process.signal(first);
  await gate.process.logged('draining');
  gate.process.signal(second);
  expect(await gate.process.ended).toBe(code);
  await failed;
});

test('SIGTERM while it starts is a clean end', async () => {
  const folder = newFolder();
  await writeFile(join(folder, 'config.yaml'), config());
  const process = startJwtgate(['run', '-c', join(folder, 'config.yaml')]);
  // Node catches SIGTERM for itself before it runs anything; our handlers stand when SIGHUP's does.
  await catches(process.child, 1);
  process.signal('SIGTERM');
  expect(await process.ended).toBe(0);
});

test('SIGHUP while it drains changes nothing', async () => {
  const gate = await runGate(config());
  const answer = gate.send('/acme/held', { token: tokenOf('acme') });
  const held = await upstream.nextHeld();
  gate.process.signal('SIGTERM');
  await gate.process.logged('draining');
  gate.process.signal('SIGHUP');
  held.end('ok');
  expect((await answer).status).toBe(200);
  expect(await gate.process.ended).toBe(0);
});

test('SIGUSR2 turns debug logging on and off again, SIGPIPE is nothing', async () => {
  const gate = await runGate(config());
  gate.process.signal('SIGUSR2');
  expect(await gate.process.logged('log level changed')).toMatchObject({ level: 'info', now: 'debug' });
  gate.process.signal('SIGUSR2');
  expect(await gate.process.logged('log level changed')).toMatchObject({ now: 'info' });
  gate.process.signal('SIGPIPE');
  expect((await ask(gate.opsPort, '/livez', {})).status).toBe(200);
});
