import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { ConfigPath } from './config-path.ts';
import { complainIn, type Load, type Section } from './model.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import { Secret } from './secret.ts';

/** PEM as a config gives it: the text itself, the path of a file, or {file}. */
export type PemSource = string | Secret | { readonly file: string };

/** The PEM text; undefined, with a problem, where its file can't be read. */
export async function readPem(
  section: Section<unknown>,
  at: ConfigPath,
  source: PemSource,
  files: ReferencedFiles,
): Promise<string | undefined> {
  const given = source instanceof Secret ? source.reveal() : source;
  if (typeof given !== 'string') return files.readText(section, [...at, 'file'], given.file);
  return given.trimStart().startsWith('-----BEGIN') ? given : files.readText(section, at, given);
}

/** Says of certificates and keys what TLS would say of them, but at load. */
export function checkTlsMaterial(
  section: Section<unknown>,
  at: ConfigPath,
  material: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>,
  load: Load,
): void {
  try {
    createSecureContext(material);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const message = faultTexts.find(([pattern]) => pattern.test(code))?.[1] ?? 'cannot be used for TLS';
    complainIn(load, section, at, { message, hint: 'it must be PEM: -----BEGIN … -----END' });
  }
}

const faultTexts: readonly (readonly [RegExp, string])[] = [
  [/KEY_VALUES_MISMATCH/, 'the private key does not belong to the certificate'],
  [/BAD_PASSWORD_READ|BAD_DECRYPT/, 'the private key is encrypted'],
  [/NO_START_LINE|UNSUPPORTED/, 'holds no PEM that can be used for TLS'],
];
