import { type BasicCredential, compileBasic } from '../gate/basic.ts';
import type { ConfigPath } from './config-path.ts';
import { complainIn, type Load, type TenantSection } from './model.ts';
import { isPlainObject, type Plain } from './places.ts';
import { decodeEntry, readSecret, type SecretEntry } from './prepare-secrets.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import type { BasicConfig } from './shape/secret.ts';

/** Reads a tenant's `basic`; undefined where it has none, or its password can't be had, which the report then says. */
export async function prepareBasic(
  tenant: TenantSection,
  load: Load,
  files: ReferencedFiles,
): Promise<BasicCredential | undefined> {
  const { basic, match = [] } = tenant.config;
  const users = match.flatMap(({ basicUser }, index) => (basicUser === undefined ? [] : [{ basicUser, index }]));
  const stranger = users.find(({ basicUser }) => basicUser !== basic?.user);
  if (stranger !== undefined) {
    const path = Array.isArray(tenant.raw.match) ? ['match', stranger.index, 'basicUser'] : ['match', 'basicUser'];
    const message = `${stranger.basicUser} is not the user of this tenant's basic`;
    complainIn(load, tenant, path, { message, hint: `basic: {user: ${stranger.basicUser}, password: {file: …}}` });
  }
  return prepareBasicAt(tenant, ['basic'], basic, load, files);
}

/** The same for the `basic` at a path of a tenant. */
export async function prepareBasicAt(
  tenant: TenantSection,
  path: ConfigPath,
  basic: BasicConfig | 'off' | undefined,
  load: Load,
  files: ReferencedFiles,
): Promise<BasicCredential | undefined> {
  if (basic === undefined || basic === 'off') return undefined;
  const place = [...path, 'password'];
  const entry: SecretEntry = { tenant, secret: basic.password, raw: rawAt(tenant.raw, place), path: place, load };
  const text = await readSecret(entry, files);
  const bytes = text === undefined ? undefined : decodeEntry(entry, text);
  return bytes === undefined ? undefined : compileBasic(basic.user, bytes);
}

function rawAt(raw: Plain, path: ConfigPath): Plain | undefined {
  let value: Plain | undefined = raw;
  for (const part of path) {
    if (Array.isArray(value)) value = value[Number(part)];
    else value = isPlainObject(value) ? value[part] : undefined;
  }
  return value;
}
