import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { configFiles, loadSound } from '../support/config-files.ts';
import { countingSteps } from '../support/count-steps.ts';

const many = 2_000;

function fleet(count: number, broken = ''): string {
  const tenants = Array.from(
    { length: count },
    (_, index) => `  app${index}: {template: app, secret: {env: SECRET}}\n`,
  );
  return `upstream: http://127.0.0.1:3000
templates:
  app:
    match: {path: "/\${tenant}/**"}
    claims: {id: required}
    headers: {X-User: "\${claims.id}"}
    routes: [{path: "/*/health", access: public}, {path: "/*/users/{id}", bind: {id: path.id}}${broken}]
    errors: {tokenExpired: {code: 40}, body: {code: "\${code}"}}
tenants:
${tenants.join('')}`;
}

test('thousands of tenants share what their template says', async () => {
  const { policy } = await loadSound(fleet(many), { SECRET: 's'.repeat(32) });
  expect(policy.tenants.size).toBe(many);
  const [first, last] = [policy.tenants.get('app0'), policy.tenants.get(`app${many - 1}`)];
  for (const part of [
    'upstream',
    'locations',
    'algorithms',
    'checks',
    'routes',
    'claims',
    'binds',
    'identityHeaders',
    'errors',
  ] as const) {
    expect(first?.[part]).toBe(last?.[part]);
  }
  expect(first?.fingerprint).not.toBe(last?.fingerprint);
});

test('a mistake in their template is told once, at its place', async () => {
  const files = configFiles({ 'config.yaml': fleet(many, ', {path: /*/health}') }, { SECRET: 's'.repeat(32) });
  const loaded = await loadConfig('config.yaml', files);
  expect(loaded.ok ? [] : loaded.problems).toMatchObject([
    { line: 7, message: expect.stringContaining('never reached') },
  ]);
});

test('a mistake in each of them is told for the first hundred, and counted for the rest', async () => {
  const loaded = await loadConfig('config.yaml', configFiles({ 'config.yaml': fleet(many) }, { SECRET: 'short' }));
  const problems = loaded.ok ? [] : loaded.problems;
  expect(problems).toHaveLength(101);
  expect(problems.at(-1)?.message).toContain(`the same in ${many - 100} more places`);
});

test('no step of a load goes through all tenants without others having their turn in between', async () => {
  const more = 'trustedProxies: [127.0.0.1]\nverify: {address: "127.0.0.1:9903", front: nginx}\nmode: report\n';
  const files = configFiles({ 'config.yaml': fleet(many) + more }, { SECRET: 's'.repeat(32) });
  let most = 0;
  const loaded = await countingSteps((takeSteps) => {
    const pause = async () => {
      most = Math.max(most, takeSteps());
    };
    return loadConfig('config.yaml', files, { pause });
  });
  expect(loaded).toMatchObject({ ok: true });
  expect(most).toBeLessThan(many);
});
