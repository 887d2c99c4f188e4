import { diskDeps } from '../../src/config/deps.ts';
import { formatProblems } from '../../src/config/format-problems.ts';
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts';
import { createVolume } from './projected-volume.ts';
import { newRsaKey } from './tokens.ts';

export interface DeployedConfig {
  /** Where the pod mounts the Secret. */
  readonly secretsPath: string;
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Loads a ConfigMap's files as jwtgate does in a pod: from a volume as the kubelet lays it out, with every secret that
 * they name beside it. Throws what is wrong with them, warnings included.
 */
export async function loadDeployed({ secretsPath, files }: DeployedConfig): Promise<LoadedConfig> {
  const secrets: Record<string, string> = {};
  const named = Object.values(files).flatMap((text) => [
    ...text.matchAll(new RegExp(`(\\w+):\\s+\\{?file: ${secretsPath}/(\\w+)`, 'g')),
  ]);
  for (const [, use, name = ''] of named) secrets[name] = use === 'privateKey' ? newPrivateKey() : 'x'.repeat(64);
  const { path: there } = createVolume(secrets);
  const { path } = createVolume(
    Object.fromEntries(Object.entries(files).map(([name, text]) => [name, text.replaceAll(secretsPath, there)])),
  );
  const loaded = await loadConfig(`${path}/config.yaml`, diskDeps({}));
  const problems = loaded.ok ? loaded.warnings : loaded.problems;
  if (!loaded.ok || problems.length > 0) throw new Error(formatProblems(problems, { color: false }));
  return loaded;
}

const newPrivateKey = () => newRsaKey().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
