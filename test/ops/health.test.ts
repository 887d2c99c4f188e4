import { expect, test } from 'vitest';
import { type Health, readiness } from '../../src/ops/health.ts';

function health(over: Partial<Health> = {}): Health {
  return {
    config: { generation: 2, hash: '0123456789abcdef', tenants: 3 },
    draining: false,
    keysAwaited: [],
    lastReloadProblem: undefined,
    needsRestart: [],
    ...over,
  };
}

test('it is ready when a config is served, required keys were fetched, and no drain has begun', () => {
  const { ready, text } = readiness(health());
  expect(ready).toBe(true);
  expect(text).toMatch(/^ready\n/);
  expect(text).toContain('generation 2, 3 tenants, hash 0123456789ab');
});

test.each([
  ['no config is served yet', { config: undefined }, '[-] config'],
  ['a required key source was never fetched', { keysAwaited: ['https://id/jwks'] }, '[-] keys: https://id/jwks'],
  ['a drain is under way', { draining: true }, '[-] drain'],
])('it is not ready while %s, and says so', (_what, over, line) => {
  const { ready, text } = readiness(health(over));
  expect(ready).toBe(false);
  expect(text).toMatch(/^not ready\n/);
  expect(text).toContain(line);
});

test('a failed reload is told but leaves the pod ready: the config before it is served', () => {
  const { ready, text } = readiness(health({ lastReloadProblem: '2 problems', needsRestart: ['listen'] }));
  expect(ready).toBe(true);
  expect(text).toContain('[!] last reload failed, the config before it is served: 2 problems');
  expect(text).toContain('[!] waiting for a restart: listen');
});
