import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadDeployed } from '../support/deployed-config.ts';
import { buildKustomization, gateOf, hasKubectl, type Manifest, problemsOf } from '../support/manifests.ts';
import { mayReach, type Peer } from '../support/network-policies.ts';

const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'));
const needs = hasKubectl ? '' : ' (needs kubectl 1.21)';
const overlays = ['gateway', 'sidecar', 'egress-signer'] as const;

describe.skipIf(!hasKubectl).each(overlays)(`the overlay %s, as kubectl builds it${needs}`, (name) => {
  let manifests: Manifest[];
  beforeAll(async () => {
    manifests = await buildKustomization(`deploy/kubernetes/overlays/${name}`);
  });
  const ofKind = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);
  const theDeployment = () => ofKind('Deployment')[0]?.spec;
  const thePod = () => theDeployment().template.spec;
  const theGate = () => gateOf(thePod());
  const theConfig = async () => {
    const [map] = ofKind('ConfigMap');
    return loadDeployed({ secretsPath: '/run/secrets/jwtgate', files: map?.data ?? {} });
  };

  test('is what Kubernetes takes', async () => {
    expect(await problemsOf(manifests)).toEqual([]);
  });

  test('runs this version of jwtgate', () => {
    expect(theGate().image).toBe(`registry.example/jwtgate:${version}`);
  });

  test('runs as nobody, with no rights and nothing to write to', () => {
    expect({ ...thePod().securityContext, ...theGate().securityContext }).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('has bounds on memory, none on CPU, and asks for some of both', () => {
    expect(theGate().resources).toEqual({
      requests: { cpu: expect.stringMatching(/^\d+m$/), memory: '96Mi' },
      limits: { memory: '256Mi' },
    });
  });

  test('is probed where the config has the ops listener', async () => {
    const { settings } = await theConfig();
    const { startupProbe, readinessProbe, livenessProbe } = theGate();
    const paths = [startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet);
    const { port } = settings.ops as { port: number };
    // An identity provider that is away must not restart a pod: only readiness asks for more than life.
    expect(paths).toEqual(['/livez', '/readyz', '/livez'].map((path) => ({ path, port })));
  });

  test('reads config and secrets from directories, so that reloads see them change', () => {
    const { volumeMounts, args } = theGate();
    expect(args).toEqual(['run', '--watch']);
    expect(
      volumeMounts.map(({ mountPath, readOnly, subPath }: Record<string, unknown>) => [mountPath, readOnly, subPath]),
    ).toEqual([
      ['/etc/jwtgate', true, undefined],
      ['/run/secrets/jwtgate', true, undefined],
    ]);
    const volumes = new Map(thePod().volumes.map((volume: { name: string }) => [volume.name, volume]));
    expect(volumeMounts.map(({ name }: { name: string }) => volumes.get(name))).toMatchObject([
      { configMap: { name: ofKind('ConfigMap')[0]?.metadata.name } },
      { secret: { secretName: expect.stringContaining('jwtgate-secrets'), defaultMode: 0o440 } },
    ]);
  });

  test('has the time to drain', async () => {
    const { drainDelayMs, drainMs } = (await theConfig()).policy.timeouts;
    const asleep = thePod().containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
    expect(thePod().terminationGracePeriodSeconds).toBeGreaterThan(asleep + (drainDelayMs + drainMs) / 1000);
  });

  test('its selectors find its pods, and a port that they have', () => {
    const { metadata } = theDeployment().template;
    const ports = [...theGate().ports];
    for (const { spec } of ofKind('Service')) {
      expect(metadata.labels).toMatchObject(spec.selector);
      for (const { targetPort } of spec.ports) {
        expect(ports.filter(({ name, containerPort }) => [name, containerPort].includes(targetPort))).toHaveLength(1);
      }
    }
    for (const { spec } of [...ofKind('PodDisruptionBudget'), { spec: theDeployment() }]) {
      expect(metadata.labels).toMatchObject(spec.selector.matchLabels);
    }
    for (const { labelSelector } of thePod().topologySpreadConstraints ?? []) {
      expect(metadata.labels).toMatchObject(labelSelector.matchLabels);
    }
  });

  test('lets only Prometheus reach the ops listener', () => {
    const { labels } = theDeployment().template.metadata;
    const reaches = (from: Peer) => mayReach(ofKind('NetworkPolicy'), from, { labels, port: 9901 });
    expect(reaches({ pod: { app: 'anything' }, namespace: { 'kubernetes.io/metadata.name': 'monitoring' } })).toBe(
      true,
    );
    expect(reaches({ pod: { app: 'anything' } })).toBe(false);
  });
});
