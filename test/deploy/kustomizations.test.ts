import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadDeployed } from '../support/deployed-config.ts';
import { parseManifests, problemsOf } from '../support/manifests.ts';

// What can be said of the files without kubectl; overlays.test.ts looks at what it makes of them.
const root = resolve(import.meta.dirname, '../..');
const kustomizations = globSync('deploy/kubernetes/**/kustomization.yaml', { cwd: root }).sort();
const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe.each(kustomizations)('%s', (path) => {
  const folder = dirname(path);
  const kustomization = parse(read(path));
  const files: string[] = (kustomization.resources ?? []).filter((name: string) => name.endsWith('.yaml'));

  test('names files that are there', () => {
    const patches = (kustomization.patches ?? []).flatMap((patch: { path?: string }) => patch.path ?? []);
    const generated = (kustomization.configMapGenerator ?? []).flatMap((map: { files: string[] }) => map.files);
    const named = [...(kustomization.resources ?? []), ...patches, ...generated];
    expect(named.filter((name) => globSync(join(folder, name), { cwd: root }).length === 0)).toEqual([]);
  });

  test('brings objects that Kubernetes takes', async () => {
    expect(await problemsOf(files.flatMap((name) => parseManifests(read(join(folder, name)))))).toEqual([]);
  });

  test('patches objects that it has', () => {
    const patches: { path?: string; target?: Named }[] = kustomization.patches ?? [];
    const targets = patches.flatMap(({ path, target }) =>
      path === undefined ? target : targetsOf(join(folder, path)),
    );
    const had = resourcesOf(folder, { withPrefix: false });
    expect(targets.map((target) => target && nameOf(target)).filter((name) => !had.includes(name ?? ''))).toEqual([]);
  });

  const maps: { name: string; files: string[] }[] = kustomization.configMapGenerator ?? [];
  test.each(maps)('makes a config that loads: $name', async (map) => {
    const data = Object.fromEntries(map.files.map((name) => [basename(name), read(join(folder, name))]));
    await loadDeployed({ secretsPath: '/run/secrets/jwtgate', files: data });
  });
});

interface Named {
  readonly kind: string;
  readonly name: string;
}

const nameOf = ({ kind, name }: Named) => `${kind}/${name}`;

function targetsOf(path: string): Named[] {
  return parseManifests(read(path)).map(({ kind, metadata }) => ({ kind, name: metadata.name }));
}

/** What a kustomization takes in from files and from others below it, which may have put a prefix before the names. */
function resourcesOf(folder: string, { withPrefix }: { readonly withPrefix: boolean }): string[] {
  const { resources = [], namePrefix = '' } = parse(read(join(folder, 'kustomization.yaml')));
  const prefix = withPrefix ? namePrefix : '';
  return resources.flatMap((name: string) => {
    const path = join(folder, name);
    const taken = name.endsWith('.yaml') ? targetsOf(path).map(nameOf) : resourcesOf(path, { withPrefix: true });
    return taken.map((each) => each.replace('/', `/${prefix}`));
  });
}
