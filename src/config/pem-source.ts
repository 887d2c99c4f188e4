import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
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

/** Are these CA certificates? OpenSSL takes a text without any for none, and says nothing. */
export function checkCertificates(section: Section<unknown>, at: ConfigPath, pem: string, load: Load): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length > 0 && blocks.every(isCertificate)) return;
  const message = blocks.length === 0 ? 'holds no certificate' : 'holds a certificate that cannot be read';
  complainIn(load, section, at, { message, hint: 'certificates in PEM form: -----BEGIN CERTIFICATE-----' });
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

/** Says of a certificate and its private key what TLS would say, but at load. */
export function checkKeyPair(
  section: Section<unknown>,
  at: ConfigPath,
  pair: { readonly cert: string; readonly key: string },
  load: Load,
): void {
  try {
    createSecureContext(pair);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const message = faultTexts.find(([pattern]) => pattern.test(code))?.[1] ?? 'cannot be used for TLS';
    complainIn(load, section, at, { message, hint: 'both in PEM form: -----BEGIN … -----END' });
  }
}

const faultTexts: readonly (readonly [RegExp, string])[] = [
  [/KEY_VALUES_MISMATCH/, 'is not the certificate of this private key'],
  [/BAD_PASSWORD|BAD_DECRYPT|INTERRUPTED_OR_CANCELLED/, 'the private key is encrypted, and there is nobody to ask'],
  [/NO_START_LINE|UNSUPPORTED/, 'or its key holds no PEM that can be used for TLS'],
];
