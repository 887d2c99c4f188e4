import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { loadDeployed } from '../support/deployed-config.ts';
import { gateOf, type Manifest, parseManifests, problemsOf } from '../support/manifests.ts';

// test/image/pod.test.ts runs it, where podman is.
const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => parseManifests(readFileSync(resolve(root, path), 'utf8'));
const [map, pod] = read('deploy/kubernetes/pod.yaml') as [Manifest, Manifest];

test('the pod of two containers is what Kubernetes takes', async () => {
  expect(await problemsOf([map, pod])).toEqual([]);
});

test('it runs this version of jwtgate', () => {
  const { version } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
  expect(gateOf(pod.spec).image).toBe(`registry.example/jwtgate:${version}`);
});

test('its gate may do no more than the sidecar, and has no more', () => {
  const [patch] = read('deploy/kubernetes/overlays/sidecar/deployment.yaml') as [Manifest];
  const [ours, sidecar] = [gateOf(pod.spec), gateOf(patch.spec.template.spec)];
  for (const key of ['args', 'ports', 'securityContext', 'resources']) expect(ours[key]).toEqual(sidecar[key]);
});

test('its config loads, and the app outlives the gate, which has the time to drain', async () => {
  const { policy } = await loadDeployed({ secretsPath: '/run/secrets/jwtgate', files: map.data ?? {} });
  const { drainDelayMs, drainMs } = policy.timeouts;
  const [command, seconds] = pod.spec.containers[1].lifecycle.preStop.exec.command;
  expect([command, Number(seconds) * 1000 > drainDelayMs]).toEqual(['sleep', true]);
  expect(pod.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(drainDelayMs + drainMs);
});
