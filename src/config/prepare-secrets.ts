import { findWeakAlgorithms, importSecret, type SecretOptions } from '../keys/import-secret.ts';
import type { ImportedKey } from '../keys/imported-key.ts';
import { isKeyProblem } from '../keys/key-problem.ts';
import type { ConfigPath } from './config-path.ts';
import { decodeSecret, findLikelyEncoding } from './decode-secret.ts';
import type { FileContent } from './deps.ts';
import { didYouMean } from './did-you-mean.ts';
import type { FindingText, Severity } from './finding.ts';
import { complainIn, type Load, type Section, type TenantSection } from './model.ts';
import { findSpan, isPlainObject, type Plain } from './places.ts';
import type { PlacedKey } from './prepare-keys.ts';
import { decodeUtf8 } from './read-files.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import type { SecretConfig } from './shape/secret.ts';

/** One secret of a tenant, as it was checked and as it stands in the config. */
export interface SecretEntry {
  readonly tenant: Section<unknown>;
  readonly secret: Omit<SecretConfig, 'kid'>;
  readonly raw: Plain | undefined;
  readonly path: ConfigPath;
  readonly load: Load;
}

/** Reads, decodes and imports a tenant's secrets for its HMAC algorithms; those with problems are left out. */
export async function prepareSecrets(
  tenant: TenantSection,
  algorithms: ReadonlySet<string>,
  load: Load,
  files: ReferencedFiles,
): Promise<PlacedKey[]> {
  const placed: PlacedKey[] = [];
  const all = tenant.raw.secret;
  for (const [index, secret] of (tenant.config.secret ?? []).entries()) {
    const place = Array.isArray(all) ? { raw: all[index], path: ['secret', index] } : { raw: all, path: ['secret'] };
    const entry: SecretEntry = { tenant, secret, load, ...place };
    const text = await readSecret(entry, files);
    const kid = secret.kid ?? matchedKid(tenant);
    const key =
      text === undefined
        ? undefined
        : importEntry(entry, { kid, allowWeakSecret: tenant.config.allowWeakSecret }, text, algorithms);
    if (key !== undefined) placed.push({ key, path: entry.path });
  }
  return placed;
}

/** A tenant recognised by one kid and with one secret has said whose name that kid is. */
function matchedKid({ config }: TenantSection): string | undefined {
  const kids = new Set((config.match ?? []).flatMap(({ kid }) => kid ?? []));
  const keyParts = [config.keys, config.jwks, config.discovery].filter((part) => part !== undefined);
  return kids.size === 1 && config.secret?.length === 1 && keyParts.length === 0 ? [...kids][0] : undefined;
}

function say({ load, tenant }: SecretEntry, at: ConfigPath, text: FindingText, severity: Severity = 'error'): void {
  complainIn(load, tenant, at, text, severity);
}

/** The text of a secret, wherever it is kept; undefined where it can't be had, which the report then says. */
export async function readSecret(entry: SecretEntry, files: ReferencedFiles): Promise<string | undefined> {
  const { secret, load, path } = entry;
  if (secret.env !== undefined) return readVariable(entry, secret.env, load.deps.env[secret.env]);
  if (secret.file !== undefined) return readSecretFile(entry, secret.file, files);
  if (isLiteral(entry)) {
    const hint = 'whoever can read the config can act as this tenant: use {file: …} or {env: …}';
    say(entry, path, { message: 'the secret stands in the config', hint }, 'warning');
  }
  return secret.value?.reveal();
}

function readVariable(entry: SecretEntry, name: string, value: string | undefined): string | undefined {
  if (value !== undefined && value !== '') return value;
  const message = `the environment variable ${name} is ${value === '' ? 'empty' : 'not set'}`;
  const hint = value === '' ? undefined : didYouMean(name, Object.keys(entry.load.deps.env));
  say(entry, [...entry.path, 'env'], { message, hint });
  return undefined;
}

async function readSecretFile(entry: SecretEntry, file: string, files: ReferencedFiles): Promise<string | undefined> {
  const at = [...entry.path, 'file'];
  const content = await files.read(entry.tenant, at, file);
  if (content === undefined) return undefined;
  const readable = readableByAll(content);
  if (readable !== undefined) say(entry, at, readable, 'warning');
  const text = decodeUtf8(content.bytes);
  if (text === undefined) {
    const hint = 'write raw bytes as base64 or hex, with encoding';
    say(entry, at, { message: 'the file does not hold UTF-8 text', hint });
  }
  return text?.replace(/\r?\n$/, '');
}

/** What to say of a file with a secret in it that is open to everyone; undefined where it is not. */
export function readableByAll({ mode }: FileContent): FindingText | undefined {
  if (mode === undefined || (mode & 0o004) === 0) return undefined;
  const hint = 'chmod o-r, or defaultMode: 0440 on a Kubernetes volume';
  return { message: 'every user of this machine can read the file', hint };
}

/** In the text itself, and not by `${…}` from the environment. */
function isLiteral({ load, tenant, raw, path }: SecretEntry): boolean {
  const span = findSpan(load.places, tenant.raw, isPlainObject(raw) ? [...path, 'value'] : path, 'value');
  return span !== undefined && !span.source.text.slice(span.start, span.end).includes('${');
}

/** The bytes of a secret's text by its declared encoding. */
export function decodeEntry(entry: SecretEntry, text: string): Uint8Array | undefined {
  const bytes = decodeSecret(text, entry.secret.encoding);
  if (bytes instanceof Uint8Array) return bytes;
  say(entry, placeOf(entry), bytes);
  return undefined;
}

function placeOf({ raw, path, secret }: SecretEntry): ConfigPath {
  return isPlainObject(raw) ? [...path, sourceOf(secret)] : path;
}

function importEntry(
  entry: SecretEntry,
  naming: SecretOptions,
  text: string,
  algorithms: ReadonlySet<string>,
): ImportedKey | undefined {
  const at = placeOf(entry);
  const bytes = decodeEntry(entry, text);
  if (bytes === undefined) return undefined;
  const key = importSecret(bytes, naming, algorithms);
  if (isKeyProblem(key)) {
    // A wrong algorithm is said once, of `algorithms`.
    if (key.code === 'algorithmMismatch') return undefined;
    const weak = key.code === 'weak' && bytes.length > 0;
    say(entry, at, { message: key.detail, hint: weak ? 'allowWeakSecret: true accepts a legacy secret' : undefined });
    return undefined;
  }
  warnOfWeakness(entry, at, bytes, algorithms);
  warnOfEncoding(entry, at, text);
  return key;
}

function warnOfWeakness(entry: SecretEntry, at: ConfigPath, bytes: Uint8Array, algorithms: ReadonlySet<string>): void {
  const weak = findWeakAlgorithms(bytes.length, algorithms);
  if (weak.length === 0) return;
  const message = `the secret is too short for ${weak.join(', ')}: it can be guessed from one token`;
  say(entry, at, { message, hint: 'replace it as soon as its users can' }, 'warning');
}

function warnOfEncoding(entry: SecretEntry, at: ConfigPath, text: string): void {
  const declared = isPlainObject(entry.raw) && entry.raw.encoding !== undefined;
  const likely = declared ? undefined : findLikelyEncoding(text);
  if (likely === undefined) return;
  const message = `the secret is taken as plain text, but looks like ${likely}`;
  say(entry, at, { message, hint: `say encoding: ${likely}, or encoding: utf8` }, 'warning');
}

function sourceOf({ value, env }: SecretEntry['secret']): string {
  if (value !== undefined) return 'value';
  return env === undefined ? 'file' : 'env';
}
