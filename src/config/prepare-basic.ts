import { type BasicCredential, compileBasic } from '../gate/basic.ts';
import { complainIn, type Load, type TenantSection } from './model.ts';
import { isPlainObject, type Plain } from './places.ts';
import { decodeEntry, readSecret, type SecretEntry } from './prepare-secrets.ts';
import type { ReferencedFiles } from './referenced-files.ts';

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
  if (basic === undefined) return undefined;
  const raw: Plain | undefined = isPlainObject(tenant.raw.basic) ? tenant.raw.basic.password : undefined;
  const entry: SecretEntry = { tenant, secret: basic.password, raw, path: ['basic', 'password'], load };
  const text = await readSecret(entry, files);
  const bytes = text === undefined ? undefined : decodeEntry(entry, text);
  return bytes === undefined ? undefined : compileBasic(basic.user, bytes);
}
