import { execFile, spawnSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { newFolder } from './scratch-folder.ts';

const root = resolve(import.meta.dirname, '../..');

/** One Kubernetes object; what a test reads of it is its own business. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Labels };
  // biome-ignore lint/suspicious/noExplicitAny: its shape is checked by `problemsOf`, by those who know it.
  readonly spec?: any;
  readonly data?: Readonly<Record<string, string>>;
  readonly automountServiceAccountToken?: boolean;
}

export type Labels = Readonly<Record<string, string>>;

/** Builds kustomizations; older ones than 1.21 know less of them. */
export const hasKubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0 && knowsComponents();

function knowsComponents(): boolean {
  const { stdout } = spawnSync('kubectl', ['version', '--client', '--output', 'json'], { encoding: 'utf8' });
  return Number(/"minor": "(\d+)/.exec(stdout)?.[1] ?? 0) >= 21;
}

export async function buildKustomization(folder: string): Promise<Manifest[]> {
  const { stdout } = await promisify(execFile)('kubectl', ['kustomize', join(root, folder)]);
  return parseManifests(stdout);
}

/** The objects of a YAML stream; throws where it is not one, or a key stands twice. */
export function parseManifests(text: string): Manifest[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw problem;
    const value = document.toJS();
    return value === null ? [] : [value];
  });
}

/**
 * What Kubernetes would say of these objects: its own JSON schemas for values, and for unknown fields, which the
 * schemas let pass, the types that are generated from them.
 */
export async function problemsOf(manifests: readonly Manifest[]): Promise<string[]> {
  const byValue = await Promise.all(manifests.map(async (manifest) => (await problemOfValues(manifest)) ?? []));
  return [...byValue.flat(), ...(await unknownFields(manifests))];
}

async function problemOfValues(manifest: Manifest): Promise<string | undefined> {
  const { kind, metadata } = manifest;
  const models = await import(moduleOf(manifest)).catch(() => ({}));
  if (models[kind] === undefined) return `${kind}/${metadata?.name}: no such kind in ${manifest.apiVersion}`;
  try {
    new models[kind](manifest).validate();
    return undefined;
  } catch (error) {
    return `${kind}/${metadata?.name}: ${(error as Error).message}`;
  }
}

function moduleOf({ apiVersion, kind }: Manifest): string {
  const isOperator = apiVersion.startsWith('monitoring.coreos.com/');
  return `${isOperator ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}/${kind}`;
}

/** Typescript takes no literal with more properties than its type has. */
async function unknownFields(manifests: readonly Manifest[]): Promise<string[]> {
  const folder = newFolder();
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  const lines = manifests.map((manifest, i) => {
    const type = `import type { I${manifest.kind} as T${i} } from '${moduleOf(manifest)}';`;
    return `${type} export const m${i}: T${i} = ${JSON.stringify(manifest)};`;
  });
  writeFileSync(join(folder, 'manifests.ts'), `${lines.join('\n')}\n`);
  const args = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', '', 'manifests.ts'];
  const run = promisify(execFile)(join(root, 'node_modules/.bin/tsc'), args, { cwd: folder });
  const { stdout } = await run.catch((error) => ({ stdout: `${error.stdout}${error.stderr}` }));
  return stdout.split('\n').filter((line) => line.includes('error'));
}

/** The container of jwtgate in a pod's spec, be it a sidecar or not. */
// biome-ignore lint/suspicious/noExplicitAny: checked by `problemsOf`.
export function gateOf(pod: any) {
  return [...(pod.initContainers ?? []), ...pod.containers].find(({ name }) => name === 'jwtgate');
}
