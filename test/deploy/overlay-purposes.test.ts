import { describe, expect, test } from 'vitest';
import { loadDeployed } from '../support/deployed-config.ts';
import { buildKustomization, gateOf, hasKubectl, type Manifest } from '../support/manifests.ts';
import { matches, mayReach } from '../support/network-policies.ts';

const needs = hasKubectl ? '' : ' (needs kubectl 1.21)';

describe.skipIf(!hasKubectl)(`what the overlays are for${needs}`, () => {
  test('gateway: replicas that grow, that are spread, and that are not all taken away at once', async () => {
    const manifests = await buildKustomization(`deploy/kubernetes/overlays/gateway`);
    const find = (kind: string) => manifests.find((manifest) => manifest.kind === kind)?.spec;
    const { replicas, strategy, template } = find('Deployment');
    // The autoscaler's to say.
    expect(replicas).toBe(undefined);
    expect(find('HorizontalPodAutoscaler')).toMatchObject({ minReplicas: 3, scaleTargetRef: { name: 'jwtgate' } });
    expect(find('PodDisruptionBudget')).toMatchObject({ maxUnavailable: 1 });
    expect(strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    expect(template.spec.topologySpreadConstraints).toHaveLength(2);
  });

  test('gateway: nobody goes around it to the service', async () => {
    const manifests = await buildKustomization(`deploy/kubernetes/overlays/gateway`);
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    const gate = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.metadata.labels;
    const service = { labels: { app: 'legacy-app' }, port: 8080 };
    expect(mayReach(policies, { pod: gate }, service)).toBe(true);
    expect(mayReach(policies, { pod: { app: 'anything' } }, service)).toBe(false);
    expect(mayReach(policies, { pod: { app: 'anything' } }, { labels: gate, port: 8080 })).toBe(true);
  });

  test('sidecar: it starts before the app, and nobody goes around it', async () => {
    const manifests = await buildKustomization(`deploy/kubernetes/overlays/sidecar`);
    const { labels } = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.metadata ?? {};
    const pod = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.spec;
    const [app] = pod.containers;
    expect(pod.initContainers).toMatchObject([{ name: 'jwtgate', restartPolicy: 'Always' }]);
    expect(app.env).toContainEqual({ name: 'HOST', value: '127.0.0.1' });
    expect(app.ports).toEqual([]);
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    expect(mayReach(policies, { pod: {} }, { labels, port: 8080 })).toBe(true);
    expect(mayReach(policies, { pod: {} }, { labels, port: 3000 })).toBe(false);
  });

  test('sidecar: the kubelet may ask for the app’s health without a token, and for nothing else', async () => {
    const manifests = await buildKustomization(`deploy/kubernetes/overlays/sidecar`);
    const pod = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.spec;
    const { path, port } = pod.containers[0].readinessProbe.httpGet;
    const files = manifests.find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
    const { policy } = await loadDeployed({ secretsPath: '/run/secrets/jwtgate', files });
    const routes = policy.tenants.get('acme')?.routes.map((route) => [route.path.text, route.access]);
    expect(port).toBe(8080);
    expect(routes).toEqual([[path, 'public']]);
  });

  test('sidecar: its container is the gateway’s, but for what makes it one', async () => {
    const [gateway, sidecar] = await Promise.all(
      ['gateway', 'sidecar'].map(async (name) => {
        const manifests = await buildKustomization(`deploy/kubernetes/overlays/${name}`);
        const { volumeMounts, securityContext, resources, restartPolicy, ...rest } = gateOf(
          manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.spec,
        );
        return rest;
      }),
    );
    expect(sidecar).toEqual(gateway);
  });

  test('egress signer: only who is labelled may have requests signed', async () => {
    const manifests = await buildKustomization(`deploy/kubernetes/overlays/egress-signer`);
    const { labels } = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.metadata ?? {};
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    const signer = { labels, port: 8080 };
    expect(mayReach(policies, { pod: { app: 'billing', 'jwtgate-egress': 'allowed' } }, signer)).toBe(true);
    expect(mayReach(policies, { pod: { app: 'billing' } }, signer)).toBe(false);
  });

  test('egress signer: each vendor has a Service by the name that its requests carry', async () => {
    const manifests = await buildKustomization(`deploy/kubernetes/overlays/egress-signer`);
    const files = manifests.find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
    const { policy } = await loadDeployed({ secretsPath: '/run/secrets/jwtgate', files });
    const services = manifests.filter(({ kind }) => kind === 'Service').map(({ metadata }) => metadata.name);
    expect(services).toEqual(expect.arrayContaining([...policy.tenants.keys()]));
  });

  test('a gateway and an egress signer in one namespace don’t take each other’s pods', async () => {
    const [gateway = [], signer = []] = await Promise.all(
      ['gateway', 'egress-signer'].map((name) => buildKustomization(`deploy/kubernetes/overlays/${name}`)),
    );
    const names = (manifests: readonly Manifest[]) => manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(names(gateway).filter((name) => names(signer).includes(name))).toEqual([]);
    for (const [ours, theirs] of [
      [gateway, signer],
      [signer, gateway],
    ] as const) {
      const { labels } = theirs.find(({ kind }) => kind === 'Deployment')?.spec.template.metadata ?? {};
      for (const { spec } of ours.filter(({ kind }) => kind === 'Service')) {
        expect(matches(spec.selector, labels)).toBe(false);
      }
    }
  });
});
