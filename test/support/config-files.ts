import { matchesGlob } from 'node:path';
import type { ConfigDeps, FileContent } from '../../src/config/deps.ts';
import { type LoadedConfig, loadConfig, type RefusedConfig } from '../../src/config/load.ts';
import type { Problem } from '../../src/config/problem.ts';

/** A config loader's world out of maps: files by path, and the environment. */
export function configFiles(
  files: Readonly<Record<string, string | Uint8Array | FileContent>>,
  env: Readonly<Record<string, string>> = {},
): ConfigDeps {
  return {
    env,
    readFile: async (path) => {
      const file = files[path];
      if (file === undefined) return { fault: 'missing' };
      if (typeof file === 'string') return { bytes: Buffer.from(file) };
      return 'bytes' in file ? file : { bytes: file };
    },
    glob: async (pattern) => Object.keys(files).filter((path) => matchesGlob(path, pattern)),
  };
}

/** Loads `config.yaml` of these files; throws, with the problems, where it is refused. */
export async function loadSound(
  files: string | Readonly<Record<string, string | Uint8Array | FileContent>>,
  env: Readonly<Record<string, string>> = {},
): Promise<LoadedConfig> {
  const loaded = await load(files, env);
  if (!loaded.ok) throw new Error(loaded.problems.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return loaded;
}

/** The problems of `config.yaml`, errors and warnings, each as "line:column path: message". */
export async function problemsOf(
  files: string | Readonly<Record<string, string | Uint8Array | FileContent>>,
  env: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const loaded = await load(files, env);
  return (loaded.ok ? loaded.warnings : loaded.problems).map(shortForm);
}

function shortForm({ file, line, column, path, message }: Problem): string {
  const place = file === 'config.yaml' ? '' : `${file}:`;
  return `${place}${line ?? '-'}:${column ?? '-'} ${path}: ${message}`;
}

function load(
  files: string | Readonly<Record<string, string | Uint8Array | FileContent>>,
  env: Readonly<Record<string, string>>,
): Promise<LoadedConfig | RefusedConfig> {
  return loadConfig('config.yaml', configFiles(typeof files === 'string' ? { 'config.yaml': files } : files, env));
}
