import { createHash, hash } from 'node:crypto';
import type { Environment } from './interpolate.ts';
import type { Model } from './model.ts';
import type { ReferencedFiles } from './referenced-files.ts';

export interface ConfigHashes {
  /** SHA-256, hex, of all that the config says and names: the same on every replica that serves the same. */
  readonly all: string;
  /** A short digest of each tenant's own settings, to tell what a reload changed. */
  readonly tenants: ReadonlyMap<string, string>;
}

/**
 * Hashes the effective config: what was merged and filled, secrets and files that it names included, as a rotated
 * secret is a change. It can't be turned back: to try a guess of one secret against it takes all else, to the byte.
 */
export function hashConfig({ globals, tenants }: Model, files: ReferencedFiles, env: Environment): ConfigHashes {
  const all = createHash('sha256');
  const byTenant = new Map<string, string>();
  all.update(JSON.stringify(globals.raw));
  for (const tenant of tenants.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const text = JSON.stringify([tenant.id, tenant.raw, ...variablesOf(tenant.config.secret, env)]);
    all.update(text);
    byTenant.set(tenant.id, hash('sha256', `${text}${files.digestsOf(tenant).join()}`, 'base64url').slice(0, 16));
  }
  all.update(files.digests().join('\n'));
  return { all: all.digest('hex'), tenants: byTenant };
}

function variablesOf(
  secrets: readonly { readonly env?: string | undefined }[] | undefined,
  env: Environment,
): string[] {
  return (secrets ?? []).flatMap((secret) => (secret.env === undefined ? [] : (env[secret.env] ?? '')));
}
