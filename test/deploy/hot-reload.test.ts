import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { endAll, startJwtgate } from '../support/jwtgate-process.ts';
import { createVolume } from '../support/projected-volume.ts';
import { ask, secretOf, tokenOf } from '../support/running-gate.ts';
import { startLegacyService } from '../support/system.ts';

const overlay = resolve(import.meta.dirname, '../../deploy/kubernetes/overlays/gateway');
const fileOf = (name: string) => readFileSync(join(overlay, name), 'utf8');

afterEach(endAll);

/** Runs the overlay's files from volumes like the kubelet's; only addresses differ. */
async function startOverlay() {
  const service = await startLegacyService();
  const secrets = createVolume({ acme: secretOf('acme') });
  const files = {
    'config.yaml': fileOf('config.yaml')
      .replace('listen: 0.0.0.0:8080', 'listen: 127.0.0.1:0')
      .replace('ops: 0.0.0.0:9901', 'ops: 127.0.0.1:0')
      .replace('http://legacy-app:8080', `http://127.0.0.1:${service.port}`)
      .replaceAll('/run/secrets/jwtgate', secrets.path),
    // Its keys are nowhere to be had.
    'tenants-globex.yaml': fileOf('tenants-globex.yaml').replace(
      /https:\/\/id\.globex\.example\/\.well.*/,
      'https://127.0.0.1:9/jwks',
    ),
  };
  const configs = createVolume(files);
  const gate = startJwtgate(['run', '--watch', '-c', join(configs.path, 'config.yaml')]);
  const port = Number(
    String((await gate.logged('started')).proxy)
      .split(':')
      .at(-1),
  );
  const status = async (tenant: string, key = tenant) =>
    (await ask(port, `/${tenant}/x`, { authorization: `Bearer ${tokenOf(key)}` })).status;
  return { service, secrets, configs, files, gate, status };
}

const initech = (secretsPath: string) =>
  `tenants: {initech: {match: {path: /initech/**}, secret: {file: ${secretsPath}/initech}, algorithms: [HS256]}}`;

test('the gateway follows its ConfigMap and its Secret, as the kubelet swaps them', async () => {
  const { service, secrets, configs, files, gate, status } = await startOverlay();
  expect([await status('acme'), await status('initech')]).toEqual([200, 401]);

  secrets.update({ acme: secretOf('acme'), initech: secretOf('initech') });
  configs.update({ ...files, 'tenants-initech.yaml': initech(secrets.path) });
  await gate.logged('config reloaded', { cause: 'watch' });
  expect([await status('acme'), await status('initech')]).toEqual([200, 200]);

  secrets.update({ acme: secretOf('rotated'), initech: secretOf('initech') });
  await gate.logged('config reloaded', { cause: 'watch' });
  expect([await status('acme'), await status('acme', 'rotated'), await status('initech')]).toEqual([401, 200, 200]);
  await service.close();
});

test('a ConfigMap that is swapped in before the Secret that it needs waits for that', async () => {
  const { service, secrets, configs, files, gate, status } = await startOverlay();
  configs.update({ ...files, 'tenants-initech.yaml': initech(secrets.path) });
  await gate.logged('reload refused: the config before it is still served');
  expect([await status('acme'), await status('initech')]).toEqual([200, 401]);
  secrets.update({ acme: secretOf('acme'), initech: secretOf('initech') });
  await gate.logged('config reloaded', { cause: 'watch' });
  expect([await status('acme'), await status('initech')]).toEqual([200, 200]);
  await service.close();
});
