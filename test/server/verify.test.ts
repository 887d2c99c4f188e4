import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { findSample } from '../support/exposition-parser.ts';
import { freePort } from '../support/free-port.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { openRawClient, rawRequest } from '../support/raw-client.ts';
import { configText, type RunningGate, runGate, tokenOf } from '../support/running-gate.ts';
import { mintRs256, newRsaKey } from '../support/tokens.ts';

afterEach(endAll);

const config = (tenants: readonly string[] = ['acme'], verify = 'verify: {address: 127.0.0.1:0, front: traefik}') =>
  configText({ upstreamPort: 1, tenants, more: `${verify}\ntrustedProxies: [127.0.0.1]` });

function portOf(gate: RunningGate): number {
  return Number(
    String(gate.process.log.find(({ msg }) => msg === 'started')?.verify)
      .split(':')
      .at(-1),
  );
}

function question(path: string, token: string): string {
  const fields = [
    'X-Forwarded-Method: GET',
    `X-Forwarded-Uri: ${path}`,
    'X-Forwarded-Host: app.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 203.0.113.9',
    `Authorization: Bearer ${token}`,
  ];
  return `GET /verify HTTP/1.1\r\nHost: jwtgate\r\n${fields.join('\r\n')}\r\n\r\n`;
}

test('questions are logged and counted as requests are, on a lane of their own', async () => {
  const gate = await runGate(config());
  const port = portOf(gate);
  expect((await rawRequest({ port }, question('/acme/x?a=1', tokenOf('acme')))).status).toBe(200);
  expect((await rawRequest({ port }, question('/acme/x', 'x'))).status).toBe(401);
  expect(await gate.process.logged('request', { decision: 'allow' })).toMatchObject({
    lane: 'verify',
    method: 'GET',
    path: '/acme/x',
    status: 200,
    client_ip: '203.0.113.9',
  });
  const { body } = await gate.ops('/metrics');
  expect(findSample(body, 'jwtgate_request_lane_total', { lane: 'verify' })).toBe(2);
  expect(findSample(body, 'jwtgate_requests_total', { tenant: 'acme', decision: 'allow' })).toBe(1);
  expect(findSample(body, 'jwtgate_requests_total', { tenant: 'acme', reason: 'tokenMalformed' })).toBe(1);
  expect(findSample(body, 'jwtgate_active_requests')).toBe(0);
});

test('what a front has to overwrite is said at the start, and again when a reload changes it', async () => {
  const gate = await runGate(config());
  const said = await gate.process.logged('the front has to overwrite these headers');
  expect(said).toMatchObject({
    front: 'traefik',
    headers: ['authorization', 'x-jwt-auth', 'x-jwt-subject', 'x-jwt-tenant'],
  });
  const more =
    '  other: {match: {path: /other/**}, secret: {value: secret-of-other-xxxxxxxxxxxxxxxxxxxxxxx}, algorithms: [HS256]';
  await gate.rewrite(`${config()}${more}, token: {cookie: session}, headers: {X_User: "\${claims.sub}"}}\n`);
  gate.process.signal('SIGHUP');
  expect((await gate.process.logged('the front has to overwrite these headers')).headers).toEqual(
    ['authorization', 'cookie', 'x_user', 'x-jwt-auth', 'x-jwt-subject', 'x-jwt-tenant'].sort(),
  );
});

test('a reload judges the next question by the new config; another `verify` waits for a restart', async () => {
  const gate = await runGate(config());
  const port = portOf(gate);
  const client = await openRawClient({ port });
  client.send(question('/globex/x', tokenOf('globex')));
  expect((await client.response()).status).toBe(401);
  await gate.rewrite(config(['acme', 'globex'], 'verify: {address: 127.0.0.1:0, front: envoy}'));
  gate.process.signal('SIGHUP');
  await gate.process.logged('config reloaded');
  expect(
    await gate.process.logged('these settings were changed and need a restart; all others are live'),
  ).toMatchObject({
    settings: ['verify'],
  });
  client.send(question('/globex/x', tokenOf('globex')));
  expect((await client.response()).status).toBe(200);
  client.destroy();
});

test('keys that are not to be had are 503 with Retry-After, not 401', async () => {
  const url = `http://127.0.0.1:${await freePort()}/jwks`;
  const text = config([]).replace(
    'tenants:',
    `tenants:\n  far: {jwks: {url: "${url}"}, algorithms: [RS256], audience: any}`,
  );
  const gate = await runGate(text);
  const token = mintRs256(newRsaKey().privateKey, { header: { kid: 'k' }, claims: { exp: 9_999_999_999 } });
  const answer = await rawRequest({ port: portOf(gate) }, question('/x', token));
  expect({ status: answer.status, retry: Number(answer.headers['retry-after']) > 0 }).toEqual({
    status: 503,
    retry: true,
  });
  expect(JSON.parse(answer.body)).toMatchObject({ reason: 'keysUnavailable' });
});

test('a drain ends idle connections of fronts and takes no new ones', async () => {
  const gate = await runGate(config());
  const client = await openRawClient({ port: portOf(gate) });
  client.send(question('/acme/x', tokenOf('acme')));
  expect((await client.response()).status).toBe(200);
  gate.process.signal('SIGTERM');
  expect(await client.closed()).toBe('end');
  expect(await gate.process.ended).toBe(0);
});

test('an address of `verify` that is taken: exit code 69, and it says which', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const text = config(['acme'], `verify: {address: 127.0.0.1:${port}, front: nginx}`);
  await expect(runGate(text)).rejects.toThrow(/`verify`.*something listens there already/);
  taken.close();
});

test('there is no listener without `verify`', async () => {
  const gate = await runGate(configText({ upstreamPort: 1, tenants: ['acme'] }));
  expect(gate.process.log.find(({ msg }) => msg === 'started')).not.toHaveProperty('verify');
});
