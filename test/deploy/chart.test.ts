import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadDeployed } from '../support/deployed-config.ts';
import { buildRenderer, chartFolder, hasGo, hasHelm, objectsOf, renderWithHelm } from '../support/helm-chart.ts';
import { gateOf, type Manifest, parseManifests, problemsOf } from '../support/manifests.ts';
import { mayReach, type Peer } from '../support/network-policies.ts';

const root = resolve(import.meta.dirname, '../..');
const readChart = (name: string) => parse(readFileSync(join(chartFolder, name), 'utf8'));
const example = readChart('ci/example-values.yaml');
const smallest = {
  config: {
    upstream: 'http://legacy-app:8080',
    tenants: { acme: { jwks: 'https://id.example/jwks', audience: 'any', algorithms: ['RS256'] } },
  },
};

test('the chart is for this version of jwtgate', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(readChart('Chart.yaml')).toMatchObject({ version, appVersion: version });
});

test('the chart carries the alert rules of deploy/prometheus', () => {
  expect(readFileSync(join(chartFolder, 'alerts.yaml'), 'utf8')).toBe(
    readFileSync(join(root, 'deploy/prometheus/alerts.yaml'), 'utf8'),
  );
});

const needsGo = hasGo ? '' : ' (needs go, and of its libraries sprig and yaml)';

