import { createHash, hash } from 'node:crypto';
import type { Environment } from './interpolate.ts';
import type { Model, Section } from './model.ts';
import { inTurns, type Pause } from './pacer.ts';
import { isContainer, type Plain } from './places.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import { sortPieces } from './sort-pieces.ts';

export interface ConfigHashes {
  /** SHA-256, hex, of all that the config says and names: the same on every replica that serves the same. */
  readonly all: string;
  /** A short digest of each tenant's own settings, to tell what a reload changed. */
  readonly tenants: ReadonlyMap<string, string>;
  /** Digests of what values name and do not hold (files, `{env}`), by tenant; the main file's own under undefined. */
  readonly contents: ReadonlyMap<string | undefined, string>;
}

/**
 * Hashes the effective config: what was merged and filled, secrets and files that it names included, as a rotated
 * secret is a change. It can't be turned back: to try a guess of one secret against it takes all else, to the byte.
 */
export async function hashConfig(
  { globals, tenants }: Model,
  files: ReferencedFiles,
  env: Environment,
  pause: Pause,
): Promise<ConfigHashes> {
  const all = createHash('sha256');
  const byTenant = new Map<string, string>();
  const contents = new Map<string | undefined, string>();
  const contentsOf = (section: Section<unknown>): string =>
    hash('sha256', JSON.stringify([variablesIn(section.raw, env), files.digestsOf(section)]));
  all.update(JSON.stringify([globals.raw, ...variablesIn(globals.raw, env)]));
  const inOrder = await inTurns(
    sortPieces(tenants, ({ id }) => id),
    pause,
  );
  for (const tenant of inOrder) {
    await pause();
    const text = JSON.stringify([tenant.id, tenant.raw, ...variablesIn(tenant.raw, env)]);
    contents.set(tenant.id, contentsOf(tenant));
    all.update(text);
    byTenant.set(tenant.id, hash('sha256', `${text}${files.digestsOf(tenant).join()}`, 'base64url').slice(0, 16));
  }
  const digests = await inTurns(
    sortPieces(files.digests(), (digest) => digest),
    pause,
  );
  all.update(digests.join('\n'));
  contents.set(undefined, contentsOf(globals));
  return { all: all.digest('hex'), tenants: byTenant, contents };
}

/** Values of the variables that `{env: NAME}` names, wherever it stands: a secret, a password, a private key. */
function variablesIn(value: Plain, env: Environment): string[] {
  if (!isContainer(value)) return [];
  if (Array.isArray(value)) return value.flatMap((item) => variablesIn(item, env));
  const { env: name, ...rest } = value;
  const own = typeof name === 'string' ? [env[name] ?? ''] : [];
  return [...own, ...Object.values(rest).flatMap((member) => variablesIn(member, env))];
}
