import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { repairPem } from '../sign/repair-pem.ts';
import type { ConfigPath } from './config-path.ts';
import { complainIn, type Load, type Section } from './model.ts';
import { readableByAll } from './prepare-secrets.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import { Secret } from './secret.ts';
import type { PrivateKeyConfig } from './shape/pem.ts';

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

/** The private key's PEM text, with a warning where others could read it; undefined, with a problem, where it can't be had. */
export async function readPrivateKey(
  section: Section<unknown>,
  at: ConfigPath,
  source: PrivateKeyConfig,
  load: Load,
  files: ReferencedFiles,
): Promise<string | undefined> {
  const given = source instanceof Secret ? { text: source.reveal() } : source;
  if ('text' in given && given.text.trimStart().startsWith('-----BEGIN')) {
    const hint = 'whoever can read the config can pose as this server: use a file';
    complainIn(load, section, at, { message: 'the private key stands in the config', hint }, 'warning');
    return given.text;
  }
  if ('text' in given) return readKeyFile(section, at, given.text, load, files);
  if (given.file !== undefined) return readKeyFile(section, [...at, 'file'], given.file, load, files);
  const value = load.deps.env[given.env as string];
  if (value !== undefined && value !== '') return repairPem(value);
  const message = `the environment variable ${given.env} is ${value === '' ? 'empty' : 'not set'}`;
  complainIn(load, section, [...at, 'env'], { message });
  return undefined;
}

async function readKeyFile(
  section: Section<unknown>,
  at: ConfigPath,
  file: string,
  load: Load,
  files: ReferencedFiles,
): Promise<string | undefined> {
  const content = await files.read(section, at, file);
  const readable = content && readableByAll(content);
  if (readable !== undefined) complainIn(load, section, at, readable, 'warning');
  return content && files.readText(section, at, file);
}

/** Are these certificates? OpenSSL takes a text without any for none, and says nothing. */
export function checkCertificates(section: Section<unknown>, at: ConfigPath, pem: string, load: Load): boolean {
  const blocks = certificateBlocks(pem);
  if (blocks.length > 0 && blocks.every(isCertificate)) return true;
  const message = blocks.length === 0 ? 'holds no certificate' : 'holds a certificate that cannot be read';
  complainIn(load, section, at, { message, hint: 'certificates in PEM form: -----BEGIN CERTIFICATE-----' });
  return false;
}

/** The certificates of a PEM text, each by itself. */
export function certificateBlocks(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

/** Is this a certificate revocation list that TLS can use? */
export function checkRevocationList(section: Section<unknown>, at: ConfigPath, pem: string, load: Load): void {
  try {
    if (!pem.includes('-----BEGIN X509 CRL-----')) throw new Error('no list');
    createSecureContext({ crl: pem });
  } catch {
    const hint = 'in PEM form: -----BEGIN X509 CRL-----';
    complainIn(load, section, at, { message: 'holds no revocation list that can be read', hint });
  }
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