describe.skipIf(!hasGo)(`the chart, rendered${needsGo}`, () => {
  let render: Awaited<ReturnType<typeof buildRenderer>>;
  beforeAll(async () => {
    render = await buildRenderer();
  }, 120_000);
  const objects = async (values: object) => objectsOf(await render(values));
  const find = (manifests: readonly Manifest[], kind: string) => manifests.find((manifest) => manifest.kind === kind);
  const podOf = (manifests: readonly Manifest[]) => find(manifests, 'Deployment')?.spec.template.spec;

  test('is what Kubernetes takes, with everything on and with as little as there can be', async () => {
    const everything = {
      ...example,
      image: { digest: `sha256:${'0'.repeat(64)}` },
      imagePullSecrets: [{ name: 'registry' }],
      service: { annotations: { a: 'b' } },
      serviceAccount: { annotations: { a: 'b' } },
      priorityClassName: 'high',
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'a', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      podAnnotations: { a: 'b' },
      podLabels: { a: 'b' },
      extraEnv: [{ name: 'A', value: 'b' }],
      extraVolumes: [{ name: 'more', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
    };
    const off = { enabled: false };
    const little = {
      ...smallest,
      autoscaling: off,
      podDisruptionBudget: off,
      networkPolicy: off,
      scrapeAnnotations: false,
      topologySpread: false,
      serviceAccount: { create: false },
      resources: null,
    };
    for (const values of [example, everything, smallest, little]) {
      const manifests = await objects(values);
      expect(await problemsOf(manifests)).toEqual([]);
      expect(manifests.length).toBeGreaterThan(4);
    }
  });

  test('makes configs that load', async () => {
    for (const values of [example, smallest]) {
      const files = find(await objects(values), 'ConfigMap')?.data ?? {};
      const { policy, settings } = await loadDeployed({ secretsPath: '/run/secrets/jwtgate', files });
      expect([...policy.tenants.keys()]).toContain('acme');
      expect([settings.listen, settings.ops]).toMatchObject([{ port: 8080 }, { port: 9901 }]);
      expect(policy.timeouts).toMatchObject({ drainDelayMs: 10_000, drainMs: 25_000 });
    }
  });

  test('hands jwtgate’s own placeholders on as they are', async () => {
    const files = find(await objects(example), 'ConfigMap')?.data ?? {};
    expect(parse(files['config.yaml'] ?? '')).toMatchObject(example.config);
  });

  test('runs the container of the kustomize base', async () => {
    const [base] = parseManifests(readFileSync(join(root, 'deploy/kubernetes/base/deployment.yaml'), 'utf8'));
    const ours = podOf(await objects(example));
    const theirs = base?.spec.template.spec;
    const { image: _, imagePullPolicy: __, ...container } = gateOf(ours);
    const { image: ___, ...containerOfBase } = gateOf(theirs);
    expect(container).toEqual(containerOfBase);
    expect(ours.securityContext).toEqual(theirs.securityContext);
    expect(ours.terminationGracePeriodSeconds).toBe(theirs.terminationGracePeriodSeconds);
  });

  test('its alerts are the rules, whatever Helm’s templates would make of theirs', async () => {
    expect(find(await objects(example), 'PrometheusRule')?.spec).toEqual(readChart('alerts.yaml'));
  });

  test('its selectors find its pods and its Services', async () => {
    const manifests = await objects(example);
    const { labels } = find(manifests, 'Deployment')?.spec.template.metadata ?? {};
    const services = manifests.filter(({ kind }) => kind === 'Service');
    for (const { spec } of services) expect(labels).toMatchObject(spec.selector);
    for (const kind of ['Deployment', 'PodDisruptionBudget']) {
      expect(labels).toMatchObject(find(manifests, kind)?.spec.selector.matchLabels);
    }
    const monitored = find(manifests, 'ServiceMonitor')?.spec.selector.matchLabels;
    const found = services.filter(({ metadata }) =>
      Object.entries(monitored).every(([name, value]) => metadata.labels?.[name] === value),
    );
    expect(found.map(({ metadata }) => metadata.name)).toEqual(['web-jwtgate-ops']);
    expect(find(manifests, 'HorizontalPodAutoscaler')?.spec.scaleTargetRef.name).toBe(
      find(manifests, 'Deployment')?.metadata.name,
    );
  });

  test('lets in whom the values name, and its own test', async () => {
    const manifests = await objects(example);
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    const { labels } = find(manifests, 'Deployment')?.spec.template.metadata ?? {};
    const reaches = (port: number, from: Peer) => mayReach(policies, from, { labels, port });
    const inNamespace = (name: string) => ({ pod: {}, namespace: { 'kubernetes.io/metadata.name': name } });
    expect([reaches(8080, inNamespace('ingress')), reaches(8080, { pod: {} })]).toEqual([true, false]);
    expect([reaches(9901, inNamespace('monitoring')), reaches(9901, { pod: {} })]).toEqual([true, false]);
    expect(reaches(9901, { pod: find(manifests, 'Pod')?.metadata.labels ?? {} })).toBe(true);
  });

  test('its test asks the Service that has the ops port', async () => {
    const manifests = await objects(example);
    const args: string[] = find(manifests, 'Pod')?.spec.containers[0].args;
    const service = manifests.find(({ kind, spec }) => kind === 'Service' && spec.ports[0].targetPort === 'ops');
    expect(args).toEqual(['healthcheck', '--url', `http://${service?.metadata.name}:${service?.spec.ports[0].port}`]);
  });

  test('says what to do next', async () => {
    const notes = async (values: object) => (await render(values)).get('templates/NOTES.txt');
    expect(await notes(example)).toContain('helm test web --namespace default');
    expect(await notes(example)).not.toContain('existingSecret');
    expect(await notes(smallest)).toContain('existingSecret');
  });

  test.each([
    ['no tenants', {}, 'set config.tenants'],
    [
      'a drain that Kubernetes would cut short',
      { ...smallest, terminationGracePeriodSeconds: 35 },
      'must be more than',
    ],
    ['the same in other units', { config: { ...smallest.config, timeouts: { drain: '1m' } } }, '(70 s)'],
  ])('fails for %s, and says why', async (_what, values, why) => {
    await expect(render(values)).rejects.toThrow(why);
  });

  test.skipIf(!hasHelm)(`Helm renders the same${hasHelm ? '' : ' (needs helm)'}`, async () => {
    const sorted = (manifests: readonly Manifest[]) =>
      manifests.toSorted((one, other) =>
        `${one.kind}/${one.metadata.name}` < `${other.kind}/${other.metadata.name}` ? -1 : 1,
      );
    for (const values of [example, smallest]) {
      expect(sorted(renderWithHelm(values))).toEqual(sorted(await objects(values)));
    }
  });
});
