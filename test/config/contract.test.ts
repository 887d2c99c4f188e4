import { expect, test } from 'vitest';
import { diskDeps } from '../../src/config/deps.ts';
import { loadConfig } from '../../src/config/load.ts';

/** The config that the project's plan shows, key by key; only where its secrets lie was changed. */
const contract = 'test/config/contract/config.yaml';

test('the planned config loads, with tenants from its own text and from the files it includes', async () => {
  const loaded = await loadConfig(contract, diskDeps({}));
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  expect([...loaded.policy.tenants.keys()]).toEqual(['acme', 'globex', 'initech']);
  expect(loaded.settings).toMatchObject({
    listen: { kind: 'tcp', host: '0.0.0.0', port: 8080 },
    ops: { kind: 'tcp', host: '0.0.0.0', port: 9901 },
    admin: { address: { kind: 'tcp', host: '127.0.0.1', port: 9902 }, hosts: [] },
    watch: false,
    verdictCache: { entries: 10_000, bytes: 32 * 1024 * 1024 },
    log: { level: 'info', format: 'auto', access: { sample: { allow: 1, answer: 1, deny: 1, report: 1 } } },
  });
  expect(loaded.policy.limits).toEqual({
    headerBytes: 16_384,
    headerCount: 100,
    tokenBytes: 8192,
    bodyBytes: 65_536,
  });
  expect(loaded.policy.timeouts).toEqual({
    headerMs: 10_000,
    idleMs: 75_000,
    connectMs: 5_000,
    responseMs: 60_000,
    drainDelayMs: 0,
    drainMs: 25_000,
  });
  const globex = loaded.policy.tenants.get('globex');
  expect(globex?.locations).toEqual([
    { kind: 'header', name: 'authorization', scheme: 'bearer' },
    { kind: 'query', name: 'jwt' },
    { kind: 'cookie', name: 'session' },
  ]);
  expect(globex?.algorithms).toEqual(new Set(['RS256', 'ES256']));
  expect(globex?.checks).toMatchObject({ audiences: ['legacy-api'], requireExp: true, clockSkewS: 5 });
  expect(globex?.routes.map(({ path, access }) => [path.text, access])).toEqual([
    ['/public/**', 'public'],
    ['/accounts/{accountId}/**', 'required'],
  ]);
  expect(globex?.identityHeaders.map(({ name }) => name)).toEqual(['X-User-Id', 'X-User-Email']);
  expect(globex?.errors.tokenExpired.status).toBe(401);
  expect(JSON.parse(globex?.errors.tokenExpired.body('r-1') ?? '')).toEqual({ status: 'Token expired', code: 40 });
});
