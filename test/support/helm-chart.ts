import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { type Manifest, parseManifests } from './manifests.ts';
import { newFolder } from './scratch-folder.ts';

export const chartFolder = resolve(import.meta.dirname, '../../deploy/helm/jwtgate');
const renderer = resolve(import.meta.dirname, '../deploy/render-chart/main.go');

/** Where Debian's packages put libraries of Go. */
const goPath = '/usr/share/gocode';
const libraries = ['github.com/Masterminds/sprig', 'sigs.k8s.io/yaml'].map((path) => join(goPath, 'src', path));

export const hasGo = spawnSync('go', ['version']).status === 0 && libraries.every((path) => existsSync(path));
export const hasHelm = spawnSync('helm', ['version']).status === 0;

/** Builds `render-chart`; the function that it returns renders with it, or rejects with what the chart says. */
export async function buildRenderer(): Promise<(values: object) => Promise<Map<string, string>>> {
  const executable = join(newFolder(), 'render-chart');
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: goPath };
  await promisify(execFile)('go', ['build', '-o', executable, renderer], { env });
  return async (values) => {
    const { stdout } = await promisify(execFile)(executable, [chartFolder, 'web', writeValues(values)]);
    return new Map(Object.entries(JSON.parse(stdout)));
  };
}

/** The objects that a rendered chart consists of. */
export function objectsOf(rendered: ReadonlyMap<string, string>): Manifest[] {
  return [...rendered].filter(([path]) => path.endsWith('.yaml')).flatMap(([, text]) => parseManifests(text));
}

/** The same by Helm itself. */
export function renderWithHelm(values: object): Manifest[] {
  const args = ['template', 'web', chartFolder, '--kube-version', '1.30.0', '--values', writeValues(values)];
  return parseManifests(execFileSync('helm', args, { encoding: 'utf8' }));
}

function writeValues(values: object): string {
  const path = join(newFolder(), 'values.yaml');
  writeFileSync(path, stringify(values));
  return path;
}
