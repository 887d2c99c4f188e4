import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type HeldUpstream, startHeldUpstream } from '../support/held-upstream.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { runVerb } from '../support/run-verb.ts';
import { configText, type RunningGate, runGate, tokenOf } from '../support/running-gate.ts';
import { until } from '../support/until.ts';

let upstream: HeldUpstream;
beforeAll(async () => {
  upstream = await startHeldUpstream();
});
afterEach(endAll);
afterAll(() => upstream.close());

const config = (more = '') =>
  configText({ upstreamPort: upstream.port, tenants: ['acme'], more: `admin: 127.0.0.1:0\n${more}` });

const api = (gate: RunningGate, path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${gate.adminPort}${path}`, init);

/** What the listener answers, as JSON. */
async function read(gate: RunningGate, path: string, init?: RequestInit) {
  const answer = await api(gate, path, init);
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into it
  return { status: answer.status, body: (await answer.json()) as any };
}

/** Sends a request that is refused, and waits until the admin listener knows of it. */
async function refuse(gate: RunningGate, path: string, token?: string): Promise<string> {
  const { body, status } = await gate.send(path, { token });
  expect(status).toBe(401);
  const { requestId } = JSON.parse(body);
  await until('it is recorded', async () => (await api(gate, `/api/refusals/${requestId}`)).status === 200);
  return requestId;
}

describe.each(['auto', 'node'])('lane: %s', (lane) => {
  test('a refusal is told by its X-Request-Id, with the lines of the config', async () => {
    const gate = await runGate(config(`lane: ${lane}`));
    const token = tokenOf('acme', { exp: 1_000_000_000 });
    const id = await refuse(gate, '/acme/orders?a=1', token);
    const { body: refusal } = await read(gate, `/api/refusals/${id}`);
    expect(refusal).toMatchObject({ id, reason: 'tokenExpired', tenant: 'acme', method: 'GET', path: '/acme/orders' });
    const { steps } = refusal.ladder;
    expect(steps.at(-1)).toMatchObject({ step: 'expiry', outcome: 'failed' });
    expect(steps.find(({ step }: { step: string }) => step === 'tenant').config).toMatchObject({
      file: gate.configPath,
      line: 7,
      path: 'tenants.acme.match',
    });
    const { body: list } = await read(gate, '/api/refusals');
    expect(list.refusals).toMatchObject([{ id, reason: 'tokenExpired' }]);
    expect(JSON.stringify([refusal, list])).not.toContain(token.split('.')[2]);
  });

  test('what mode: report lets through is told as well', async () => {
    const gate = await runGate(config(`lane: ${lane}`).replace('{match', '{mode: report, match'));
    expect((await gate.send('/acme/x')).status).toBe(200);
    await until('it is recorded', async () => (await read(gate, '/api/refusals')).body.refusals.length === 1);
    const { body } = await read(gate, '/api/refusals');
    expect(body.refusals).toMatchObject([{ decision: 'report', reason: 'tokenMissing', status: 200 }]);
  });
});

test('the CLI prints it, and says what it can not find', async () => {
  const gate = await runGate(config());
  const id = await refuse(gate, '/acme/x');
  const admin = ['--admin', `http://127.0.0.1:${gate.adminPort}`];
  const { code, stdout } = await runVerb(['explain', '--request-id', id, ...admin]);
  expect(stdout).toMatch(/GET \/acme\/x from 127.0.0.1\n\n {2}✓ request/);
  expect(stdout).toMatch(/✗ token {7}no token in header:authorization:bearer\n/);
  expect(stdout).toContain('refused: tokenMissing, status 401 (tenant acme)');
  expect(code).toBe(1);
  const json = await runVerb(['explain', '--json', '--request-id', id, ...admin]);
  expect(JSON.parse(json.stdout)).toMatchObject({ id, reason: 'tokenMissing' });
  expect((await runVerb(['explain', '--request-id', 'other', ...admin])).code).toBe(2);
  expect((await runVerb(['explain', '--request-id', id, '--admin', 'http://127.0.0.1:1'])).code).toBe(69);
  expect((await runVerb(['explain', '--request-id', id, '--admin', 'nonsense'])).code).toBe(2);
});

test('a question is explained by the config that is served, and a token in it is neither logged nor used up', async () => {
  const gate = await runGate(config('replay: {claim: jti}'));
  const token = tokenOf('acme', { jti: 'once' });
  const explain = (question: object) => {
    const headers = { 'content-type': 'application/json' };
    return read(gate, '/api/explain', { method: 'POST', headers, body: JSON.stringify(question) });
  };
  for (let i = 0; i < 2; i++) {
    expect(await explain({ url: '/acme/x', token })).toMatchObject({
      status: 200,
      body: { ladder: { verdict: 'allowed' }, token: { signature: 'verified' }, upstream: { method: 'GET' } },
    });
  }
  expect((await gate.send('/acme/x', { token })).status).toBe(200);
  const used = await explain({ url: '/acme/x', headers: { authorization: `Bearer ${token}` } });
  expect(used.body.ladder).toMatchObject({ verdict: 'refused', reason: 'tokenReplayed' });
  expect(used.body.ladder.steps.at(-1).config).toMatchObject({ path: 'replay', line: 5 });
  expect(await explain({ url: 'nonsense' })).toMatchObject({ status: 400 });
  expect(await explain({ url: '/x', what: 1 })).toMatchObject({ status: 400 });
  expect(gate.process.stdout + gate.process.stderr).not.toContain(token.split('.')[2]);
});

test('where the files are not those that are served, only paths are told', async () => {
  const gate = await runGate(config());
  await gate.rewrite(`# moved\n${config()}`);
  const id = await refuse(gate, '/acme/x');
  const { body } = await read(gate, `/api/refusals/${id}`);
  expect(body.ladder.steps.at(-1).config).toEqual({ path: 'tenants.acme.token' });
});

test('without `admin` nobody listens', async () => {
  const gate = await runGate(configText({ upstreamPort: upstream.port, tenants: ['acme'] }));
  expect(gate.adminPort).toBeNaN();
});
